/* Whether a plan begins, and what it waits for. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/standing.h"
#include "reconciler/core/windows.h"
#include "reconciler/engine/anchor_wait.h"
#include "reconciler/engine/approvals.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/env_trigger.h"
#include "reconciler/engine/zones.h"
#include "specs/json_io.h"
#include "specs/policy.h"
#include "state/holds.h"

/* A hold of one service stops the plans that change it. */
static int holds_plan(const struct rec_hold *hold, const struct plan *plan)
{
    for (size_t i = 0; hold->service.p && i < plan->lines.n; i++)
        if (str_eq_c(plan->lines.p[i].kind, "service") &&
            str_eq(plan->lines.p[i].name, hold->service))
            return 1;
    return !hold->service.p;
}

static int is_held(struct env_task *env, struct str *ret_reason, struct err *err)
{
    struct rec_hold *holds;
    size_t n, i = 0;

    if (holds_active(env->engine->db, &env->cycle, env->uid, clock_task_due_ms(&env->engine->clock),
                     &holds, &n, err))
        return err->code;
    if (env->engine->options.hold_all) {
        *ret_reason = S("held: the daemon observes only");
        return 1;
    }
    while (i < n && !holds_plan(&holds[i], &env->plan))
        i++;
    if (i == n)
        return 0;
    *ret_reason = str_fmt(&env->cycle, "held by %.*s: %.*s", STR_ARG(holds[i].actor),
                          STR_ARG(holds[i].reason));
    return 1;
}

static const struct value *applied_policy(const struct env_task *env)
{
    for (size_t i = 0; i < env->snapshot.n_recorded; i++)
        if (str_eq_c(env->snapshot.recorded[i].kind, "policy"))
            return env->snapshot.recorded[i].desired;
    return NULL;
}

/* What has to come first, both as it was asked for and as it is. */
static void add_trigger(struct arena *a, struct value *list, const struct value *policy)
{
    const struct value *trigger = value_get(policy, S("trigger"));

    if (trigger)
        value_add(a, list, value_copy(a, trigger));
}

/* What the spec that was applied last asked for, what the new one asks for, and the daemon's floor of now: a
 * commit is not judged by what it makes of the policy itself, and a floor that was lowered holds nobody. */
static const struct value *judging_policy(struct env_task *env)
{
    struct value *policy = value_map(&env->cycle), *triggers = value_list(&env->cycle);

    value_set(&env->cycle, policy, S("approval"),
              policy_stricter(&env->cycle, value_get(applied_policy(env), S("asked")),
                              value_get(env->spec.policy, S("approval"))));
    add_trigger(&env->cycle, triggers, applied_policy(env));
    add_trigger(&env->cycle, triggers, env->spec.policy);
    value_set(&env->cycle, policy, S("triggers"), triggers);
    return policy;
}

static void ask_too(struct env_task *env, struct plan_verdict *v, struct str why)
{
    v->reason = v->asks ? str_fmt(&env->cycle, "%.*s; %.*s", STR_ARG(why), STR_ARG(v->reason))
                        : why;
    v->asks = 1;
}

/* What the policy asks; a tip that does not go on from what was applied; and what a person has ended. */
static int judge(struct env_task *env, const struct value *policy, struct plan_verdict *ret,
                 struct err *err)
{
    int is_cancelled;

    *ret = plan_judge(&env->cycle, &env->plan, policy);
    if (env->plan.cause != PLAN_CAUSE_COMMIT)
        return 0;
    if (env_undone_is_cancelled(env, &is_cancelled, err))
        return err->code;
    if (is_cancelled)
        ask_too(env, ret, S("it was cancelled"));
    if (env->rewound.n)
        ask_too(env, ret, env->rewound);
    if (ret->asks && env_below_floor(env).n)
        ret->reason = str_fmt(&env->cycle, "%.*s; %.*s", STR_ARG(ret->reason),
                              STR_ARG(env_below_floor(env)));
    return 0;
}

