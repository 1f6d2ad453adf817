/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "reconciler/core/identity.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/rollout_items.h"
#include "specs/digest.h"

/* --- who switches as one ------------------------------------------------------------------------- */

/* Nodes of the graph under one name each. */
static size_t find_root(size_t *roots, size_t i)
{
    while (roots[i] != i)
        i = roots[i] = roots[roots[i]];
    return i;
}

/* Services that roll and need each other, directly or through others, are one group: every need joins its
 * two sides that stands between one that rolls, above, and one that rolls, below. */
static void join_nodes(struct planner *p, size_t *roots)
{
    const struct graph *g = &p->ties;
    unsigned char *rolls = arena_new_n(p->low.a, unsigned char, g->n + 1), *above, *below;

    if (!rolls)
        return; /* the arena remembers */
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].fate == FATE_ROLL && p->subjects.p[i].node < g->n)
            rolls[p->subjects.p[i].node] = 1;
    above = graph_spread(p->low.a, g, rolls, GRAPH_DOWN);
    below = graph_spread(p->low.a, g, rolls, GRAPH_UP);
    for (size_t i = 0; above && below && i < g->n; i++)
        for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
            if (above[i] && below[g->to[e]])
                roots[find_root(roots, i)] = find_root(roots, g->to[e]);
}

/* The first of a group by name leads it; the others follow in a chain. */
static void link_groups(struct planner *p)
{
    size_t n = p->graph.n, *roots = arena_new_n(p->low.a, size_t, n + 1),
           *last = arena_new_n(p->low.a, size_t, n + 1);

    if (!roots || !last)
        return; /* the arena remembers */
    for (size_t i = 0; i < n; i++) {
        roots[i] = i;
        last[i] = p->subjects.n;
    }
    join_nodes(p, roots);
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct subject *x = &p->subjects.p[i];
        size_t root = x->fate == FATE_ROLL && x->node < n ? find_root(roots, x->node) : n;

        x->leader = i;
        x->next = p->subjects.n;
        if (root == n)
            continue;
        if (last[root] < i) {
            x->leader = p->subjects.p[last[root]].leader;
            p->subjects.p[last[root]].next = i;
        }
        last[root] = i;
    }
}

/* Whose each route is, so that no group looks through those of all. */
static void deal_routes(struct planner *p)
{
    for (size_t r = 0; r < p->plan->routes.n; r++) {
        struct subject *x = planner_find_subject(p, p->plan->routes.p[r].service);
        size_t *slot = x ? vec_push(p->low.a, &x->routes) : NULL;

        if (slot)
            *slot = r;
    }
}

