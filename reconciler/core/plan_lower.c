/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/identity.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/rollout_switch.h"

/* --- addresses ----------------------------------------------------------------------------------- */

/* An address is made once and stays; one that could not be made is made again. The last one needs the others, so that a group needs one item
 * alone: its index comes back. */
static size_t lower_addresses(struct planner *p)
{
    struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);
    size_t last = ROLLOUT_NO_ITEM;

    for (size_t i = 0; i < p->plan->routes.n; i++) {
        struct str service = p->plan->routes.p[i].address;
        const struct recorded *have = estate_find_recorded(&p->estate, S("address"), service);

        if (!service.n || (have && !digest_is_none(&have->digest)))
            continue;
        last = rollout_items_add(&l, 0,
                                 (struct plan_item){
                                     .action = PLAN_CREATE,
                                     .kind = S("address"),
                                     .name = service,
                                     .service = service,
                                     .provider = p->s->edge_provider,
                                     .desired = value_map(p->low.a),
                                 });
    }
    for (size_t i = 0; last != ROLLOUT_NO_ITEM && i < last; i++)
        rollout_items_need(&p->low, last, i);
    return last;
}

/* --- groups -------------------------------------------------------------------------------------- */

static size_t lower_members(struct planner *p, int group, enum fate fate,
                            const struct member *members, size_t n)
{
    switch (fate) {
    case FATE_SAME:
    case FATE_SETTINGS:
        break;
    case FATE_SCALE:
        return rollout_lower_scale(&p->low, group, members);
    case FATE_ROLL:
        return rollout_lower(&p->low, group, members, n);
    case FATE_ROLLING:
        return rollout_lower_rolling(&p->low, group, members);
    case FATE_RECREATE:
        return rollout_lower_recreate(&p->low, group, members);
    case FATE_REMOVE:
        return rollout_lower_remove(&p->low, group, members);
    }
    return ROLLOUT_NO_ITEM; /* not in a group */
}

static void note_proven(struct planner *p, size_t item)
{
    size_t *slot = vec_push(p->low.a, &p->proven);

    if (slot)
        *slot = item;
}

static void lower_group(struct planner *p, int group)
{
    VEC(struct member) members = { 0 };
    const struct plan_group *g = &p->plan->groups.p[group];
    enum fate fate = FATE_SAME;

    for (size_t i = 0; i < g->services.n; i++) {
        const struct subject *x = planner_find_subject(p, g->services.p[i]);
        struct member *m = x ? vec_push(p->low.a, &members) : NULL;

        if (!m)
            return; /* out of memory */
        *m = x->m;
        fate = x->fate; /* of all members the same */
    }
    p->plan->groups.p[group].is_switching = fate != FATE_SCALE &&
                                            rollout_switch_is_routed(members.p, members.n);
    note_proven(p, lower_members(p, group, fate, members.p, members.n));
}

static int any_switches(const struct planner *p)
{
    for (size_t i = 0; i < p->plan->groups.n; i++)
        if (p->plan->groups.p[i].is_switching)
            return 1;
    return 0;
}

/* Routes that no group moves move by themselves. Where those that are wanted are kept out, what is left of them, new
 * addresses, has a name of its own. */
static void lower_routes(struct planner *p)
{
    struct digest name = p->keeps_routes ? plan_routes_digest(p->low.a, &p->plan->routes)
                                         : p->plan->routes_wanted;
    struct plan_group *g;
    int index;

    if (planner_only_repairs(p) || !p->s->edge_provider.p || any_switches(p) ||
        !plan_routes_differ(p) || plan_groups_is_quarantined(p, name))
        return;
    g = plan_groups_add(p, &index);
    if (!g)
        return;
    g->digest = name;
    g->is_switching = 1;
    note_proven(p, rollout_lower_routes(&p->low, index));
}

void plan_lower_group_waits(struct planner *p, int group, size_t item)
{
    const struct plan_group *g = &p->plan->groups.p[group];

    for (size_t i = g->first_item; i < g->first_item + g->n_items; i++) {
        const struct plan_item *x = &p->plan->items.p[i];
        int is_first = x->lane == LANE_MAIN;

        for (size_t j = 0; j < x->needs.n; j++)
            is_first &= x->needs.p[j] < g->first_item ||
                        x->needs.p[j] >= g->first_item + g->n_items;
        if (is_first)
            rollout_items_need(&p->low, i, item);
    }
}

/* A share that nobody rolls out any more is taken back before anything else: its set cannot go while it has one. */
static size_t lower_unshare(struct planner *p)
{
    struct plan_group *g;
    size_t item;
    int index;

    if (!p->s->is_shared || plan_cause_is_of_instances(p->s->cause) || !p->s->edge_provider.p)
        return ROLLOUT_NO_ITEM;
    g = plan_groups_add(p, &index);
    if (!g)
        return ROLLOUT_NO_ITEM;
    g->digest = plan_routes_digest(p->low.a, &p->plan->routes_before);
    g->is_switching = 1;
    item = rollout_lower_unshare(&p->low, index);
    note_proven(p, item);
    return item;
}

static void wait_for_unshare(struct planner *p, size_t unshared)
{
    for (size_t g = 0; unshared != ROLLOUT_NO_ITEM && g + 1 < p->plan->groups.n; g++)
        plan_lower_group_waits(p, (int)g, unshared); /* the last group is that one */
}

static void order_groups(struct planner *p, size_t last_address)
{
    struct group_orders orders = plan_groups_order(p);

    if (plan_index(p->plan))
        return; /* only when memory ran out */
    for (size_t g = 0; last_address != ROLLOUT_NO_ITEM && g < p->plan->groups.n; g++)
        plan_lower_group_waits(p, (int)g, last_address);
    for (size_t i = 0; i < orders.n; i++)
        if ((size_t)orders.p[i].on < p->proven.n)
            plan_lower_group_waits(p, orders.p[i].waits, p->proven.p[orders.p[i].on]);
}

