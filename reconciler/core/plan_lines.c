/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/diff.h"
#include "reconciler/core/edge_rules.h"
#include "reconciler/core/object.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/weaken.h"

static struct str format_place(struct arena *a, const struct value_place *at)
{
    return at->line ? str_fmt(a, "%.*s:%u:%u", STR_ARG(value_file(*at)), at->line, at->column)
                    : S("");
}

struct plan_line *plan_lines_new(struct planner *p, enum plan_action action, struct str kind,
                                 struct str name, const struct spec_resource *want)
{
    struct plan_line *line = vec_push(p->low.a, &p->plan->lines);

    if (!line)
        return NULL;
    line->action = action;
    line->kind = kind;
    line->name = name;
    line->group = -1;
    line->disruption = S("none");
    line->reason = S("");
    line->place = want ? format_place(p->low.a, &want->place) : S("");
    return line;
}

void plan_lines_classify(struct planner *p, struct plan_line *line, int classes)
{
    line->classes |= classes;
    p->plan->classes |= classes;
}

/* Which checks and how, so that who is asked need not look for them. STR_NONE: none. */
static void say_laxer(struct planner *p, struct plan_line *line, struct str what)
{
    if (!what.p)
        return;
    line->reason = str_fmt(p->low.a, "%.*s%slaxer: %.*s", STR_ARG(line->reason),
                           line->reason.n ? "; " : "", STR_ARG(what));
    plan_lines_classify(p, line, PLAN_CLASS_WEAKEN);
}

void plan_lines_classify_laxer(struct planner *p, struct plan_line *line,
                               const struct value *before, const struct value *after)
{
    say_laxer(p, line, weaken_fields(p->low.a, line->kind, before, after));
}

/* After the database was lost: it serves as it is wanted, and nobody remembers. */
static void add_adopted(struct planner *p, struct str kind, struct str name,
                        const struct spec_resource *want)
{
    struct plan_line *line = plan_lines_new(p, PLAN_ADOPT, kind, name, want);

    if (line)
        line->reason = S("as it runs; it was not recorded");
}

/* Whoever goes back gets another secret than there was. */
static void classify_gone(struct planner *p, struct plan_line *line, const struct spec_resource *r)
{
    if (!r || !r->gone.p)
        return;
    line->reason = str_fmt(p->low.a, "the version of secret '%.*s' is gone, there is another now",
                           STR_ARG(r->gone));
    plan_lines_classify(p, line, PLAN_CLASS_DOWNGRADE);
}

/* The set before it stays for a while, unless a release leaves what that one cannot use. */
static enum plan_back service_way_back(const struct planner *p, const struct subject *x)
{
    if (x->group >= 0 && p->plan->groups.p[x->group].is_one_way)
        return PLAN_BACK_NONE;
    return x->fate == FATE_ROLL && x->m.live ? PLAN_BACK_SWITCH : PLAN_BACK_PLAN;
}

static int is_renamed(const struct subject *x)
{
    return x->was && x->was->fate == FATE_REMOVE;
}

static void say_renamed(struct planner *p, struct plan_line *line, struct str from, const char *how)
{
    line->from = from;
    line->reason = str_fmt(p->low.a, "renamed from %.*s%s", STR_ARG(from), how);
}

/* What runs and ends before it begins. */
static void say_awaited(struct planner *p, struct plan_line *line, const struct subject *x)
{
    for (size_t i = 0; i < x->jobs.n; i++)
        if (plan_depends_runs(p, x, x->jobs.p[i]))
            line->reason = str_fmt(p->low.a, "%.*s, after job/%.*s", STR_ARG(line->reason),
                                   STR_ARG(x->jobs.p[i]->job->name));
}

/* Between two numbers the spec does not say how many there are. */
static void say_counts(struct planner *p, const struct subject *x, struct plan_line *line)
{
    const struct scale_wish *wish = planner_find_wish(p, &x->m);
    struct arena *a = p->low.a;
    struct plan_change *change;

    if (!value_is(value_get(x->m.desired, S("replicas")), VALUE_MAP))
        return;
    change = vec_push(a, &line->changes);
    if (change)
        *change = (struct plan_change){ .path = S("replicas"),
                                        .before = str_fmt(a, "%lld",
                                                          (long long)x->m.live->replicas),
                                        .after = str_fmt(a, "%lld", (long long)x->m.replicas) };
    if (wish)
        line->reason = str_fmt(a, "uses %lld%% of its processors, %lld%% is aimed at",
                               (long long)wish->measured / 100, (long long)wish->aim / 100);
}

