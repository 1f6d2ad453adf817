/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/generation.h"

#include "base/map.h"

struct maker {
    struct arena *a;
    const struct plan *plan;
    const enum plan_way *ways;     /* of the groups so far */
    const struct plan_group *mine; /* that switches now */
    enum plan_way way;
    struct map groups;  /* service -> its group, where that switches */
    struct map members; /* of the switch: service -> {service, to, from} */
    struct map before;  /* place -> its route as it was */
    struct generation made;
};

static enum plan_way way_of(const struct maker *m, const struct plan_group *g)
{
    return g == m->mine ? m->way : m->ways[g - m->plan->groups.p];
}

static const struct plan_group *group_of(const struct maker *m, const struct plan_route *r)
{
    return r ? map_find(&m->groups, r->service) : NULL;
}

/* The group of who is wanted there decides, else that of who was there; without both a plan that moves routes
 * alone, which has one group. */
static int is_moved(const struct maker *m, const struct plan_route *wanted,
                    const struct plan_route *before)
{
    const struct plan_group *g = group_of(m, wanted);
    enum plan_way way;

    if (!g)
        g = group_of(m, before);
    if (!g && !m->mine->services.n)
        g = m->mine;
    way = g ? way_of(m, g) : WAY_FORWARD;
    return way == WAY_FORWARD || way == WAY_AWAY;
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
    struct str set = value_get_text(member, m->way == WAY_BACK ? S("from") : S("to"), STR_NONE);
    struct generation_route *slot;

    if (is_away(m, r) || (member && !set.p))
        return;
    slot = vec_push(m->a, &m->made);
    if (slot)
        *slot = (struct generation_route){ r, set };
}

/* Who goes away leaves its place to the other side, where there is one. */
static void add_place(struct maker *m, const struct plan_route *wanted,
                      const struct plan_route *before)
{
    int moved = is_moved(m, wanted, before);
    const struct plan_route *first = moved ? wanted : before, *second = moved ? before : wanted;

    if (!first)
        return;
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

static void index_members(struct maker *m, const struct value *members)
{
    map_init(&m->members, m->a);
    for (size_t i = 0; i < value_count(members); i++) {
        struct value *member = members->u.list.items[i];

        map_put(&m->members, value_get_text(member, S("service"), S("")), member);
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

static enum plan_way way_of_item(const struct plan_item *item)
{
    return plan_way_from_name(value_get_text(item->desired, S("moves"), S("")));
}

void generation_note(const struct plan *p, size_t item, enum plan_way *ways)
{
    const struct plan_item *x = &p->items.p[item];

    if (x->action == PLAN_SWITCH && x->group >= 0)
        ways[x->group] = way_of_item(x);
}

int generation_make(struct arena *a, const struct plan *p, size_t item, const enum plan_way *ways,
                    struct generation *ret, struct err *err)
{
    struct maker m = { .a = a, .plan = p, .ways = ways };
    const struct plan_item *flip = item + 1 < p->items.n ? &p->items.p[item + 1] : NULL;

    if (!flip || flip->action != PLAN_SWITCH || flip->group < 0 ||
        value_get_int(flip->desired, S("routes_item"), -1) != (int64_t)item)
        return err_set(err, ERR_CORRUPT, "no switch stands behind item %zu", item);
    m.mine = &p->groups.p[flip->group];
    m.way = way_of_item(flip);
    index_groups(&m);
    index_members(&m, value_get(flip->desired, S("members")));
    make_places(&m);
    *ret = m.made;
    return arena_status(a, err);
}
