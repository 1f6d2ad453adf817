/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout.h"

#include "reconciler/core/rollout_canary.h"
#include "reconciler/core/rollout_standby.h"
#include "reconciler/core/rollout_steps.h"

/* --- a blue-green group -------------------------------------------------------------------------- */

static void lower_green(struct lane *l, const struct member *members, size_t n,
                        struct rollout_made *made)
{
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            rollout_items_build(l, &members[i]);
    rollout_items_step(l);
    rollout_steps_clear(l, 2, members, n);
    rollout_steps_make(l, members, n, made);
}

/* What is under way in it ends before it rests. */
static void lower_rest(struct lane *l, const struct member *m)
{
    if (m->live->backend.p)
        rollout_items_drained(l, 10, m, m->before, &m->live->set_key);
    rollout_items_step(l);
    rollout_standby_rest(l, m);
}

/* Steps 9 to 11 of one member. A person who undid a set does not want it back; a standby that is
 * stopped is not kept running. */
static void lower_tail(struct lowering *low, int group, size_t proven, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_TAIL, group);
    int is_kept = low->s->cause != PLAN_CAUSE_UNDO && !m->lets_go &&
                  !rollout_standby_is(m, "stopped");
    int rests = is_kept && rollout_standby_is(m, "frozen");

    rollout_items_after(&l, proven);
    if (rests)
        lower_rest(&l, m);
    if (is_kept)
        rollout_items_keep(&l, m);
    rollout_items_step(&l);
    if (m->live->backend.p && !rests)
        rollout_items_drained(&l, 10, m, m->before, &m->live->set_key);
    rollout_items_step(&l);
    rollout_items_stop_set(&l, 11, m, m->before, m->live);
}

/* The wanted sets go, made or warm; each item only after the one that made what it takes away. */
static void lower_stop_green(struct lane *l, const struct member *members,
                             const struct rollout_made *made)
{
    for (size_t i = 0; i < made->instances.n; i++) {
        const struct member *m = &members[i];

        if (m->warm) {
            rollout_items_stop_set(l, 11, m, m->desired, m->warm);
            continue;
        }
        rollout_items_stop(l, 11, m, m->desired, &m->set_key, (struct span){ 0, m->replicas },
                           made->instances.p[i]);
        if (made->backends.p[i] != ROLLOUT_NO_ITEM) {
            l->only_after = (int)made->backends.p[i];
            (void)rollout_items_drop_backend(l, 11, m, &m->set_key);
            l->only_after = -1;
        }
    }
    rollout_items_step(l);
}

static void lower_revert(struct lowering *low, int group, const struct rollout_made *made,
                         const struct member *members, size_t n)
{
    struct lane l = rollout_items_lane(low, LANE_REVERT, group);

    l.only_after = (int)made->flip.flip;
    (void)rollout_switch(&l, members, n, WAY_BACK);
    rollout_items_recover(&l, members, n, S("rollout.min_healthy_time_ms"));
    rollout_items_step(&l);
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];

        l.only_after = m->warm ? -1 : (int)made->flip.flip; /* a warm set may drain already */
        if (m->warm ? m->warm->backend.p != NULL : m->is_routed)
            rollout_items_drained(&l, 10, m, m->desired, &m->set_key);
    }
    l.only_after = -1;
    rollout_verify_drop(&l, &made->verified);
    rollout_items_step(&l);
    lower_stop_green(&l, members, made);
    if (made->flip.routes != made->flip.flip) {
        l.only_after = (int)made->flip.routes;
        rollout_items_drop_routes(&l, made->n_switches + 1);
        l.only_after = -1;
    }
    (void)rollout_items_mark(&l, 8, S("reverted"), NULL);
}

/* Every set that is undone to is whole: traffic first, questions never. */
static int is_pointer_swap(const struct lowering *low, const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            return 0;
    return low->s->cause == PLAN_CAUSE_UNDO;
}

static void lower_swap(struct lane *l, const struct member *members, size_t n,
                       struct rollout_made *made)
{
    for (size_t i = 0; i < n; i++)
        rollout_steps_note(l->low->a, made, ROLLOUT_NO_ITEM, ROLLOUT_NO_ITEM);
    made->flip = rollout_switch(l, members, n, WAY_FORWARD);
    made->n_switches = 1;
}

