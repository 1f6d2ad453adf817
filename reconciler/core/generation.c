/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/generation.h"

#include "base/map.h"

struct maker {
    struct arena *a;
    const struct plan *plan;
    const struct plan_item *const *last; /* switch of each group so far */
    const struct plan_group *mine;       /* that switches now .. */
    const struct plan_item *flip;        /* .. by this one */
    struct map groups;                   /* service -> its group, where that switches */
    struct map members;                  /* of the switch: service -> {service, to, from} */
    struct map shared;                   /* the same of all switches with a share */
    struct map before;                   /* place -> its route as it was */
    struct generation made;
};

static const struct plan_item *switch_of(const struct maker *m, const struct plan_group *g)
{
    return g == m->mine ? m->flip : m->last[g - m->plan->groups.p];
}

static enum plan_way way_of(const struct maker *m, const struct plan_group *g)
{
    return plan_item_way(switch_of(m, g));
}

static const struct plan_group *group_of(const struct maker *m, const struct plan_route *r)
{
    return r ? map_find(&m->groups, r->service) : NULL;
}

/* The group of who is wanted there decides, else that of who was there; without both a plan that moves routes
 * alone, which has one group. */
static const struct plan_group *group_that_decides(const struct maker *m,
                                                   const struct plan_route *wanted,
                                                   const struct plan_route *before)
{
    const struct plan_group *g = group_of(m, wanted);

    if (!g)
        g = group_of(m, before);
    return !g && !m->mine->services.n ? m->mine : g;
}

static int is_away(const struct maker *m, const struct plan_route *r)
{
    const struct plan_group *g = group_of(m, r);

    return g && way_of(m, g) == WAY_AWAY;
}

/* A member without a set on the side it goes to serves nothing. */
static void add_route(struct maker *m, const struct plan_route *r)
{
    const struct value *member = map_find(&m->members, r->service);
    struct str set = value_get_text(
        member, plan_item_way(m->flip) == WAY_BACK ? S("from") : S("to"), STR_NONE);
    struct generation_route *slot;

    if (is_away(m, r) || (member && !set.p))
        return;
    slot = vec_push(m->a, &m->made);
    if (slot)
        *slot = (struct generation_route){ .route = r, .set = set };
}

static void add_shared(struct maker *m, const struct plan_route *wanted,
                       const struct plan_route *before, int64_t share)
{
    struct str to = wanted
                        ? value_get_text(map_find(&m->shared, wanted->service), S("to"), STR_NONE)
                        : STR_NONE;
    struct generation_route *slot = before || to.p ? vec_push(m->a, &m->made) : NULL;

    if (!slot)
        return;
    *slot = (struct generation_route){ .route = before ? before : wanted };
    if (before && to.p)
        slot->share = (struct generation_share){ wanted->service, to, share };
    else if (!before)
        slot->set = to;
}

/* Who goes away leaves its place to the other side, where there is one. */
static void add_place(struct maker *m, const struct plan_route *wanted,
                      const struct plan_route *before)
{
    const struct plan_group *g = group_that_decides(m, wanted, before);
    enum plan_way way = g ? way_of(m, g) : WAY_FORWARD;
    int moved = way == WAY_FORWARD || way == WAY_AWAY;
    const struct plan_route *first = moved ? wanted : before, *second = moved ? before : wanted;
    int64_t share = g ? plan_item_share(switch_of(m, g)) : PLAN_SHARE_ALL;

    if (share < PLAN_SHARE_ALL)
        add_shared(m, wanted, before && is_away(m, before) ? NULL : before, share);
    else if (first)
        add_route(m, is_away(m, first) && second ? second : first);
}

static void index_groups(struct maker *m)
{
    map_init(&m->groups, m->a);
    for (size_t g = 0; g < m->plan->groups.n; g++) {
        struct plan_group *group = &m->plan->groups.p[g];

        for (size_t i = 0; group->is_switching && i < group->services.n; i++)
            map_put(&m->groups, group->services.p[i], group);
    }
}

static void index_members(struct map *ret, const struct plan_item *flip)
{
    const struct value *members = value_get(flip->desired, S("members"));

    for (size_t i = 0; i < value_count(members); i++) {
        struct value *member = members->u.list.items[i];

        map_put(ret, value_get_text(member, S("service"), S("")), member);
    }
}

static void index_switches(struct maker *m)
{
    map_init(&m->members, m->a);
    map_init(&m->shared, m->a);
    if (plan_item_share(m->flip) == PLAN_SHARE_ALL)
        index_members(&m->members, m->flip);
    for (size_t g = 0; g < m->plan->groups.n; g++) {
        const struct plan_item *flip = switch_of(m, &m->plan->groups.p[g]);

        if (plan_item_share(flip) < PLAN_SHARE_ALL)
            index_members(&m->shared, flip);
    }
}

static void make_places(struct maker *m)
{
    const struct plan *p = m->plan;
    struct map wanted;

    map_init(&m->before, m->a);
    map_init(&wanted, m->a);
    for (size_t i = 0; i < p->routes_before.n; i++)
        map_put(&m->before, plan_route_key(m->a, &p->routes_before.p[i]), &p->routes_before.p[i]);
    for (size_t i = 0; i < p->routes.n; i++) {
        struct str key = plan_route_key(m->a, &p->routes.p[i]);

        map_put(&wanted, key, NULL);
        add_place(m, &p->routes.p[i], map_find(&m->before, key));
    }
    for (size_t i = 0; i < m->before.n; i++)
        if (!map_has(&wanted, m->before.entries[i].key))
            add_place(m, NULL, m->before.entries[i].value);
}

void generation_note(const struct plan *p, size_t item, const struct plan_item **last)
{
    const struct plan_item *x = &p->items.p[item];

    if (x->action == PLAN_SWITCH && x->group >= 0)
        last[x->group] = x;
}

int generation_make(struct arena *a, const struct plan *p, size_t item,
                    const struct plan_item *const *last, struct generation *ret, struct err *err)
{
    struct maker m = { .a = a, .plan = p, .last = last };

    m.flip = item + 1 < p->items.n ? &p->items.p[item + 1] : NULL;
    if (!m.flip || m.flip->action != PLAN_SWITCH || m.flip->group < 0 ||
        value_get_int(m.flip->desired, S("routes_item"), -1) != (int64_t)item)
        return err_set(err, ERR_CORRUPT, "no switch stands behind item %zu", item);
    m.mine = &p->groups.p[m.flip->group];
    index_groups(&m);
    index_switches(&m);
    make_places(&m);
    *ret = m.made;
    return arena_status(a, err);
}
