/* Why it is as it is, and what a person can do about it. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/render.h"
#include "reconciler/engine/view_jobs.h"

#define HELD "held by " /* how the word of a held environment begins */
#define OPERATIONS_SHOWN " ORDER BY intent_ms DESC LIMIT 20"

/* A way out. */
static void add_choice(const struct view *v, struct value *list, struct str command,
                       const char *what)
{
    struct value *one = value_map(v->a);

    value_set_text(v->a, one, S("command"), command);
    value_set_text(v->a, one, S("what"), str_from_c(what));
    value_add(v->a, list, one);
}

static void add_reason(const struct view *v, struct value *list, struct str text)
{
    value_add(v->a, list, value_text(v->a, text));
}

static struct str hold_text(const struct view *v, const struct value *hold)
{
    struct str service = value_get_text(hold, S("service"), S(""));
    int64_t until_ms = value_get_int(hold, S("until_ms"), 0);
    struct str until = until_ms ? render_time(v->a, until_ms) : S("");

    return str_fmt(v->a, "%s%.*s%sheld by %.*s%s%.*s: %.*s", service.n ? "service '" : "",
                   STR_ARG(service), service.n ? "' is " : "",
                   STR_ARG(value_get_text(hold, S("actor"), S(""))), until.n ? " until " : "",
                   STR_ARG(until), STR_ARG(value_get_text(hold, S("reason"), S(""))));
}

static void add_all(const struct view *v, struct value *list, const struct value *more)
{
    for (size_t i = 0; i < value_count(more); i++)
        value_add(v->a, list, value_copy(v->a, value_item(more, i)));
}

int view_add_stops(const struct view *v, const struct rec_environment *env, struct value *reasons,
                   struct value *choices, struct err *err)
{
    struct value *holds = NULL, *quarantine = NULL;
    int rc = view_holds(v, env->uid, &holds, err);

    if (!rc)
        rc = view_quarantine(v, env->uid, &quarantine, err);
    for (size_t i = 0; !rc && i < value_count(holds); i++)
        add_reason(v, reasons, hold_text(v, value_item(holds, i)));
    for (size_t i = 0; !rc && i < value_count(quarantine); i++)
        add_reason(v, reasons, value_get_text(value_item(quarantine, i), S("text"), S("")));
    if (value_count(holds))
        add_choice(v, choices, str_fmt(v->a, "reeve resume %.*s", STR_ARG(env->name)),
                   "end the hold");
    if (value_count(quarantine))
        add_choice(v, choices, str_fmt(v->a, "reeve retry %.*s", STR_ARG(env->name)),
                   "try the quarantined revision once more; a new commit does it by itself");
    if (value_count(quarantine))
        add_choice(v, choices, str_fmt(v->a, "reeve logs %.*s --gone", STR_ARG(env->name)),
                   "what its instances wrote before they were gone");
    return rc;
}

struct value *view_with_word(const struct view *v, const struct rec_environment *env,
                             const struct value *reasons)
{
    static const char *const said_by_rows[] = { HELD, "quarantined: " };
    struct value *all = value_list(v->a);
    int is_said = !env->reason.n;

    for (size_t i = 0; i < value_count(reasons) && !is_said; i++)
        is_said = str_find(value_item(reasons, i)->u.text, env->reason) != STR_NPOS;
    for (size_t i = 0; i < N_ELEMENTS(said_by_rows) && value_count(reasons) && !is_said; i++)
        is_said = str_starts(env->reason, str_from_c(said_by_rows[i]));
    if (!is_said)
        add_reason(v, all, env->reason);
    add_all(v, all, reasons);
    return all;
}

/* `stops`: what view_add_stops() said, which says who holds it. */
static int explain_plan(const struct view *v, const struct rec_environment *env,
                        const struct value *stops, struct value *map, struct value *reasons,
                        struct value *choices, struct err *err)
{
    struct rec_plan plan;
    struct value *head;
    struct str id, why;
    int rc = view_open_plan(v, env->uid, &plan, err);

