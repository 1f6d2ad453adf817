/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/plan.h"

#include "base/guard.h"
#include "reconciler/core/diff.h"
#include "reconciler/core/graph.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/rollout.h"
#include "specs/digest.h"

/* What happens to one service. */
enum fate { FATE_SAME, FATE_SETTINGS, FATE_SCALE, FATE_ROLL, FATE_RECREATE, FATE_REMOVE };

struct subject {
    struct member m;
    const struct spec_resource *want; /* NULL: goes */
    const struct recorded *have;      /* NULL: new */
    struct str id;                    /* service/api */
    enum fate fate;
    int group;
};

struct planner {
    struct lowering low;
    const struct snapshot *s;
    struct plan *plan;
    struct graph graph;
    VEC(struct subject) subjects;
    VEC(size_t) proven; /* last main items of the groups */
    int switches;       /* whether some item moves the routes */
    int routes_differ;
};

static struct str planner_id(struct planner *p, struct str kind, struct str name)
{
    return str_fmt(p->low.a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name));
}

static const struct recorded *find_recorded(const struct snapshot *s, struct str kind,
                                            struct str name)
{
    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq(s->recorded[i].kind, kind) && str_eq(s->recorded[i].name, name))
            return &s->recorded[i];
    return NULL;
}

static const struct spec_resource *find_wanted(const struct snapshot *s, struct str kind,
                                               struct str name)
{
    for (size_t i = 0; i < s->target->resources.n; i++) {
        const struct spec_resource *r = &s->target->resources.p[i];

        if (str_eq(r->kind, kind) && str_eq(r->name, name))
            return r;
    }
    return NULL;
}

static const struct rec_set *find_set(const struct snapshot *s, struct str service,
                                      const struct digest *key, const char *state)
{
    for (size_t i = 0; i < s->n_sets; i++) {
        const struct rec_set *set = &s->sets[i];

        if (str_eq(set->service, service) && (!key || digest_eq(&set->set_key, key)) &&
            str_eq_c(set->state, state))
            return set;
    }
    return NULL;
}

/* --- routes -------------------------------------------------------------------------------------- */

static void add_domain_routes(struct arena *a, struct value *list, struct str name,
                              const struct value *domain)
{
    const struct value *hosts = value_get(domain, S("hosts")),
                       *routes = value_get(domain, S("routes"));

    for (size_t h = 0; h < value_count(hosts); h++)
        for (size_t i = 0; i < value_count(routes); i++) {
            const struct value_entry *e = &routes->u.map.entries[i];
            struct value *route = value_map(a);

            value_set_text(a, route, S("route"),
                           str_fmt(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(e->key)));
            value_set_text(a, route, S("host"), value_item(hosts, h)->u.text);
            value_set_text(a, route, S("path"), e->key);
            value_set_text(a, route, S("service"), value_get_text(e->value, S("service"), S("")));
            value_add(a, list, route);
        }
}

static void add_internal_route(struct arena *a, struct value *list, struct str service)
{
    struct value *route = value_map(a);

    value_set_text(a, route, S("route"), str_fmt(a, "internal:%.*s", STR_ARG(service)));
    value_set_text(a, route, S("host"), S(""));
    value_set_text(a, route, S("path"), S("/"));
    value_set_text(a, route, S("address"), service);
    value_set_text(a, route, S("service"), service);
    value_add(a, list, route);
}

/* Services whose internal_url somebody refers to. */
static void collect_addresses(const struct value *v, struct map *ret)
{
    static const struct str prefix = S_INIT("address/");
    struct str output = value_get_text(v, S("output"), STR_NONE);

    if (output.p && str_starts(output, prefix))
        map_put(ret, str_slice(output, prefix.n, output.n), NULL);
    for (size_t i = 0; i < value_count(v); i++)
        collect_addresses(v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                          ret);
}

/* An address stays as long as its service is wanted, whoever refers to it. */
static int keeps_address(const struct planner *p, const struct recorded *r)
{
    return str_eq_c(r->kind, "address") && find_wanted(p->s, S("service"), r->name);
}

static struct value *routes_wanted(struct planner *p)
{
    struct arena *a = p->low.a;
    struct value *list = value_list(a);
    struct map addresses;

