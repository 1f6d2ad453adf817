/* Recreate: downtime, and said so. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_steps.h"

struct unmade { /* of the live set */
    struct flip away;
    size_t backend, instances;
};

/* Un-routed, drained, then gone. */
static struct unmade lower_unmake(struct lane *l, const struct member *m)
{
    struct unmade u = { .away = rollout_switch(l, m, 1, WAY_AWAY), .backend = ROLLOUT_NO_ITEM };

    if (m->live->backend.p) {
        rollout_items_drained(l, 10, m, m->before, &m->live->set_key);
        rollout_items_step(l);
        u.backend = rollout_items_drop_backend(l, 11, m, &m->live->set_key);
        rollout_items_step(l);
    }
    u.instances = l->low->plan->items.n;
    rollout_items_stop(l, 11, m, m->before, &m->live->set_key,
                       (struct span){ 0, m->live->replicas }, ROLLOUT_NO_ITEM);
    rollout_items_step(l);
    return u;
}

/* What was stopped is made again, then routed; each item only after the one it takes back. What is
 * new keeps its backend until nothing is routed to it. */
static void lower_remake(struct lane *l, const struct member *m, const struct unmade *u,
                         const struct rollout_made *made)
{
    const struct digest *key = &m->live->set_key;

    rollout_items_stop(l, 11, m, m->desired, &m->set_key, (struct span){ 0, m->replicas },
                       made->instances.p[0]);
    rollout_items_step(l);
    for (int64_t i = 0; i < m->live->replicas; i++) {
        l->only_after = (int)(u->instances + (size_t)i);
        (void)rollout_items_instance(l, PLAN_CREATE, m, m->runs, key, i);
    }
    rollout_items_step(l);
    if (u->backend != ROLLOUT_NO_ITEM) {
        l->only_after = (int)u->backend;
        (void)rollout_items_backend(l, 4, PLAN_CREATE, m, key, m->live->replicas);
        rollout_items_step(l);
    }
    l->only_after = (int)u->instances;
    rollout_items_recover(l, m, 1, S("rollout.healthy_deadline_ms"));
    if (u->away.flip == ROLLOUT_NO_ITEM)
        (void)rollout_switch_rows(l, m, 1, WAY_BACK);
}

static void lower_reroute(struct lane *l, const struct member *m, const struct unmade *u,
                          const struct rollout_made *made)
{
    int was_routed = u->away.flip != ROLLOUT_NO_ITEM;

    if (!was_routed && !m->is_routed)
        return;
    l->only_after = (int)(was_routed ? u->away.flip : made->flip.flip);
    (void)rollout_switch(l, m, 1, WAY_BACK);
    if (made->backends.p[0] != ROLLOUT_NO_ITEM) {
        l->only_after = (int)made->backends.p[0];
        (void)rollout_items_drop_backend(l, 11, m, &m->set_key);
    }
    l->only_after = (int)(was_routed ? u->away.routes : made->flip.routes);
    rollout_items_drop_routes(l, ROLLOUT_STALE_MAX);
}

/* Downtime, and said so: the old set is stopped before the new one is made. Its revert makes it again. */
size_t rollout_lower_recreate(struct lowering *low, int group, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    struct rollout_made made = { 0 };
    struct unmade unmade;
    size_t proven;

    rollout_items_build(&l, m);
    rollout_items_step(&l);
    rollout_steps_clear(&l, 2, m, 1);
    rollout_items_promote(&l, 2, NULL, 0);
    unmade = lower_unmake(&l, m);
    rollout_steps_make(&l, m, 1, &made);
    rollout_items_ready(&l, m, m->desired, &m->set_key, m->replicas);
    rollout_items_step(&l);
    rollout_verify(&l, 5, m, 1, "before_switch", &made.verified);
    made.flip = rollout_switch(&l, m, 1, WAY_FORWARD);
    rollout_items_bake(&l, m, 1);
    rollout_verify(&l, 7, m, 1, "bake", &made.verified);
    rollout_items_step(&l);
    proven = rollout_items_mark(&l, 8, S("proven"), NULL);
    rollout_steps_drop_verified(low, group, proven, &made.verified);
    if (made.flip.routes != made.flip.flip)
        rollout_steps_drop_stale(low, group, proven, 1);
    if (low->plan->groups.p[group].is_one_way || !m->runs || !made.backends.n)
        return proven;

    rollout_verify_drop(&back, &made.verified);
    lower_remake(&back, m, &unmade, &made);
    lower_reroute(&back, m, &unmade, &made);
    back.only_after = -1;
    rollout_items_step(&back);
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return proven;
}