    if (!rc && plan.env.n)
        rc = view_plan_head(v, &plan, &head, err);
    if (rc || !plan.env.n)
        return rc;
    id = str_slice(digest_hex(v->a, &plan.id), 0, 8);
    value_set(v->a, map, S("plan"), head);
    why = value_count(stops) && str_starts(plan.reason, S(HELD)) ? S("") : plan.reason;
    add_reason(v, reasons,
               str_fmt(v->a, "plan %.*s is %.*s%s%.*s", STR_ARG(id), STR_ARG(plan.state),
                       why.n ? ": " : "", STR_ARG(why)));
    if (str_eq_c(plan.state, "waiting")) {
        add_choice(v, choices, str_fmt(v->a, "reeve approve %.*s --reason ...", STR_ARG(id)),
                   "let it run");
        add_choice(v, choices, str_fmt(v->a, "reeve reject %.*s --reason ...", STR_ARG(id)),
                   "keep things as they are until something it was made of changes");
    }
    if (str_eq_c(plan.state, "applying") && str_eq_c(env->sync, "waiting"))
        add_choice(v, choices, str_fmt(v->a, "reeve advance %.*s", STR_ARG(env->name)),
                   "let it go on");
    if (str_eq_c(plan.state, "applying"))
        add_choice(v, choices, str_fmt(v->a, "reeve cancel %.*s --reason ...", STR_ARG(env->name)),
                   "stop it and go back");
    return 0;
}

static int explain_operations(const struct view *v, const struct rec_environment *env,
                              struct str subject, struct value *map, struct value *reasons,
                              struct value *choices, struct err *err)
{
    struct str name = subject, kind = S("");
    struct value *list = value_list(v->a);
    struct rec_operation *rows;
    size_t n;
    int rc;

    (void)str_next(&name, '/', &kind); /* "" for the whole environment */
    if (subject.n)
        rc = DB_SELECT(v->db, v->a, operation,
                       "WHERE env = $1 AND (kind = $2 AND name = $3 OR substr(name, 1, "
                       "length($3) + 1) = $3 || '@')" OPERATIONS_SHOWN,
                       &rows, &n, err, DB_T(env->uid), DB_T(kind), DB_T(name));
    else
        rc = DB_SELECT(v->db, v->a, operation,
                       "WHERE env = $1 AND (outcome IS NULL OR outcome <> 'done')" OPERATIONS_SHOWN,
                       &rows, &n, err, DB_T(env->uid));
    for (size_t i = 0; !rc && i < n; i++) {
        const struct rec_operation *op = &rows[i];

        value_add(v->a, list, view_operation(v, op));
        if (!op->outcome.n && op->message.n)
            add_reason(v, reasons,
                       str_fmt(v->a, "%.*s of %.*s/%.*s, attempt %lld: %.*s", STR_ARG(op->action),
                               STR_ARG(op->kind), STR_ARG(op->name), (long long)op->attempt,
                               STR_ARG(op->message)));
        if (str_eq_c(op->outcome, "parked"))
            add_choice(v, choices,
                       str_fmt(v->a, "reeve settle %.*s --as done|failed|retry", STR_ARG(op->uid)),
                       "say how a parked operation ended, after looking at the world");
    }
    value_set(v->a, map, S("operations"), list);
    return rc;
}

static int explain_resource(const struct view *v, const struct rec_environment *env,
                            struct str subject, struct value *map, struct err *err)
{
    struct value *history = value_list(v->a);
    struct str name = subject, kind = S("");
    struct rec_resource *rows;
    size_t n;
    int rc;

    if (!subject.n)
        return 0;
    (void)str_next(&name, '/', &kind); /* without '/': an unknown kind, answered below */
    rc = DB_SELECT(v->db, v->a, resource,
                   "WHERE env = $1 AND kind = $2 AND name = $3 ORDER BY valid_from DESC LIMIT 20",
                   &rows, &n, err, DB_T(env->uid), DB_T(kind), DB_T(name));
    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no '%.*s'", STR_ARG(env->name),
                       STR_ARG(subject));
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("status"), rows[i].status);
        view_set(v, one, "reason", rows[i].reason);
        view_set(v, one, "provider", rows[i].provider);
        view_set(v, one, "provider_id", rows[i].provider_id);
        view_set_digest(v, one, "desired", &rows[i].desired);
        view_set_digest(v, one, "observed", &rows[i].observed);
        view_set(v, one, "protect", rows[i].protect);
        view_set(v, one, "drift", view_drift_text(v, &rows[i]));
        rc = view_set_time(v, one, "from_ms", rows[i].valid_from, err);
        value_add(v->a, history, one);
    }
    value_set(v->a, map, S("resource"), history);
    return rc;
}

#define DRAINS_EXPLAINED 3