    map_init(&addresses, a);
    for (size_t i = 0; i < p->s->target->resources.n; i++) {
        const struct spec_resource *r = &p->s->target->resources.p[i];

        if (str_eq_c(r->kind, "domain"))
            add_domain_routes(a, list, r->name, r->desired);
        else
            collect_addresses(r->desired, &addresses);
    }
    for (size_t i = 0; i < p->s->n_recorded; i++)
        if (keeps_address(p, &p->s->recorded[i]))
            map_put(&addresses, p->s->recorded[i].name, NULL);
    map_sort(&addresses);
    for (size_t i = 0; i < addresses.n; i++)
        add_internal_route(a, list, addresses.entries[i].key);
    return list;
}

static struct value *routes_recorded(struct planner *p)
{
    struct arena *a = p->low.a;
    struct value *list = value_list(a);

    for (size_t i = 0; i < p->s->n_recorded; i++) {
        const struct recorded *r = &p->s->recorded[i];

        if (str_eq_c(r->kind, "domain"))
            add_domain_routes(a, list, r->name, r->desired);
    }
    for (size_t i = 0; i < p->s->n_recorded; i++)
        if (keeps_address(p, &p->s->recorded[i]))
            add_internal_route(a, list, p->s->recorded[i].name);
    return list;
}

/* --- what happens to each service ---------------------------------------------------------------- */

static enum fate judge_fate(const struct planner *p, const struct subject *x)
{
    const struct member *m = &x->m;

    if (!x->want)
        return FATE_REMOVE;
    if (!m->live || !digest_eq(&m->live->set_key, &m->set_key))
        return str_eq_c(value_get_text(value_get(m->desired, S("rollout")), S("strategy"), S("")),
                        "recreate") &&
                       !(p->s->cause == PLAN_CAUSE_UNDO && m->warm)
                   ? FATE_RECREATE
                   : FATE_ROLL;
    if (m->live->replicas != m->replicas)
        return FATE_SCALE;
    return x->have && digest_eq(&x->have->digest, &x->want->digest) ? FATE_SAME : FATE_SETTINGS;
}

static void add_subject(struct planner *p, const struct spec_resource *want,
                        const struct recorded *have)
{
    struct subject *x = vec_push(p->low.a, &p->subjects);
    const struct value *desired = want ? want->desired : NULL;

    if (!x)
        return;
    *x = (struct subject){ .want = want, .have = have, .group = -1 };
    x->m.service = want ? want->name : have->name;
    x->m.provider = want ? want->provider : have->provider;
    x->m.desired = desired;
    x->m.before = have ? have->desired : NULL;
    x->m.live = find_set(p->s, x->m.service, NULL, "live");
    if (want) {
        x->m.set_key = identity_set_key(p->low.a, desired);
        x->m.warm = find_set(p->s, x->m.service, &x->m.set_key, "previous");
        x->m.replicas = value_get_int(desired, S("replicas"), 1);
    }
    x->m.is_routed = p->s->edge_provider.p && value_get(desired ? desired : x->m.before, S("port"));
    x->id = planner_id(p, S("service"), x->m.service);
    x->fate = judge_fate(p, x);
}

static void collect_subjects(struct planner *p)
{
    const struct snapshot *s = p->s;
    int prune = value_get_bool(value_get(s->target->policy, S("reconcile")), S("prune"), 1);

    for (size_t i = 0; i < s->target->resources.n; i++) {
        const struct spec_resource *r = &s->target->resources.p[i];

        if (str_eq_c(r->kind, "service"))
            add_subject(p, r, find_recorded(s, r->kind, r->name));
    }
    for (size_t i = 0; i < s->n_recorded; i++) {
        const struct recorded *r = &s->recorded[i];

        if (str_eq_c(r->kind, "service") && !find_wanted(s, r->kind, r->name) && prune)
            add_subject(p, NULL, r);
    }
}

/* --- groups -------------------------------------------------------------------------------------- */

static struct plan_group *add_group(struct planner *p, int *ret_index)
{
    struct plan_group *g = vec_push(p->low.a, &p->plan->groups);

    *ret_index = (int)p->plan->groups.n - 1;
    return g;
}

static void group_take(struct planner *p, struct plan_group *g, struct subject *x, int index)
{
    struct str *slot = g ? vec_push(p->low.a, &g->services) : NULL;

    x->group = index;
    if (slot)
        *slot = x->m.service;
}