static int compare_indexes(const void *a, const void *b)
{
    const size_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static struct value *routes_of_group(struct planner *p, size_t leader)
{
    struct value *list = value_list(p->low.a);
    VEC(size_t) all = { 0 };

    for (size_t i = leader; i < p->subjects.n; i = p->subjects.p[i].next)
        for (size_t r = 0; r < p->subjects.p[i].routes.n; r++) {
            size_t *slot = vec_push(p->low.a, &all);

            if (slot)
                *slot = p->subjects.p[i].routes.p[r];
        }
    if (all.n)
        qsort(all.p, all.n, sizeof(all.p[0]), compare_indexes);
    for (size_t i = 0; i < all.n; i++)
        value_add(p->low.a, list, plan_route_value(p->low.a, &p->plan->routes.p[all.p[i]]));
    return list;
}

/* Its set, what is released for it, what verifies it and the jobs that end before it: one of these that was mended is
 * another change. */
static struct str member_word(struct planner *p, const struct subject *x)
{
    struct arena *a = p->low.a;
    const struct member *m = &x->m;
    const struct value *verify = value_get(m->desired, S("verify"));
    struct digest digest;
    struct sb b;

    if (!m->desired)
        return S("gone");
    sb_init(&b, a);
    sb_add(&b, digest_hex(a, &m->set_key));
    if (value_get(m->desired, S("release"))) {
        digest = identity_release_key(a, m->desired);
        sb_addf(&b, "+%.*s", STR_ARG(digest_hex(a, &digest)));
    }
    if (verify) {
        digest = digest_value(a, S("verify"), verify);
        sb_addf(&b, "?%.*s", STR_ARG(digest_hex(a, &digest)));
    }
    for (size_t i = 0; i < x->jobs.n; i++) {
        digest = digest_value(a, S("job"), plan_depends_desired(p, x->jobs.p[i]));
        sb_addf(&b, "!%.*s", STR_ARG(digest_hex(a, &digest)));
    }
    return sb_str(&b);
}

/* What quarantine remembers of a group: sorted set keys and routes; replicas where they alone change. */
static struct digest group_digest(struct planner *p, size_t leader)
{
    struct arena *a = p->low.a;
    struct value *sets = value_map(a), *all = value_map(a);

    for (size_t i = leader; i < p->subjects.n; i = p->subjects.p[i].next) {
        const struct subject *x = &p->subjects.p[i];

        value_set_text(a, sets, x->m.service, member_word(p, x));
    }
    if (p->subjects.p[leader].fate == FATE_SCALE)
        value_set_int(a, all, S("replicas"), p->subjects.p[leader].m.replicas);
    value_set(a, all, S("sets"), sets);
    value_set(a, all, S("routes"), routes_of_group(p, leader));
    return digest_value(a, S("group"), all);
}

static int is_leader(const struct planner *p, size_t i)
{
    return p->subjects.p[i].leader == i && p->subjects.p[i].fate > FATE_SETTINGS;
}

/* By what is wanted, before anything is kept: the name that a quarantine remembers is the one that keeps it out. */
static void name_groups(struct planner *p)
{
    p->plan->routes_wanted = plan_routes_digest(p->low.a, &p->plan->routes);
    for (size_t i = 0; i < p->subjects.n; i++)
        if (is_leader(p, i))
            p->subjects.p[i].group_digest = group_digest(p, i);
}

/* --- quarantine ---------------------------------------------------------------------------------- */

static const struct rec_quarantine *find_quarantine(struct planner *p, struct digest d)
{
    for (size_t i = 0; i < p->s->n_quarantines; i++)
        if (digest_eq(&p->s->quarantines[i].group_digest, &d))
            return &p->s->quarantines[i];
    return NULL;
}

int plan_groups_is_quarantined(struct planner *p, struct digest name)
{
    return !planner_is_asked(p) && find_quarantine(p, name);
}

static void note_quarantine(struct planner *p, const struct rec_quarantine *q)
{
    planner_note(
        p, str_fmt(p->low.a, "quarantined: %.*s (%.*s)", STR_ARG(q->culprit), STR_ARG(q->reason)));
}

/* A quarantined group stays as it is: its members are taken out of this plan. */
static void keep_quarantined(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct rec_quarantine *q;

        if (!is_leader(p, i))
            continue;
        q = find_quarantine(p, p->subjects.p[i].group_digest);
        if (!q)
            continue;
        note_quarantine(p, q);
        for (size_t j = i; j < p->subjects.n; j = p->subjects.p[j].next)
            plan_subjects_keep(&p->subjects.p[j]);
    }
}

/* Nor do routes move that somebody moved back: as wanted, whatever else is kept. */
static const struct rec_quarantine *find_routes_quarantine(struct planner *p)
{
    if (planner_only_repairs(p) || !plan_routes_differ(p))
        return NULL;
    return find_quarantine(p, p->plan->routes_wanted);
}

/* A person who asks for a proven revision gets it. */
static void keep_what_is_quarantined(struct planner *p)
{
    const struct rec_quarantine *routes;

    if (!p->s->n_quarantines || planner_is_asked(p))
        return;
    routes = find_routes_quarantine(p);
    keep_quarantined(p);
    if (!routes)
        return;
    note_quarantine(p, routes);
    plan_routes_keep(p);
}

/* --- the groups ---------------------------------------------------------------------------------- */

struct plan_group *plan_groups_add(struct planner *p, int *ret_index)
{
    struct plan_group *g = vec_push(p->low.a, &p->plan->groups);

    *ret_index = (int)p->plan->groups.n - 1;
    if (g)
        g->auto_revert = 1;
    return g;
}

static int release_asks(const struct planner *p, const struct member *m)
{
    struct str run = value_get_text(value_get(m->desired, S("release")), S("run"), S(""));

    return str_eq_c(run, "manual") && rollout_items_runs_release(&p->low, m);
}

static void take_member(struct planner *p, struct plan_group *g, struct subject *x, int index)
{
    const struct value *rollout = value_get(x->m.desired, S("rollout"));
    struct str *slot = vec_push(p->low.a, &g->services);

    x->group = index;
    if (slot)
        *slot = x->m.service;
    if (rollout_items_is_one_way(&p->low, &x->m) && rollout_items_runs_release(&p->low, &x->m))
        g->is_one_way = 1;
    if (g->is_one_way || !value_get_bool(rollout, S("auto_revert"), 1))
        g->auto_revert = 0;
    if (x->fate != FATE_SCALE && (x->m.live || x->was) && p->s->cause == PLAN_CAUSE_COMMIT &&
        !value_get_bool(rollout, S("auto_promote"), 1))
        g->holds = 1;
    if (release_asks(p, &x->m))
        g->asks_release = 1;
}

