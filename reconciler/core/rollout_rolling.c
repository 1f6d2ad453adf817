/* Rolling: instance by instance, no second set beside the first. SPDX-License-Identifier: Apache-2.0
 *
 *   main    build, clear, release, then batches: new ones made, ready | routed beside what is left of the old | those that
 *           leave drained, stopped. The last batch is left to the switch: the new set gets a backend of its own, what is
 *           live moves, bake, proven; the tail takes away what was left
 *   revert  the switch back where there was one, then each batch backwards: old ones made, ready | routed again | new ones
 *           drained, stopped
 *
 * While it rolls the backend of the live set holds instances of both. New ones are made from ordinal 0 on, old
 * ones stopped from the last on, so that what is left of a set is always its first instances. */
#include "reconciler/core/rollout_steps.h"

struct batch {
    struct span made, gone;
    int64_t kept; /* old ones after it */
    size_t first_made, backend, first_gone;
};

struct rolling {
    struct lowering *low;
    const struct member *m;
    int64_t most; /* in a batch */
    VEC(struct batch) batches;
    struct flip flip;
    size_t backend; /* of the new set */
    struct verified verified;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t count_batches(int64_t n_old, int64_t n_new, int64_t most)
{
    return ((n_old > n_new ? n_old : n_new) + most - 1) / most;
}

/* Old ones that are there after the i-th of n batches. */
static int64_t left_after(int64_t n_old, int64_t most, int64_t n, int64_t i)
{
    return least(n_old, (n - 1 - i) * most);
}

/* More of them first, fewer of them last: there are never fewer than before or after. */
static void cut_batches(struct rolling *r)
{
    const struct member *m = r->m;
    int64_t n_old = m->live->replicas, n_new = m->replicas, kept = n_old;
    int64_t n = count_batches(n_old, n_new, r->most);

    for (int64_t i = 0; i < n; i++) {
        struct batch *b = vec_push(r->low->a, &r->batches);
        int64_t left = left_after(n_old, r->most, n, i);

        if (!b)
            return; /* the arena remembers */
        *b = (struct batch){ .made = { least(i * r->most, n_new), least((i + 1) * r->most, n_new) },
                             .gone = { left, kept },
                             .kept = left,
                             .first_made = ROLLOUT_NO_ITEM,
                             .backend = ROLLOUT_NO_ITEM,
                             .first_gone = ROLLOUT_NO_ITEM };
        kept = left;
    }
}

static int64_t span_count(struct span s)
{
    return s.to - s.from;
}

/* The live set's backend with so many of each. */
static size_t mix(const struct rolling *r, struct lane *l, int64_t n_new, int64_t n_old)
{
    const struct member *m = r->m;
    const struct set_part parts[] = { { &m->set_key, m->is_routed ? n_new : 0 },
                                      { &m->live->set_key, n_old } };

    return rollout_items_servers(l, 10, PLAN_UPDATE, m, &m->live->set_key, parts, 2);
}

/* --- forward ------------------------------------------------------------------------------------- */

static void make_new(struct rolling *r, struct lane *l, struct batch *b)
{
    const struct member *m = r->m;

    if (!span_count(b->made))
        return;
    b->first_made = rollout_items_instances(l, m, m->desired, &m->set_key, b->made);
    rollout_items_step(l);
    rollout_items_ready(l, m, m->desired, &m->set_key, b->made.to);
    rollout_items_step(l);
}

static void stop_old(struct rolling *r, struct lane *l, struct batch *b)
{
    const struct member *m = r->m;
    const struct digest *key = &m->live->set_key;

    if (m->live->backend.p) {
        b->backend = mix(r, l, b->made.to, b->kept);
        rollout_items_step(l);
        if (span_count(b->gone))
            rollout_items_left(l, 10, m, m->before, key, key, b->gone);
        rollout_items_step(l);
    }
    if (!span_count(b->gone))
        return;
    b->first_gone = r->low->plan->items.n;
    rollout_items_stop(l, 11, m, m->before, key, b->gone, ROLLOUT_NO_ITEM);
    rollout_items_step(l);
}

static size_t prove(struct rolling *r, struct lane *l)
{
    const struct member *m = r->m;

    if (m->is_routed)
        r->backend = rollout_items_backend(l, 4, PLAN_CREATE, m, &m->set_key, m->replicas);
    rollout_items_step(l);
    r->flip = rollout_switch(l, m, 1, WAY_FORWARD);
    rollout_items_bake(l, m, 1);
    rollout_verify(l, 7, m, 1, "bake", &r->verified);
    rollout_items_step(l);
    return rollout_items_mark(l, 8, S("proven"), NULL);
}

static void stop_last(struct rolling *r, int group, size_t proven)
{
    const struct member *m = r->m;
    const struct digest *key = &m->live->set_key;
    struct lane l = rollout_items_lane(r->low, LANE_TAIL, group);

    rollout_items_after(&l, proven);
    if (m->live->backend.p)
        rollout_items_drain(&l, 10, m, m->before, key, r->batches.p[r->batches.n - 1].gone);
    rollout_items_step(&l);
    rollout_items_stop(&l, 11, m, m->before, key, r->batches.p[r->batches.n - 1].gone,
                       ROLLOUT_NO_ITEM);
    if (m->live->backend.p)
        (void)rollout_items_drop_backend(&l, 11, m, key);
    if (r->flip.routes != r->flip.flip)
        rollout_steps_drop_stale(r->low, group, proven, 1);
}

/* --- back ---------------------------------------------------------------------------------------- */

static void take_back_switch(struct rolling *r, struct lane *l)
{
    const struct member *m = r->m;
    const struct batch *last = &r->batches.p[r->batches.n - 1];

    l->only_after = (int)r->flip.flip;
    (void)rollout_switch(l, m, 1, WAY_BACK);
    rollout_items_recover(l, m, 1, S("rollout.min_healthy_time_ms"));
    rollout_items_step(l);
    if (m->is_routed)
        rollout_items_drained(l, 10, m, m->desired, &m->set_key);
    l->only_after = -1;
    rollout_items_step(l);
    rollout_items_stop(l, 11, m, m->desired, &m->set_key, last->made, last->first_made);
    if (r->backend != ROLLOUT_NO_ITEM) {
        l->only_after = (int)r->backend;
        (void)rollout_items_drop_backend(l, 11, m, &m->set_key);
        l->only_after = -1;
    }
    rollout_items_step(l);
}

/* What was stopped is there again before what took its place leaves. */
static void take_back_batch(struct rolling *r, struct lane *l, const struct batch *b)
{
    const struct member *m = r->m;
    const struct digest *key = &m->live->set_key;

    for (int64_t i = b->gone.from; i < b->gone.to; i++) {
        l->only_after = (int)(b->first_gone + (size_t)(i - b->gone.from));
        (void)rollout_items_instance(l, PLAN_CREATE, m, m->runs, key, i);
    }
    rollout_items_step(l);
    if (span_count(b->gone)) {
        l->only_after = (int)b->first_gone;
        rollout_items_ready(l, m, m->runs, key, b->gone.to);
        rollout_items_step(l);
    }
    if (b->backend != ROLLOUT_NO_ITEM) {
        l->only_after = (int)b->backend;
        (void)mix(r, l, b->made.from, b->gone.to);
        rollout_items_step(l);
        if (m->is_routed && span_count(b->made))
            rollout_items_left(l, 10, m, m->desired, key, &m->set_key, b->made);
        rollout_items_step(l);
    }
    l->only_after = -1;
    rollout_items_stop(l, 11, m, m->desired, &m->set_key, b->made, b->first_made);
    rollout_items_step(l);
}

static void lower_back(struct rolling *r, int group)
{
    struct lane l = rollout_items_lane(r->low, LANE_REVERT, group);

    take_back_switch(r, &l);
    rollout_verify_drop(&l, &r->verified);
    for (size_t i = r->batches.n - 1; i-- > 0;)
        take_back_batch(r, &l, &r->batches.p[i]);
    if (r->flip.routes != r->flip.flip) {
        l.only_after = (int)r->flip.routes;
        rollout_items_drop_routes(&l, ROLLOUT_STALE_MAX);
        l.only_after = -1;
    }
    (void)rollout_items_mark(&l, 8, S("reverted"), NULL);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int64_t batch_most(const struct value *desired)
{
    int64_t most = value_get_int(value_get(desired, S("rollout")), S("max_unavailable"), 1);

    return most > 1 ? most : 1;
}

int64_t rollout_rolling_most(const struct value *desired, int64_t n_old, int64_t n_new)
{
    int64_t step = batch_most(desired), n = count_batches(n_old, n_new, step), most = n_new;

    for (int64_t i = 0; i < n; i++) {
        int64_t both = least((i + 1) * step, n_new) + left_after(n_old, step, n, i);

        if (both > most)
            most = both;
    }
    return most;
}

size_t rollout_lower_rolling(struct lowering *low, int group, const struct member *m)
{
    struct lane l = rollout_items_lane(low, LANE_MAIN, group);
    struct rolling r = {
        .low = low, .m = m, .most = batch_most(m->desired), .backend = ROLLOUT_NO_ITEM
    };
    size_t proven;

    cut_batches(&r);
    if (!r.batches.n)
        return ROLLOUT_NO_ITEM; /* out of memory */
    rollout_items_build(&l, m);
    rollout_items_step(&l);
    rollout_steps_clear(&l, 2, m, 1);
    rollout_items_release(&l, m);
    rollout_items_step(&l);
    for (size_t i = 0; i < r.batches.n; i++) {
        make_new(&r, &l, &r.batches.p[i]);
        if (!i)
            rollout_verify(&l, 5, m, 1, "before_switch", &r.verified);
        rollout_items_step(&l);
        if (!i)
            rollout_items_promote(&l, 5, m, 1);
        if (i + 1 < r.batches.n)
            stop_old(&r, &l, &r.batches.p[i]);
    }
    proven = prove(&r, &l);
    stop_last(&r, group, proven);
    rollout_steps_drop_verified(low, group, proven, &r.verified);
    if (!low->plan->groups.p[group].is_one_way)
        lower_back(&r, group);
    return proven;
}