/* Sorted set keys and routes of the group: what quarantine remembers. */
static struct digest group_digest(struct planner *p, int index)
{
    struct arena *a = p->low.a;
    struct value *sets = value_map(a), *routes = value_list(a), *both = value_map(a);

    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->group != index)
            continue;
        value_set_text(a, sets, x->m.service, x->want ? digest_hex(a, &x->m.set_key) : S("gone"));
        for (size_t r = 0; r < value_count(p->low.routes); r++) {
            const struct value *route = value_item(p->low.routes, r);

            if (str_eq(value_get_text(route, S("service"), S("")), x->m.service))
                value_add(a, routes, value_copy(a, route));
        }
    }
    value_set(a, both, S("sets"), sets);
    value_set(a, both, S("routes"), routes);
    return digest_value(a, S("group"), both);
}

static int group_reverts(const struct planner *p, int index)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->group == index &&
            !value_get_bool(value_get(x->m.desired, S("rollout")), S("auto_revert"), 1))
            return 0;
    }
    return 1;
}

/* Services that roll and need each other, directly or through others, are one group; subjects are in
 * order of name, so groups are too. */
static void make_groups(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct subject *x = &p->subjects.p[i];
        struct plan_group *g;
        int index;

        if (x->group >= 0 || x->fate == FATE_SAME || x->fate == FATE_SETTINGS)
            continue;
        g = add_group(p, &index);
        group_take(p, g, x, index);
        for (size_t j = 0; x->fate == FATE_ROLL && j < p->subjects.n; j++) {
            struct subject *y = &p->subjects.p[j];
            int joined = 0;

            for (size_t k = 0; k < p->subjects.n; k++)
                if (p->subjects.p[k].group == index &&
                    (graph_needs(&p->graph, p->subjects.p[k].id, y->id) ||
                     graph_needs(&p->graph, y->id, p->subjects.p[k].id)))
                    joined = 1;
            if (y->group < 0 && y->fate == FATE_ROLL && joined) {
                group_take(p, g, y, index);
                j = (size_t)-1; /* what needs the new member joins too */
            }
        }
        if (g) {
            g->digest = group_digest(p, index);
            g->auto_revert = group_reverts(p, index);
        }
    }
}

static const struct rec_quarantine *group_quarantine(const struct planner *p, int index)
{
    const struct digest *d = &p->plan->groups.p[index].digest;

    if (p->s->cause == PLAN_CAUSE_UNDO || p->s->cause == PLAN_CAUSE_ROLLBACK)
        return NULL; /* a person asked for a proven revision */
    for (size_t i = 0; i < p->s->n_quarantines; i++)
        if (digest_eq(&p->s->quarantines[i].group_digest, d))
            return &p->s->quarantines[i];
    return NULL;
}

/* A quarantined group stays as it is: its members are taken out of this plan. */
static void hold_quarantined(struct planner *p)
{
    for (size_t g = 0; g < p->plan->groups.n; g++) {
        const struct rec_quarantine *q = group_quarantine(p, (int)g);
        struct str *note;

        if (!q)
            continue;
        note = vec_push(p->low.a, &p->plan->notes);
        if (note)
            *note = str_fmt(p->low.a, "quarantined: %.*s (%.*s)", STR_ARG(q->culprit),
                            STR_ARG(q->reason));
        for (size_t i = 0; i < p->subjects.n; i++)
            if (p->subjects.p[i].group == (int)g) {
                p->subjects.p[i].fate = FATE_SAME;
                p->subjects.p[i].want = NULL; /* what is recorded goes into the target */
            }
    }
}

/* --- lines --------------------------------------------------------------------------------------- */

static struct str format_place(struct arena *a, const struct value_place *at)
{
    return at->line ? str_fmt(a, "%.*s:%u:%u", STR_ARG(at->file), at->line, at->column) : S("");
}