/* What was said of the plan, by what the policy asks now. 1: enough people said yes. */
static int count_approvals(struct env_task *env, const struct rec_plan *row,
                           const struct value *policy, struct plan_verdict *verdict,
                           struct str *ret_needs, struct err *err)
{
    int is_same = str_eq_c(value_get_text(env->rule, S("same_user"), S("")), "allow");
    struct arena *a = &env->cycle;
    struct approval_verdict v;
    struct approval_case c;

    if (approvals_load(env->engine, a, row, &c, err))
        return err->code;
    c.needs = approval_needs(a, value_get(policy, S("approval")), env->plan.classes,
                             is_same ? APPROVAL_SAME_USER : APPROVAL_APART);
    if (env->authors_to.p) {
        c.authors = env->authors;
        c.n_authors = env->n_authors;
    }
    v = approval_judge(a, &c);
    if (v.text.n)
        verdict->reason = str_fmt(a, "%.*s; %.*s", STR_ARG(verdict->reason), STR_ARG(v.text));
    *ret_needs = json_format(a, c.needs);
    if (row->expires_ms != REC_NONE && clock_task_due_ms(&env->engine->clock) >= row->expires_ms)
        return 0;
    return v.is_enough;
}

/* 1: somebody with the role lets it run whatever the policy asks. */
static int is_overridden(struct env_task *env, const struct rec_plan *row,
                         const struct value *policy, struct err *err)
{
    struct approval_case c;

    if (approvals_load(env->engine, &env->cycle, row, &c, err))
        return err->code;
    c.needs = approval_needs(&env->cycle, value_get(policy, S("approval")), env->plan.classes,
                             APPROVAL_APART);
    return approval_is_overridden(&env->cycle, &c);
}

/* 1: it waits, and nobody with the role says that it does not. */
static int unless_overridden(struct env_task *env, const struct rec_plan *row,
                             const struct value *policy, struct err *err)
{
    int rc = is_overridden(env, row, policy, err);

    return rc < 0 ? rc : !rc;
}

/* Whoever approved it; a freeze without an end is ended by an override. */
static int is_frozen(struct env_task *env, const struct rec_plan *row, const struct value *policy,
                     struct str *ret_reason, struct err *err)
{
    const struct value *list = value_at(policy, S("approval.freeze"));
    struct arena *a = &env->cycle;
    struct windows_end end;
    struct map zones;

    map_init(&zones, a);
    if (!standing_plan_waits(&env->plan, STANDING_FREEZE))
        return 0;
    if (zones_add(a, list, &zones, err))
        return err->code;
    if (!windows_freeze(list, &zones, clock_task_due_ms(&env->engine->clock), &end))
        return 0;
    *ret_reason = end.at_ms == TZ_NEVER
                      ? S("frozen until somebody overrides it: the freeze has no end")
                      : str_fmt(a, "frozen until %.*s", STR_ARG(windows_end_text(a, &end)));
    return unless_overridden(env, row, policy, err);
}

/* What is down for a while waits for a time that was set aside for it: in each list of them. Whether it is that time
 * is not known while the clock is suspect. */
static int is_shut(struct env_task *env, const struct rec_plan *row, const struct value *policy,
                   struct str *ret_reason, struct err *err)
{
    const struct value *lists = value_at(policy, S("approval.windows.downtime"));
    struct arena *a = &env->cycle;
    struct windows_end opens = { 0 };
    struct map zones;
    size_t i = 0;

    if (env->plan.cause != PLAN_CAUSE_COMMIT || !(env->plan.classes & PLAN_CLASS_DOWNTIME) ||
        !value_count(lists))
        return 0;
    map_init(&zones, a);
    for (; i < value_count(lists); i++)
        if (zones_add(a, value_item(lists, i), &zones, err))
            return err->code;
    for (i = 0; i < value_count(lists); i++)
        if (windows_are_shut(value_item(lists, i), &zones, clock_task_due_ms(&env->engine->clock),
                             &opens))
            break;
    if (i == value_count(lists) && !clock_task_is_suspect(&env->engine->clock))
        return 0;
    *ret_reason = i == value_count(lists)
                      ? S("waits for a window for downtime: the clock is suspect")
                  : opens.at_ms == TZ_NEVER
                      ? S("waits for a window for downtime, of which none begins")
                      : str_fmt(a, "waits for the window for downtime, from %.*s",
                                STR_ARG(windows_end_text(a, &opens)));
    return unless_overridden(env, row, policy, err);
}

