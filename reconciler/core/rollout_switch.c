/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_switch.h"

#include <stdlib.h>

#include "reconciler/core/share.h"

static int compare_members(const void *a, const void *b)
{
    return str_cmp(((const struct member *)a)->service, ((const struct member *)b)->service);
}

static const struct member *find_member(const struct member *members, size_t n, struct str service)
{
    const struct member key = { .service = service };

    return n ? bsearch(&key, members, n, sizeof(*members), compare_members) : NULL;
}

/* The route as it stands, or served by this set. */
static void add_route(struct arena *a, struct value *list, const struct route *r,
                      const struct digest *set)
{
    struct value *one;

    if (!set) {
        value_add(a, list, share_value(r->v));
        return;
    }
    one = value_map(a);
    for (size_t i = 0; i < value_count(r->v); i++)
        value_set(a, one, r->v->u.map.entries[i].key, r->v->u.map.entries[i].value);
    value_set_text(a, one, S("set"), digest_hex(a, set));
    value_add(a, list, one);
}

static void routes_forward(struct lowering *low, const struct member *members, size_t n,
                           enum switch_way way, struct value *list)
{
    for (size_t i = 0; i < low->routes.n; i++) {
        const struct route *r = &low->routes.p[i];
        const struct member *m = find_member(members, n, r->service);

        if (m && (way == WAY_AWAY || !m->desired))
            continue;
        add_route(low->a, list, r, m ? &m->set_key : NULL);
    }
}

/* The places that belong to a member, before or after: they go back to what they were. */
static void mark_places(const struct route_list *routes, const struct member *members, size_t n,
                        struct map *ret)
{
    for (size_t i = 0; i < routes->n; i++)
        if (!n || find_member(members, n, routes->p[i].service))
            map_put(ret, routes->p[i].key, NULL);
}

static void routes_back(struct lowering *low, const struct member *members, size_t n,
                        struct value *list)
{
    struct map places;

    map_init(&places, low->a);
    mark_places(&low->routes, members, n, &places);
    mark_places(&low->routes_before, members, n, &places);
    for (size_t i = 0; i < low->routes_before.n; i++) {
        const struct route *r = &low->routes_before.p[i];
        const struct member *m = find_member(members, n, r->service);

        if (map_has(&places, r->key) && (!m || m->live))
            add_route(low->a, list, r, m ? &m->live->set_key : NULL);
    }
    for (size_t i = 0; i < low->routes.n; i++)
        if (!map_has(&places, low->routes.p[i].key))
            add_route(low->a, list, &low->routes.p[i], NULL);
}

/* How the rows of the members move when this is done: {moves, members: [{service, to, from}]}. */
static struct value *flip_desired(struct lowering *low, const struct member *members, size_t n,
                                  enum switch_way way)
{
    static const char *const names[] = { "forward", "back", "away" };
    struct arena *a = low->a;
    struct value *desired = value_map(a), *list = value_list(a);

    value_set_text(a, desired, S("moves"), str_from_c(names[way]));
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("service"), members[i].service);
        if (members[i].desired)
            value_set_text(a, one, S("to"), digest_hex(a, &members[i].set_key));
        if (members[i].live)
            value_set_text(a, one, S("from"), digest_hex(a, &members[i].live->set_key));
        value_add(a, list, one);
    }
    value_set(a, desired, S("members"), list);
    return desired;
}

static struct flip add_switch(struct lane *l, const struct member *members, size_t n,
                              enum switch_way way)
{
    struct lowering *low = l->low;
    struct value *desired = value_map(low->a), *list = value_list(low->a);
    struct value *moves = flip_desired(low, members, n, way);
    struct flip made;

    if (way == WAY_BACK)
        routes_back(low, members, n, list);
    else
        routes_forward(low, members, n, way, list);
    value_set(low->a, desired, S("routes"), list);
    made.routes = rollout_items_add(l, 6,
                                    (struct plan_item){
                                        .action = PLAN_CREATE,
                                        .kind = S("routes"),
                                        .name = S("next"),
                                        .provider = low->s->edge_provider,
                                        .desired = desired,
                                    });
    rollout_items_step(l);
    value_set_int(low->a, moves, S("routes_item"), (int64_t)made.routes);
    made.flip = rollout_items_add(l, 6,
                                  (struct plan_item){
                                      .action = PLAN_SWITCH,
                                      .kind = S("switch"),
                                      .name = low->s->env.name,
                                      .provider = low->s->edge_provider,
                                      .desired = moves,
                                  });
    return made;
}

int rollout_switch_is_routed(const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((members[i].desired && members[i].is_routed) ||
            (members[i].live && members[i].live->backend.p))
            return 1;
    return 0;
}

size_t rollout_switch_rows(struct lane *l, const struct member *members, size_t n,
                           enum switch_way way)
{
    size_t at;

    rollout_items_step(l);
    at = rollout_items_mark(l, 6, way == WAY_BACK ? S("flip-back") : S("flip"),
                            flip_desired(l->low, members, n, way));
    rollout_items_step(l);
    return at;
}

struct flip rollout_switch(struct lane *l, const struct member *members, size_t n,
                           enum switch_way way)
{
    struct flip made = { ROLLOUT_NO_ITEM, ROLLOUT_NO_ITEM };

    rollout_items_step(l);
    if (!n || rollout_switch_is_routed(members, n))
        made = add_switch(l, members, n, way);
    else if (way != WAY_AWAY)
        made.routes = made.flip = rollout_switch_rows(l, members, n, way);
    rollout_items_step(l);
    return made;
}