static struct plan_line *add_line(struct planner *p, enum plan_action action, struct str kind,
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

static void add_service_line(struct planner *p, const struct subject *x)
{
    static const struct {
        enum plan_action action;
        const char *reason, *disruption;
    } words[] = {
        [FATE_SETTINGS] = { PLAN_UPDATE, "settings", "none" },
        [FATE_SCALE] = { PLAN_UPDATE, "replicas", "none" },
        [FATE_ROLL] = { PLAN_UPDATE, "blue-green", "none" },
        [FATE_RECREATE] = { PLAN_UPDATE, "recreate", "downtime" },
        [FATE_REMOVE] = { PLAN_DELETE, "no longer in the specs", "downtime" },
    };
    struct plan_line *line;

    if (x->fate == FATE_SAME)
        return;
    line = add_line(p, words[x->fate].action, S("service"), x->m.service, x->want);
    if (!line)
        return;
    line->group = x->group;
    line->reason = str_from_c(words[x->fate].reason);
    line->disruption = str_from_c(words[x->fate].disruption);
    if (x->fate == FATE_REMOVE)
        line->classes = PLAN_CLASS_DESTROY;
    if (x->fate == FATE_RECREATE && x->m.live)
        line->classes = PLAN_CLASS_DOWNTIME;
    if (!x->m.live && x->fate != FATE_REMOVE) {
        line->action = PLAN_CREATE;
        line->disruption = S("none");
    }
    if (x->m.warm && x->fate == FATE_ROLL)
        line->reason = S("the set of that revision is still warm");
    diff_values(p->low.a, x->m.before, x->m.desired, line);
    p->plan->classes |= line->classes;
}

/* Domains and policy: compared as a whole, moved by the switch or by rows alone. */
static void add_other_lines(struct planner *p)
{
    const struct snapshot *s = p->s;

    for (size_t i = 0; i < s->target->resources.n; i++) {
        const struct spec_resource *r = &s->target->resources.p[i];
        const struct recorded *have = find_recorded(s, r->kind, r->name);
        struct plan_line *line;

        if (str_eq_c(r->kind, "service") || (have && digest_eq(&have->digest, &r->digest)))
            continue;
        line = add_line(p, have ? PLAN_UPDATE : PLAN_CREATE, r->kind, r->name, r);
        if (line)
            diff_values(p->low.a, have ? have->desired : NULL, r->desired, line);
    }
    for (size_t i = 0; i < s->n_recorded; i++) {
        const struct recorded *have = &s->recorded[i];
        struct plan_line *line;

        if (!str_eq_c(have->kind, "domain") || find_wanted(s, have->kind, have->name))
            continue;
        line = add_line(p, PLAN_DELETE, have->kind, have->name, NULL);
        if (!line)
            continue;
        line->classes = PLAN_CLASS_DESTROY;
        line->reason = S("no longer in the specs");
        line->disruption = S("downtime");
        p->plan->classes |= line->classes;
        diff_values(p->low.a, have->desired, NULL, line);
    }
}

/* Going from manual to automatic approval weakens; it is judged by the policy last applied. */
static void add_policy_line(struct planner *p)
{
    const struct recorded *have = find_recorded(p->s, S("policy"), S("environment"));
    struct str before = value_get_text(value_at(have ? have->desired : NULL, S("approval")),
                                       S("policy"), STR_NONE);
    struct str after = value_get_text(value_at(p->s->target->policy, S("approval")), S("policy"),
                                      S("auto"));
    struct plan_line *line;

    if (have && value_eq(have->desired, p->s->target->policy))
        return;
    line = add_line(p, have ? PLAN_UPDATE : PLAN_CREATE, S("policy"), S("environment"), NULL);
    if (!line)
        return;
    diff_values(p->low.a, have ? have->desired : NULL, p->s->target->policy, line);
    if (str_eq_c(before, "manual") && str_eq_c(after, "auto"))
        line->classes = PLAN_CLASS_WEAKEN;
    p->plan->classes |= line->classes;
}

/* --- lowering ------------------------------------------------------------------------------------ */

static void lower_group(struct planner *p, int group)
{
    VEC(struct member) members = { 0 };
    enum fate fate = FATE_SAME;
    size_t last = 0, *slot;

    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];
        struct member *m = x->group == group ? vec_push(p->low.a, &members) : NULL;

        if (!m)
            continue;
        *m = x->m;
        fate = x->fate;
        p->plan->groups.p[group].is_switching |= m->is_routed && fate != FATE_SCALE &&
                                                 fate != FATE_SAME;
    }
    switch (fate) {
    case FATE_SAME:
    case FATE_SETTINGS:
        return;
    case FATE_SCALE:
        last = rollout_lower_scale(&p->low, group, members.p);
        break;
    case FATE_ROLL:
        last = rollout_lower(&p->low, group, members.p, members.n);
        break;
    case FATE_RECREATE:
        last = rollout_lower_recreate(&p->low, group, members.p);
        break;
    case FATE_REMOVE:
        last = rollout_lower_remove(&p->low, group, members.p, members.n);
        break;
    }
    p->switches |= p->plan->groups.p[group].is_switching;
    slot = vec_push(p->low.a, &p->proven);
    if (slot)
        *slot = last;
}