/* What drains of the service cut or ended, the newest first. */
static int explain_drains(const struct view *v, const struct rec_environment *env,
                          struct str subject, struct value *reasons, struct err *err)
{
    struct rec_operation *rows;
    struct str gates;
    size_t n;
    int rc;

    if (!str_starts(subject, S("service/")))
        return 0;
    gates = str_fmt(v->a, "drained:%.*s@", STR_ARG(str_slice(subject, 8, subject.n)));
    rc = DB_SELECT(v->db, v->a, operation,
                   "WHERE env = $1 AND kind = 'gate' AND substr(name, 1, $2) = $3 "
                   "AND outcome = 'done' AND message IS NOT NULL ORDER BY intent_ms DESC LIMIT $4",
                   &rows, &n, err, DB_T(env->uid), DB_I((int64_t)gates.n), DB_T(gates),
                   DB_I(DRAINS_EXPLAINED));
    for (size_t i = 0; !rc && i < n; i++)
        add_reason(v, reasons,
                   str_fmt(v->a, "%.*s: %.*s", STR_ARG(rows[i].name), STR_ARG(rows[i].message)));
    return rc;
}

int view_rollout_past(const struct view *v, const struct rec_rollout *rollout, struct value **ret,
                      struct err *err)
{
    struct value *one = value_map(v->a);

    value_set_text(v->a, one, S("state"), rollout->state);
    view_set(v, one, "culprit", rollout->culprit);
    view_set(v, one, "reason", rollout->reason);
    value_set_int(v->a, one, S("lost"), rollout->lost);
    view_set_digest(v, one, "plan", &rollout->plan);
    *ret = one;
    return view_set_time(v, one, "began_ms", rollout->began_seq, err);
}

static int explain_rollouts(const struct view *v, const struct rec_environment *env,
                            struct value *map, struct value *reasons, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_rollout *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, rollout, "WHERE env = $1 ORDER BY began_seq DESC LIMIT 5",
                       &rows, &n, err, DB_T(env->uid));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = NULL;

        rc = view_rollout_past(v, &rows[i], &one, err);
        value_add(v->a, list, one);
    }
    if (!rc && n && str_eq_c(rows[0].state, "revert_failed"))
        add_reason(v, reasons,
                   S("the way back fails and is tried for ever; no set that may be "
                     "live is touched"));
    value_set(v->a, map, S("rollouts"), list);
    return rc;
}

static int explain_previous(const struct view *v, const struct rec_environment *env,
                            struct value *choices, struct err *err)
{
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set, "WHERE env = $1 AND state = 'previous'", &rows, &n, err,
                       DB_T(env->uid));

    if (!rc && n)
        add_choice(v, choices, str_fmt(v->a, "reeve undo %.*s --reason ...", STR_ARG(env->name)),
                   "back to the previous sets, which are kept");
    return rc;
}

int view_explain(const struct view *v, struct str name, struct str subject, struct value **ret,
                 struct err *err)
{
    struct value *map = value_map(v->a), *reasons = value_list(v->a), *choices = value_list(v->a);
    struct value *stops = value_list(v->a), *ends = value_list(v->a);
    struct rec_environment env;
    int rc = view_find_environment(v, name, &env, err);

    if (!rc)
        rc = explain_resource(v, &env, subject, map, err);
    if (!rc)
        rc = view_add_stops(v, &env, stops, ends, err);
    if (!rc)
        rc = explain_plan(v, &env, stops, map, reasons, choices, err);
    if (rc)
        return rc;
    add_all(v, reasons, stops);
    add_all(v, choices, ends);
    rc = explain_operations(v, &env, subject, map, reasons, choices, err);
    if (!rc)
        rc = view_jobs_explain(v, env.uid, subject, reasons, err);
    if (!rc)
        rc = view_add_drift(v, &env, reasons, err);
    if (!rc)
        rc = explain_rollouts(v, &env, map, reasons, err);
    if (!rc)
        rc = explain_drains(v, &env, subject, reasons, err);
    if (!rc)
        rc = explain_previous(v, &env, choices, err);
    if (rc)
        return rc;
    value_set_text(v->a, map, S("environment"), env.name);
    view_set(v, map, "subject", subject);
    value_set_text(v->a, map, S("sync"), env.sync);
    value_set_text(v->a, map, S("health"), env.health);
    view_set(v, map, "reason", env.reason);
    value_set(v->a, map, S("because"), view_with_word(v, &env, reasons));
    value_set(v->a, map, S("choices"), choices);
    *ret = map;
    return arena_status(v->a, err);
}
