/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_switch.h"

/* How the rows of the members move when this is done: {moves, share, members: [{service, to, from, leaves}]}. */
static struct value *flip_desired(struct lowering *low, const struct member *members, size_t n,
                                  enum plan_way way)
{
    struct arena *a = low->a;
    struct value *desired = value_map(a), *list = value_list(a);

    value_set_text(a, desired, S("moves"), str_from_c(plan_way_name(way)));
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("service"), members[i].service);
        if (members[i].desired)
            value_set_text(a, one, S("to"), digest_hex(a, &members[i].set_key));
        if (members[i].live)
            value_set_text(a, one, S("from"), digest_hex(a, &members[i].live->set_key));
        if (members[i].is_leaving)
            value_set(a, one, S("leaves"), value_bool(a, 1));
        value_add(a, list, one);
    }
    value_set(a, desired, S("members"), list);
    return desired;
}

static struct flip add_switch(struct lane *l, const struct member *members, size_t n,
                              enum plan_way way, int64_t share)
{
    struct lowering *low = l->low;
    struct value *moves = flip_desired(low, members, n, way);
    struct flip made;

    if (share < PLAN_SHARE_ALL)
        value_set_int(low->a, moves, S("share"), share);

    made.routes = rollout_items_add(l, 6,
                                    (struct plan_item){
                                        .action = PLAN_CREATE,
                                        .kind = S("routes"),
                                        .name = S("next"),
                                        .provider = low->s->edge_provider,
                                        .desired = value_map(low->a),
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
                           enum plan_way way)
{
    size_t at;

    rollout_items_step(l);
    at = rollout_items_mark(l, 6, way == WAY_BACK ? S("flip-back") : S("flip"),
                            flip_desired(l->low, members, n, way));
    rollout_items_step(l);
    return at;
}

struct flip rollout_switch(struct lane *l, const struct member *members, size_t n,
                           enum plan_way way)
{
    struct flip made = { ROLLOUT_NO_ITEM, ROLLOUT_NO_ITEM };

    rollout_items_step(l);
    if (!n || rollout_switch_is_routed(members, n))
        made = add_switch(l, members, n, way, PLAN_SHARE_ALL);
    else if (way != WAY_AWAY)
        made.routes = made.flip = rollout_switch_rows(l, members, n, way);
    rollout_items_step(l);
    return made;
}

struct flip rollout_switch_share(struct lane *l, const struct member *members, size_t n,
                                 int64_t share)
{
    struct flip made;

    rollout_items_step(l);
    made = add_switch(l, members, n, WAY_FORWARD, share);
    rollout_items_step(l);
    return made;
}