/* An address is made once and stays; every set that refers to it needs it. */
static void lower_addresses(struct planner *p)
{
    size_t n_before = p->plan->items.n;

    for (size_t i = 0; i < value_count(p->low.routes); i++) {
        struct str service = value_get_text(value_item(p->low.routes, i), S("address"), STR_NONE);

        if (!service.p || find_recorded(p->s, S("address"), service))
            continue;
        (void)rollout_item(&p->low, (struct plan_item){
                                        .lane = LANE_MAIN,
                                        .action = PLAN_CREATE,
                                        .group = -1,
                                        .only_after = -1,
                                        .kind = S("address"),
                                        .name = service,
                                        .service = service,
                                        .provider = p->s->edge_provider,
                                        .desired = value_map(p->low.a),
                                    });
    }
    PRE(n_before == 0 || p->low.a->failed); /* addresses come first: groups need items [0, n) */
}

static void lower_all(struct planner *p)
{
    size_t n_addresses, n_groups = p->plan->groups.n;

    lower_addresses(p);
    n_addresses = p->plan->items.n;
    for (size_t g = 0; g < n_groups; g++)
        lower_group(p, (int)g);
    if (p->routes_differ && !p->switches && p->s->edge_provider.p) {
        struct plan_group *g;
        int index;
        size_t *slot;

        g = add_group(p, &index);
        if (!g)
            return;
        g->digest = group_digest(p, index);
        g->is_switching = 1;
        slot = vec_push(p->low.a, &p->proven);
        if (slot)
            *slot = rollout_lower_routes(&p->low, index);
    }
    for (size_t i = n_addresses; i < p->plan->items.n; i++)
        for (size_t j = 0; p->plan->items.p[i].lane == LANE_MAIN && j < n_addresses; j++)
            rollout_need(&p->low, i, j);
}

/* Instances of live sets that nobody lives in any more, unless their service is rolled anyway. */
static void lower_repairs(struct planner *p)
{
    for (size_t i = 0; i < p->s->n_instances; i++) {
        const struct observed_instance *o = &p->s->instances[i];
        struct plan_line *line;

        if (o->health != INSTANCE_LOST)
            continue;
        for (size_t j = 0; j < p->subjects.n; j++) {
            const struct subject *x = &p->subjects.p[j];

            if (!str_eq(x->m.service, o->rec.service) || !x->m.live || !x->m.before ||
                !digest_eq(&x->m.live->set_key, &o->rec.set_key) || x->fate > FATE_SETTINGS)
                continue;
            rollout_lower_repair(&p->low, o, x->m.provider, x->m.before);
            line = add_line(
                p, PLAN_UPDATE, S("instance"),
                identity_instance_name(p->low.a, o->rec.service, &o->rec.set_key, o->rec.ordinal),
                x->want);
            if (line)
                line->reason = S("lost: runs again in its place");
        }
    }
}

/* The last item: everything that is not in a group is recorded, the revision is live and proven. */
static void lower_applied(struct planner *p)
{
    size_t at = rollout_item(&p->low, (struct plan_item){
                                          .lane = LANE_MAIN,
                                          .action = PLAN_MARK,
                                          .group = -1,
                                          .only_after = -1,
                                          .kind = S("mark"),
                                          .name = S("applied"),
                                      });

    for (size_t i = 0; i < at; i++)
        if (p->plan->items.p[i].group < 0)
            rollout_need(&p->low, at, i);
    for (size_t i = 0; i < p->proven.n; i++)
        rollout_need(&p->low, at, p->proven.p[i]);
}

/* --- identity ------------------------------------------------------------------------------------ */

static void add_read(struct planner *p, struct str subject, struct str path, struct digest digest)
{
    struct plan_read *read = vec_push(p->low.a, &p->plan->reads);

    if (read)
        *read = (struct plan_read){ subject, path, digest };
}

static void collect_reads(struct planner *p)
{
    const struct snapshot *s = p->s;

    for (size_t i = 0; i < s->n_recorded; i++)
        add_read(p, planner_id(p, s->recorded[i].kind, s->recorded[i].name), S("desired"),
                 s->recorded[i].digest);
    for (size_t i = 0; i < s->n_sets; i++) {
        const struct rec_set *set = &s->sets[i];

        if (str_eq_c(set->state, "live") || str_eq_c(set->state, "previous"))
            add_read(p, planner_id(p, S("set"), set->service), set->state, set->set_key);
    }
    for (size_t i = 0; i < s->n_instances; i++)
        if (s->instances[i].health == INSTANCE_LOST)
            add_read(p,
                     planner_id(p, S("instance"),
                                identity_instance_name(p->low.a, s->instances[i].rec.service,
                                                       &s->instances[i].rec.set_key,
                                                       s->instances[i].rec.ordinal)),
                     S("state"), hash_bytes(S("lost")));
    for (size_t i = 0; s->artifacts && i < p->plan->lines.n; i++) {
        const struct plan_line *line = &p->plan->lines.p[i];
        const struct spec_resource *want = find_wanted(s, line->kind, line->name);
        struct str key = want ? value_get_text(want->desired, S("artifact"), STR_NONE) : STR_NONE;
        const struct digest *output = key.p ? map_find(s->artifacts, key) : NULL;

        if (output)
            add_read(p, planner_id(p, S("artifact"), key), S("output"), *output);
    }
}