/* Steps 1 to 7. */
static void lower_takeover(struct lane *l, const struct member *members, size_t n,
                           struct rollout_made *made)
{
    struct canary canary = rollout_canary_of(l->low, l->group, members, n);
    struct flip flip;

    lower_green(l, members, n, made);
    for (size_t i = 0; i < n; i++)
        rollout_items_ready(l, &members[i], members[i].desired, &members[i].set_key,
                            members[i].warm ? members[i].warm->replicas : members[i].replicas);
    rollout_items_step(l);
    rollout_verify(l, 5, members, n, "before_switch", &made->verified);
    if (!canary.n)
        rollout_items_promote(l, 5, members, n);
    made->flip = rollout_canary_lower(l, &canary, members, n);
    made->n_switches = (int)canary.n + 1;
    flip = rollout_switch(l, members, n, WAY_FORWARD);
    if (!canary.n)
        made->flip = flip;
    rollout_items_bake(l, members, n);
    rollout_verify(l, 7, members, n, "bake", &made->verified);
}

size_t rollout_lower(struct lowering *low, int group, const struct member *members, size_t n)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group);
    struct rollout_made made = { 0 };
    int is_swap = is_pointer_swap(low, members, n);
    size_t proven;

    rollout_standby_wake(&l, members, n);
    if (is_swap)
        lower_swap(&l, members, n, &made);
    else
        lower_takeover(&l, members, n, &made);
    rollout_items_step(&l);
    proven = rollout_items_mark(&l, 8, S("proven"), NULL);

    for (size_t i = 0; i < n; i++)
        if (members[i].live)
            lower_tail(low, group, proven, &members[i]);
    if (is_swap) {
        struct lane tail = rollout_items_lane(low, LANE_TAIL, group);

        rollout_items_after(&tail, proven);
        rollout_steps_clear(&tail, 11, members, n);
    }
    rollout_steps_drop_verified(low, group, proven, &made.verified);
    if (made.flip.routes != made.flip.flip)
        rollout_steps_drop_stale(low, group, proven, made.n_switches);
    if (!low->plan->groups.p[group].is_one_way)
        lower_revert(low, group, &made, members, n);
    return proven;
}

/* --- replicas alone ------------------------------------------------------------------------------ */

static size_t lower_scaled(struct lane *l, const struct member *m)
{
    struct arena *a = l->low->a;
    struct value *scaled = value_map(a);

    rollout_items_step(l);
    value_set_text(a, scaled, S("service"), m->service);
    value_set_text(a, scaled, S("set"), digest_hex(a, &m->live->set_key));
    value_set_int(a, scaled, S("replicas"), m->replicas);
    return rollout_items_mark(l, 8, S("scaled"), scaled);
}

/* Instances of the live set are added, and go again when they do not become ready. */
static size_t lower_scale_up(struct lowering *low, int group, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    const struct digest *key = &m->live->set_key;
    const struct span added = { m->live->replicas, m->replicas };
    size_t first = rollout_items_instances(&l, m, m->desired, key, added), proven;

    rollout_items_step(&l);
    rollout_items_ready(&l, m, m->desired, key, m->replicas);
    rollout_items_step(&l);
    if (m->live->backend.p) {
        back.only_after = (int)rollout_items_backend(&l, 6, PLAN_UPDATE, m, key, added.to);
        (void)rollout_items_backend(&back, 6, PLAN_UPDATE, m, key, added.from);
        rollout_items_step(&back);
        rollout_items_left(&back, 10, m, m->desired, key, key, added);
        rollout_items_step(&back);
        back.only_after = -1;
    }
    proven = lower_scaled(&l, m);
    rollout_items_stop(&back, 11, m, m->desired, key, added, first);
    rollout_items_step(&back);
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return proven;
}