/* Who asked for it has the role, and said so. */
static int overrides_hold(const struct env_task *env)
{
    return standing_act(&env->plan) == STANDING_PERSON && env->snapshot.env.ask_overrides;
}

/* What stands in the way of a plan, however many said yes; STR_NONE: nothing of that. */
struct bars {
    struct str held, frozen, unanchored, early, shut, crowded;
};

static int find_bars(struct env_task *env, const struct rec_plan *row, const struct value *policy,
                     struct bars *ret, struct err *err)
{
    int held = is_held(env, &ret->held, err), frozen, early, shut;

    if (held < 0)
        return held;
    if (!env->engine->options.hold_all &&
        (!standing_plan_waits(&env->plan, STANDING_HOLD) || overrides_hold(env)))
        held = 0;
    frozen = is_frozen(env, row, policy, &ret->frozen, err);
    if (frozen < 0)
        return frozen;
    if (anchor_wait(env, &ret->unanchored, err) < 0)
        return err->code;
    early = env_trigger_waits(env, value_get(policy, S("triggers")), &ret->early, err);
    if (!early)
        early = env_checks_wait(env, value_get(policy, S("triggers")), &ret->early, err);
    if (early < 0)
        return early;
    shut = is_shut(env, row, policy, &ret->shut, err);
    if (shut < 0 || env_creates_wait(env, &ret->crowded, err) < 0)
        return err->code;
    if (!held)
        ret->held = STR_NONE;
    if (!frozen)
        ret->frozen = STR_NONE;
    if (early > 0)
        early = unless_overridden(env, row, policy, err);
    if (early < 0)
        return early;
    if (!early)
        ret->early = STR_NONE;
    if (!shut)
        ret->shut = STR_NONE;
    return 0;
}

/* What holds it up, and what is asked of people beside that. */
static struct str bar_reason(struct env_task *env, struct str bar, const struct plan_verdict *v,
                             int is_approved)
{
    return v->asks && !is_approved
               ? str_fmt(&env->cycle, "%.*s; %.*s", STR_ARG(bar), STR_ARG(v->reason))
               : bar;
}

int env_decide(struct env_task *env, const struct rec_plan *row, struct env_decision *ret,
               struct err *err)
{
    const struct value *policy = judging_policy(env);
    struct plan_verdict verdict;
    struct str needs = STR_NONE;
    struct bars bars = { 0 };
    int is_approved, may_run;

    if (judge(env, policy, &verdict, err))
        return err->code;
    is_approved = verdict.asks ? count_approvals(env, row, policy, &verdict, &needs, err) : 0;
    if (is_approved < 0 || find_bars(env, row, policy, &bars, err))
        return err->code;
    may_run = !verdict.asks || is_approved;
    *ret = (struct env_decision){ 0, S("approved"), S("waiting"), verdict.reason, needs };
    if (!is_approved) /* what was decided meanwhile stays so */
        ret->state = standing_next(S("approved"), STANDING_LACKS).state;
    if (str_eq_c(row->state, "rejected")) {
        ret->state = standing_next(row->state, STANDING_ELSEWHERE).state;
        ret->reason = S("the plan was rejected");
    } else if (bars.held.p) {
        ret->sync = S("held");
        ret->reason = bars.held;
    } else if (bars.frozen.p) {
        ret->sync = S("frozen");
        ret->reason = bar_reason(env, bars.frozen, &verdict, is_approved);
    } else if (bars.unanchored.p) {
        ret->reason = bar_reason(env, bars.unanchored, &verdict, is_approved);
    } else if (bars.early.p) {
        ret->reason = bar_reason(env, bars.early, &verdict, is_approved);
    } else if (bars.shut.p) {
        ret->reason = bar_reason(env, bars.shut, &verdict, is_approved);
    } else if (bars.crowded.p && may_run) {
        ret->reason = bars.crowded;
    } else if (may_run) {
        *ret = (struct env_decision){ 1, S("applying"), S("converging"), S(""), needs };
    }
    return 0;
}