/* --- outside of groups --------------------------------------------------------------------------- */

/* Instances of live sets that nobody lives in any more, unless their service is replaced anyway. */
static void lower_repairs(struct planner *p)
{
    for (size_t i = 0; i < p->estate.n_instances; i++) {
        const struct observed_instance *o = p->estate.instances[i];
        const struct subject *x = o->health == INSTANCE_LOST
                                      ? planner_find_subject(p, o->rec.service)
                                      : NULL;

        if (!x || !x->m.live || !x->m.runs || !plan_subjects_fills(x) ||
            !digest_eq(&x->m.live->set_key, &o->rec.set_key) ||
            (x->fate == FATE_SCALE && o->rec.ordinal >= x->m.replicas))
            continue;
        rollout_lower_repair(&p->low, o, &x->m);
        plan_lines_add_repair(
            p, x,
            identity_instance_name(p->low.a, o->rec.service, &o->rec.set_key, o->rec.ordinal));
    }
}

/* A set is kept by the plan that took its traffic: of one that was recovered nobody knows which. */
static int is_leftover(const struct rec_set *set)
{
    static const char *const states[] = { "making", "ready", "failed" };

    if (str_eq_c(set->state, "previous") && digest_is_none(&set->kept_by))
        return 1;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (str_eq_c(set->state, states[i]))
            return 1;
    return 0;
}

/* What a rollout could not take away; groups clear their own. */
static void lower_left_sets(struct planner *p, size_t unshared)
{
    for (size_t i = 0; i < p->estate.n_sets; i++) {
        const struct rec_set *set = p->estate.sets[i];
        const struct subject *x = planner_find_subject(p, set->service);

        if (!is_leftover(set) || (x && x->fate > FATE_SCALE))
            continue;
        rollout_lower_leftover(&p->low, set, x ? &x->m : NULL,
                               x && x->group >= 0 ? p->proven.p[x->group] : unshared);
        plan_lines_add_leftover(p, S("set"),
                                identity_set_name(p->low.a, set->service, &set->set_key));
    }
}

/* Of services that never were: nothing is routed to them. */
static void lower_left_addresses(struct planner *p)
{
    for (size_t i = 0; i < p->estate.n_recorded; i++) {
        const struct recorded *r = p->estate.recorded[i];
        const struct member m = { .service = r->name, .has_address = 1 };
        struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);

        if (!str_eq_c(r->kind, "address") || planner_find_subject(p, r->name))
            continue;
        rollout_items_drop_address(&l, &m);
        plan_lines_add_leftover(p, r->kind, r->name);
    }
}

static void lower_leftovers(struct planner *p, size_t unshared)
{
    if (p->s->cause != PLAN_CAUSE_COMMIT && p->s->cause != PLAN_CAUSE_ROLLBACK)
        return;
    lower_left_sets(p, unshared);
    lower_left_addresses(p);
}

int plan_lower_is_built(const struct planner *p, struct str provider, struct str key)
{
    for (size_t i = 0; i < p->plan->items.n; i++) {
        const struct plan_item *item = &p->plan->items.p[i];

        if (str_eq_c(item->kind, "artifact") && str_eq(item->provider, provider) &&
            str_eq(value_get_text(item->desired, S("key"), S("")), key))
            return 1;
    }
    return map_has(p->s->artifacts, key);
}

/* A job runs at its time: only what it is built from comes with the plan, unless a service brings it. */
static void lower_jobs(struct planner *p)
{
    for (size_t i = 0; !plan_cause_is_of_instances(p->s->cause) && i < p->estate.n_wanted; i++) {
        const struct spec_resource *r = p->estate.wanted[i];
        const struct member m = { .service = r->name,
                                  .provider = r->provider,
                                  .desired = r->desired };
        struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);
        struct str key = value_get_text(r->desired, S("artifact"), STR_NONE);

        if (str_eq_c(r->kind, "job") && key.p && !plan_lower_is_built(p, r->provider, key))
            rollout_items_build(&l, &m);
    }
}

/* The last item: everything that is not in a group is recorded, the revision is live and proven. */
static void lower_applied(struct planner *p)
{
    struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);
    size_t at = rollout_items_add(&l, 0,
                                  (struct plan_item){
                                      .action = PLAN_MARK,
                                      .kind = S("mark"),
                                      .name = S("applied"),
                                  });

    for (size_t i = 0; i < at; i++)
        if (p->plan->items.p[i].group < 0)
            rollout_items_need(&p->low, at, i);
    for (size_t i = 0; i < p->proven.n; i++)
        rollout_items_need(&p->low, at, p->proven.p[i]);
}

void plan_lower_all(struct planner *p)
{
    size_t last_address, unshared, n_groups = p->plan->groups.n;

    last_address = lower_addresses(p);
    plan_object_items_make(p);
    plan_depends_make(p, last_address);
    plan_object_items_mark_users(p);
    for (size_t g = 0; g < n_groups; g++)
        lower_group(p, (int)g);
    lower_routes(p);
    unshared = lower_unshare(p);
    order_groups(p, last_address);
    wait_for_unshare(p, unshared);
    plan_object_items_order(p);
    plan_depends_order(p);
    plan_object_items_drop(p);
    lower_repairs(p);
    lower_leftovers(p, unshared);
    lower_jobs(p);
    if (p->plan->lines.n || p->plan->items.n)
        lower_applied(p);
    plan_routes_drop(p);
}