/* Un-routed, drained, stopped: from its first item on it goes to its end. */
static size_t lower_scale_down(struct lowering *low, int group, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    const struct digest *key = &m->live->set_key;
    const struct span gone = { m->replicas, m->live->replicas };
    size_t proven;

    if (m->live->backend.p) {
        back.only_after = (int)rollout_items_backend(&l, 10, PLAN_UPDATE, m, key, gone.from);
        (void)rollout_items_backend(&back, 10, PLAN_UPDATE, m, key, gone.to);
        rollout_items_step(&back);
        back.only_after = -1;
        rollout_items_step(&l);
        rollout_items_left(&l, 10, m, m->desired, key, key, gone);
        rollout_items_step(&l);
    }
    rollout_items_stop(&l, 11, m, m->desired, key, gone, ROLLOUT_NO_ITEM);
    proven = lower_scaled(&l, m);
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return proven;
}

size_t rollout_lower_scale(struct lowering *low, int group, const struct member *m)
{
    return m->replicas > m->live->replicas ? lower_scale_up(low, group, m)
                                           : lower_scale_down(low, group, m);
}

/* --- what goes ----------------------------------------------------------------------------------- */

size_t rollout_lower_remove(struct lowering *low, int group, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    struct flip flip = rollout_switch(&l, m, 1, WAY_AWAY);

    for (size_t i = 0; i < m->n_sets; i++) {
        l.clears = m->sets[i] != m->live;
        if (m->sets[i]->backend.p)
            rollout_items_drained(&l, 10, m, m->before, &m->sets[i]->set_key);
    }
    rollout_items_step(&l);
    for (size_t i = 0; i < m->n_sets; i++) {
        l.clears = m->sets[i] != m->live;
        rollout_items_stop_set(&l, 11, m, m->before, m->sets[i]);
    }
    l.clears = 0;
    rollout_items_step(&l);
    if (flip.flip != ROLLOUT_NO_ITEM) {
        rollout_items_drop_routes(&l, ROLLOUT_STALE_MAX);
        back.only_after = (int)flip.flip;
        (void)rollout_switch(&back, m, 1, WAY_BACK);
        back.only_after = (int)flip.routes;
        rollout_items_drop_routes(&back, ROLLOUT_STALE_MAX);
        back.only_after = -1;
    }
    rollout_items_drop_address(&l, m);
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return rollout_items_mark(&l, 8, S("removed"), NULL);
}

/* --- the other shapes ---------------------------------------------------------------------------- */

size_t rollout_lower_routes(struct lowering *low, int group)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    struct flip flip = rollout_switch(&l, NULL, 0, WAY_FORWARD);
    size_t proven;

    rollout_items_drop_routes(&l, ROLLOUT_STALE_MAX);
    proven = rollout_items_mark(&l, 8, S("routed"), NULL);
    back.only_after = (int)flip.flip;
    (void)rollout_switch(&back, NULL, 0, WAY_BACK);
    back.only_after = (int)flip.routes;
    rollout_items_drop_routes(&back, ROLLOUT_STALE_MAX);
    back.only_after = -1;
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return proven;
}

size_t rollout_lower_unshare(struct lowering *low, int group)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group),
                back = rollout_items_lane(low, LANE_REVERT, group);
    size_t proven;

    (void)rollout_switch(&l, NULL, 0, WAY_BACK);
    rollout_items_drop_routes(&l, ROLLOUT_STALE_MAX);
    proven = rollout_items_mark(&l, 8, S("routed"), NULL);
    (void)rollout_items_mark(&back, 8, S("reverted"), NULL);
    return proven;
}

/* It may come back at another address: its backend is told. */
void rollout_lower_repair(struct lowering *low, const struct observed_instance *lost,
                          const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, -1);

    (void)rollout_items_instance(&l, PLAN_UPDATE, m, m->runs, &lost->rec.set_key,
                                 lost->rec.ordinal);
    rollout_items_step(&l);
    if (m->live->backend.p)
        (void)rollout_items_backend(&l, 0, PLAN_UPDATE, m, &lost->rec.set_key, m->live->replicas);
}

void rollout_lower_leftover(struct lowering *low, const struct rec_set *set, const struct member *m,
                            size_t after)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, -1);
    const struct member alone = { .service = set->service, .provider = S("") };

    if (after != ROLLOUT_NO_ITEM) { /* which tells the backend */
        rollout_items_after(&l, after);
        if (rollout_steps_is_mixed(m, set))
            rollout_steps_leave(&l, 10, m, set);
    } else if (m) {
        rollout_steps_unmix(&l, 10, m, set);
    }
    rollout_items_stop_set(&l, 11, &alone, NULL, set);
}