static void add_service(struct planner *p, const struct subject *x)
{
    static const struct {
        enum plan_action action;
        const char *reason, *disruption;
        int classes;
    } words[] = {
        [FATE_SAME] = { PLAN_UPDATE, "", "none", 0 },
        [FATE_SETTINGS] = { PLAN_UPDATE, "settings", "none", 0 },
        [FATE_SCALE] = { PLAN_UPDATE, "replicas", "none", 0 },
        [FATE_ROLL] = { PLAN_UPDATE, "blue-green", "none", 0 },
        [FATE_ROLLING] = { PLAN_UPDATE, "rolling", "none", 0 },
        [FATE_RECREATE] = { PLAN_UPDATE, "recreate", "downtime", PLAN_CLASS_DOWNTIME },
        [FATE_REMOVE] = { PLAN_DELETE, "no longer in the specs", "downtime", PLAN_CLASS_DESTROY },
    };
    int is_new = x->want && !x->m.live && !is_renamed(x);
    const struct value *before = x->have || !x->was ? x->m.before : x->was->m.before;
    struct plan_line *line;

    if ((x->fate == FATE_SAME && !is_renamed(x)) || (x->fate == FATE_REMOVE && x->becomes))
        return; /* of one that is renamed, its new name has a line */
    if (x->fate == FATE_SETTINGS && !x->have && !is_renamed(x)) {
        add_adopted(p, S("service"), x->m.service, x->want);
        return;
    }
    line = plan_lines_new(p, is_new ? PLAN_CREATE : words[x->fate].action, S("service"),
                          x->m.service, x->want);
    if (!line)
        return;
    line->group = x->group;
    line->way_back = service_way_back(p, x);
    line->reason = str_from_c(words[x->fate].reason);
    line->disruption = str_from_c(words[x->fate].disruption);
    if (x->m.warm && x->fate == FATE_ROLL)
        line->reason = S("the set of that revision is still warm");
    if (is_renamed(x))
        say_renamed(p, line, x->was->m.service,
                    x->fate == FATE_ROLL && !x->have ? ": a new set takes over" : "");
    say_awaited(p, line, x);
    diff_values(p->low.a, before, x->m.desired, line);
    if (x->fate == FATE_SCALE)
        say_counts(p, x, line);
    plan_lines_classify(p, line, words[x->fate].classes);
    classify_gone(p, line, x->want);
    plan_lines_classify_laxer(p, line, before, x->m.desired);
}

/* Nothing runs for it by itself. */
static int is_record(struct str kind)
{
    return str_eq_c(kind, "domain") || str_eq_c(kind, "job");
}

/* As they were, by the names that their services have now. */
static struct plan_routes routes_before(const struct planner *p)
{
    const struct plan_routes *were = &p->plan->routes_before;
    struct plan_routes ret = { .p = arena_copy(p->low.a, were->p, were->n * sizeof(*were->p)) };

    for (size_t i = 0; ret.p && i < were->n; i++) {
        const struct spec_resource *now = estate_find_renamed(&p->estate, S("service"),
                                                              were->p[i].service);

        if (now)
            ret.p[i].service = now->name;
        ret.n++;
    }
    return ret;
}

/* Domains, compared as a whole and moved by a switch; jobs. */
static void add_others(struct planner *p)
{
    const struct estate *e = &p->estate;
    struct plan_routes before = routes_before(p);

    for (size_t i = 0; i < e->n_wanted; i++) {
        const struct spec_resource *r = e->wanted[i];
        const struct recorded *have = estate_find_before(e, r), *was = estate_find_was(e, r);
        struct plan_line *line;

        if (str_eq_c(r->kind, "service") || object_is_kind(r->kind) ||
            plan_routes_bars_domain(p, r) ||
            (have && !was &&
             (digest_eq(&have->digest, &r->digest) || plan_routes_is_still(p, r->name))))
            continue;
        line = plan_lines_new(p, have ? PLAN_UPDATE : PLAN_CREATE, r->kind, r->name, r);
        if (!line)
            continue;
        if (was)
            say_renamed(p, line, was->name, "");
        diff_values(p->low.a, have ? have->desired : NULL, r->desired, line);
        classify_gone(p, line, r);
        say_laxer(p, line, edge_rules_weaker(p->low.a, &before, &p->plan->routes, r->name));
    }
    for (size_t i = 0; p->prunes && !p->keeps_routes && i < e->n_recorded; i++) {
        const struct recorded *have = e->recorded[i];
        struct plan_line *line;

        if (!is_record(have->kind) || estate_find_wanted(e, have->kind, have->name) ||
            estate_find_renamed(e, have->kind, have->name))
            continue;
        line = plan_lines_new(p, PLAN_DELETE, have->kind, have->name, NULL);
        if (!line)
            continue;
        line->reason = S("no longer in the specs");
        line->disruption = str_eq_c(have->kind, "domain") ? S("downtime") : S("none");
        diff_values(p->low.a, have->desired, NULL, line);
        plan_lines_classify(p, line, PLAN_CLASS_DESTROY);
    }
}

static int something_serves(const struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].m.live && p->subjects.p[i].m.live->proven_seq != REC_NONE)
            return 1;
    return 0;
}

static void add_policy(struct planner *p)
{
    const struct recorded *have = estate_find_recorded(&p->estate, S("policy"), S("environment"));
    const struct value *before = have ? have->desired : NULL, *after = p->s->target->policy;
    struct plan_line *line;

    if (value_eq(before, after))
        return;
    if (!have && something_serves(p)) {
        line = plan_lines_new(p, PLAN_ADOPT, S("policy"), S("environment"), NULL);
        if (line)
            line->reason = S("what was asked for before is not known: what the specs ask for is");
        return;
    }
    line = plan_lines_new(p, have ? PLAN_UPDATE : PLAN_CREATE, S("policy"), S("environment"), NULL);
    if (!line)
        return;
    line->place = format_place(p->low.a, &p->s->target->policy_place);
    diff_values(p->low.a, before, after, line);
    plan_lines_classify_laxer(p, line, before, after);
}

void plan_lines_add(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++)
        add_service(p, &p->subjects.p[i]);
    plan_objects_add_lines(p);
    if (planner_only_repairs(p))
        return;
    add_others(p);
    if (!planner_keeps_policy(p))
        add_policy(p);
}

void plan_lines_add_repair(struct planner *p, const struct subject *x, struct str name)
{
    struct plan_line *line = plan_lines_new(p, PLAN_UPDATE, S("instance"), name, x->want);

    if (line)
        line->reason = S("lost: runs again in its place");
}

void plan_lines_add_leftover(struct planner *p, struct str kind, struct str name)
{
    struct plan_line *line = plan_lines_new(p, PLAN_DELETE, kind, name, NULL);

    if (line)
        line->reason = S("left behind by a rollout");
}