void plan_groups_make(struct planner *p)
{
    link_groups(p);
    deal_routes(p);
    name_groups(p);
    keep_what_is_quarantined(p);
    plan_routes_keep_places(p);
    plan_subjects_keep_needed(p);
    plan_routes_keep_addresses(p);
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct plan_group *g;
        int index;

        if (!is_leader(p, i))
            continue;
        g = plan_groups_add(p, &index);
        if (!g)
            return;
        for (size_t j = i; j < p->subjects.n; j = p->subjects.p[j].next)
            take_member(p, g, &p->subjects.p[j], index);
        g->digest = p->subjects.p[i].group_digest;
    }
}

/* --- their order --------------------------------------------------------------------------------- */

static void add_order(struct planner *p, struct group_orders *orders, int waits, int on)
{
    struct group_order *o = waits == on ? NULL : vec_push(p->low.a, orders);

    if (o)
        *o = (struct group_order){ waits, on };
}

static int compare_orders(const void *a, const void *b)
{
    const struct group_order *x = a, *y = b;

    return x->waits != y->waits ? (x->waits > y->waits) - (x->waits < y->waits)
                                : (x->on > y->on) - (x->on < y->on);
}

/* It changes without a second set, and not with others. */
static int is_alone(const struct subject *x)
{
    return x->fate == FATE_RECREATE || x->fate == FATE_ROLLING;
}

/* What needs it waits, and it waits for what it needs: what is recreated is down for a while. */
static void order_alone(struct planner *p, struct group_orders *orders)
{
    int is_needed = 0;

    for (size_t i = 0; i < p->subjects.n; i++)
        is_needed |= is_alone(&p->subjects.p[i]);
    for (size_t i = 0; is_needed && i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];
        const unsigned char *marks;

        if (x->fate != FATE_ROLL && !is_alone(x))
            continue;
        marks = graph_mark(&p->ties, x->node);
        for (size_t j = 0; j < p->subjects.n; j++) {
            const struct subject *y = &p->subjects.p[j];

            if (y->node < p->graph.n && marks[y->node] &&
                (is_alone(y) || (is_alone(x) && y->fate == FATE_ROLL)))
                add_order(p, orders, x->group, y->group);
        }
    }
}

/* What goes is taken away after everything that needed it moved off. */
static void order_removed(struct planner *p, struct group_orders *orders)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];
        struct map names;

        if (x->group < 0)
            continue;
        map_init(&names, p->low.a);
        plan_subjects_needed_before(x, &names);
        for (size_t j = 0; j < names.n; j++) {
            const struct subject *y = planner_find_subject(p, names.entries[j].key);

            if (y && y->fate == FATE_REMOVE)
                add_order(p, orders, y->group, x->group);
        }
    }
}

/* And after who takes over its places serves them: until then nobody else would. */
static void order_replaced(struct planner *p, struct group_orders *orders)
{
    const struct plan_routes *wanted = &p->plan->routes, *were = &p->plan->routes_before;
    struct map gone;

    map_init(&gone, p->low.a);
    for (size_t i = 0; i < were->n; i++) {
        struct subject *y = planner_find_subject(p, were->p[i].service);

        if (y && y->fate == FATE_REMOVE)
            map_put(&gone, plan_route_key(p->low.a, &were->p[i]), y);
    }
    for (size_t i = 0; gone.n && i < wanted->n; i++) {
        const struct subject *y = map_find(&gone, plan_route_key(p->low.a, &wanted->p[i])),
                             *x = planner_find_subject(p, wanted->p[i].service);

        if (y && x && x->group >= 0)
            add_order(p, orders, y->group, x->group);
    }
}

/* And after who has its name from now on, whatever it served. */
static void order_renamed(struct planner *p, struct group_orders *orders)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *y = &p->subjects.p[i];

        if (y->fate == FATE_REMOVE && y->becomes && y->becomes->group >= 0)
            add_order(p, orders, y->group, y->becomes->group);
    }
}

/* A group that stands on both sides of another cannot wait for it: neither does. */
struct group_orders plan_groups_order(struct planner *p)
{
    struct group_orders all = { 0 }, ret = { 0 };

    order_alone(p, &all);
    order_removed(p, &all);
    order_replaced(p, &all);
    order_renamed(p, &all);
    if (all.n)
        qsort(all.p, all.n, sizeof(all.p[0]), compare_orders);
    for (size_t i = 0; i < all.n; i++) {
        const struct group_order *o = &all.p[i], back = { o->on, o->waits };

        if ((i && !compare_orders(o - 1, o)) ||
            bsearch(&back, all.p, all.n, sizeof(back), compare_orders))
            continue;
        add_order(p, &ret, o->waits, o->on);
    }
    return ret;
}