static void add_record(struct planner *p, struct str kind, struct str name, struct str provider,
                       const struct digest *desired)
{
    struct plan_record *r = vec_push(p->low.a, &p->plan->records);

    if (r)
        *r = (struct plan_record){ kind, name, provider, *desired };
}

/* What the estate will be when this plan is through: a quarantined group stays as it is. */
static void collect_records(struct planner *p)
{
    struct digest policy = digest_value(p->low.a, S("desired"), p->s->target->policy);

    add_record(p, S("policy"), S("environment"), S(""), &policy);
    for (size_t i = 0; i < p->s->target->resources.n; i++) {
        const struct spec_resource *r = &p->s->target->resources.p[i];

        if (!str_eq_c(r->kind, "service"))
            add_record(p, r->kind, r->name, r->provider, &r->digest);
    }
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->want)
            add_record(p, S("service"), x->m.service, x->m.provider, &x->want->digest);
        else if (x->fate == FATE_SAME && x->have)
            add_record(p, S("service"), x->m.service, x->m.provider, &x->have->digest);
    }
}

static struct digest effective_revision(struct planner *p)
{
    struct arena *a = p->low.a;
    struct value *map = value_map(a);

    for (size_t i = 0; i < p->plan->records.n; i++) {
        const struct plan_record *r = &p->plan->records.p[i];

        if (str_eq_c(r->kind, "policy"))
            continue; /* how it is approved is not what it is */
        value_set_text(a, map, planner_id(p, r->kind, r->name), digest_hex(a, &r->desired));
    }
    return digest_value(a, S("revision"), map);
}

static const struct value *drivers_value(struct planner *p)
{
    struct arena *a = p->low.a;
    struct value *list = value_list(a);

    for (size_t i = 0; i < p->s->n_drivers; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("name"), p->s->drivers[i].name);
        value_set_text(a, one, S("version"), p->s->drivers[i].version);
        value_set_text(a, one, S("schema"), digest_hex(a, &p->s->drivers[i].schema));
        value_add(a, list, one);
    }
    return list;
}

int plan_make(struct arena *a, const struct snapshot *s, struct plan *ret, struct err *err)
{
    struct planner p = { .low = { .a = a, .s = s, .plan = ret }, .s = s, .plan = ret };

    *ret = (struct plan){
        .env_uid = s->env.uid,
        .apply_seq = s->env.apply_seq,
        .cause = s->cause,
        .base = s->env.live_rev,
    };
    if (s->secrets_gone)
        return err_set(err, ERR_REFUSED, "%.*s", STR_ARG(s->secrets_gone_which));
    if (graph_make(a, s->target, &p.graph, err))
        return err->code;
    p.low.routes = routes_wanted(&p);
    p.low.routes_before = routes_recorded(&p);
    p.routes_differ = !value_eq(p.low.routes, p.low.routes_before);
    collect_subjects(&p);
    make_groups(&p);
    hold_quarantined(&p);
    for (size_t i = 0; i < p.subjects.n; i++)
        add_service_line(&p, &p.subjects.p[i]);
    add_other_lines(&p);
    add_policy_line(&p);
    lower_all(&p);
    lower_repairs(&p);
    collect_records(&p);
    ret->target = effective_revision(&p);
    if (ret->lines.n || ret->items.n)
        lower_applied(&p);
    collect_reads(&p);
    ret->secrets = s->target->secrets;
    ret->drivers = drivers_value(&p);
    ret->id = plan_identity(a, ret);
    if (arena_status(a, err))
        return err_wrap(err, "plan '%.*s'", STR_ARG(s->env.name));
    return 0;
}

int plan_is_empty(const struct plan *p)
{
    return p->items.n == 0;
}

const struct plan_record *plan_find_record(const struct plan *p, struct str kind, struct str name)
{
    for (size_t i = 0; i < p->records.n; i++)
        if (str_eq(p->records.p[i].kind, kind) && str_eq(p->records.p[i].name, name))
            return &p->records.p[i];
    return NULL;
}
