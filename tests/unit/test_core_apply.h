/*
 * test_core_apply: plans, and a world that is what they asked for afterwards. SPDX-License-Identifier: Apache-2.0
 *
 * world_do() changes the world as the engine's rows do when an item is done.
 */
#pragma once

#include "reconciler/core/generation.h"
#include "tests/unit/test_core_objects.h"

/* --- what an item does ---------------------------------------------------------------------------- */

static inline int64_t world_ordinal(const struct plan_item *item)
{
    size_t dot = item->name.n;
    int64_t n = 0;

    while (item->name.p[dot - 1] != '.')
        dot--;
    assert_int_equal(str_to_i64(str_slice(item->name, dot, item->name.n), &n), 0);
    return n;
}

static inline struct observed_instance *world_find_instance(struct world *w,
                                                            const struct plan_item *item)
{
    for (size_t i = 0; i < w->instances.n; i++) {
        struct rec_instance *r = &w->instances.p[i].rec;

        if (str_eq(r->service, item->service) && digest_eq(&r->set_key, &item->set_key) &&
            r->ordinal == world_ordinal(item))
            return &w->instances.p[i];
    }
    return NULL;
}

static inline int64_t world_replicas(const struct plan *plan, const struct plan_item *item)
{
    int64_t n = 0;

    for (size_t i = 0; i < plan->items.n; i++) {
        const struct plan_item *other = &plan->items.p[i];

        n += other->action == PLAN_CREATE && str_eq_c(other->kind, "instance") &&
             other->lane == item->lane && str_eq(other->service, item->service) &&
             digest_eq(&other->set_key, &item->set_key);
    }
    return n;
}

/* When an instance is begun its rows are there, whatever becomes of it. */
static inline void world_claim(struct world *w, const struct plan *plan,
                               const struct plan_item *item)
{
    struct observed_instance *o;

    if (object_is_kind(item->kind))
        world_claim_object(w, item);
    if (!str_eq_c(item->kind, "instance") || item->action == PLAN_DELETE)
        return;
    if (!world_find_set(w, item->service, &item->set_key)) {
        struct world_set *set = vec_push(w->a, &w->sets);

        *set = (struct world_set){ .rec = { .env = S("u1"),
                                            .service = item->service,
                                            .set_key = item->set_key,
                                            .state = S("making"),
                                            .replicas = world_replicas(plan, item),
                                            .proven_seq = REC_NONE } };
    }
    if (world_find_instance(w, item))
        return;
    o = vec_push(w->a, &w->instances);
    *o = (struct observed_instance){ .rec = { .env = S("u1"),
                                              .service = item->service,
                                              .set_key = item->set_key,
                                              .ordinal = world_ordinal(item) },
                                     .health = INSTANCE_RUNNING };
}

static inline void world_do_instance(struct world *w, const struct plan_item *item)
{
    struct observed_instance *o = world_find_instance(w, item);
    struct world_set *set;

    if (item->action != PLAN_DELETE) {
        assert_non_null(o);
        o->health = INSTANCE_RUNNING;
        o->rec.state = value_get_bool(item->desired, S("frozen"), 0) ? S("frozen") : S("running");
    } else if (o) {
        *o = w->instances.p[--w->instances.n];
    }
    world_forget_set(w, item->service, &item->set_key);
    set = world_find_live(w, item->service);
    if (set && digest_eq(&set->rec.set_key, &item->set_key) && item->action != PLAN_UPDATE)
        set->rec.replicas = world_count(w, item->service, &item->set_key);
}

static inline void world_do_backend(struct world *w, const struct plan_item *item)
{
    struct world_set *set = world_find_set(w, item->service, &item->set_key);

    if (item->action == PLAN_DELETE) {
        if (set)
            set->rec.backend = STR_NONE;
        world_forget_set(w, item->service, &item->set_key);
        return;
    }
    assert_non_null(set);
    set->rec.backend = S("b1");
    set->servers = value_get(item->desired, S("servers"));
}

/* The last switch of each group of this plan. */
static inline const struct plan_item **world_switches(struct world *w, const struct plan *plan)
{
    if (!w->switches || !digest_eq(&w->switches_of, &plan->id)) {
        w->switches = arena_new_n(w->a, const struct plan_item *, plan->groups.n + 1);
        w->switches_of = plan->id;
    }
    return w->switches;
}

static inline struct generation world_generation(struct world *w, const struct plan *plan,
                                                 const struct plan_item *item,
                                                 const struct plan_item *const *last)
{
    struct generation made;
    struct err err = ERR_INIT;

    if (generation_make(w->a, plan, (size_t)(item - plan->items.p), last, &made, &err))
        fail_msg("generation: %s", err.text);
    return made;
}

/* Who serves a route that names no set is known when the generation is made, not when it is switched to. */
static inline void world_do_routes(struct world *w, const struct plan *plan,
                                   const struct plan_item *item)
{
    struct generation made;

    if (item->action != PLAN_CREATE)
        return;
    w->next.n = 0;
    w->next_item = item;
    made = world_generation(w, plan, item, world_switches(w, plan));
    for (size_t i = 0; i < made.n; i++) {
        const struct plan_route *r = made.p[i].route;
        struct world_set *set = world_find_live(w, r->service);
        struct world_route *slot;
        struct digest key;

        if (made.p[i].set.p) {
            assert_int_equal(digest_from_hex(made.p[i].set, &key), 0);
            set = world_find_set(w, r->service, &key);
        }
        if (!set || !set->rec.backend.p)
            continue;
        slot = vec_push(w->a, &w->next);
        *slot = (struct world_route){ .key = plan_route_key(w->a, r),
                                      .service = r->service,
                                      .set = set->rec.set_key };
        if (made.p[i].share.set.p) {
            assert_int_equal(digest_from_hex(made.p[i].share.set, &slot->canary), 0);
            slot->canary_service = made.p[i].share.service;
        }
    }
}

static inline void world_set_state(struct world *w, struct str service, struct str hex,
                                   struct str state)
{
    struct digest key;
    struct world_set *set;

    if (!hex.n)
        return;
    assert_int_equal(digest_from_hex(hex, &key), 0);
    set = world_find_set(w, service, &key);
    if (set)
        set->rec.state = state;
}

static inline void world_flip_member(struct world *w, enum plan_cause cause, const struct value *m,
                                     struct str moves)
{
    struct str service = value_get_text(m, S("service"), S("")),
               to = value_get_text(m, S("to"), S("")), from = value_get_text(m, S("from"), S(""));

    if (str_eq_c(moves, "away"))
        return;
    if (str_eq_c(moves, "back")) {
        world_set_state(w, service, to, S("failed"));
        world_set_state(w, service, from, S("live"));
        return;
    }
    for (size_t i = 0; i < w->sets.n; i++)
        if (str_eq(w->sets.p[i].rec.service, service) &&
            str_eq_c(w->sets.p[i].rec.state, "previous"))
            w->sets.p[i].rec.state = S("draining");
    world_set_state(w, service, from,
                    cause == PLAN_CAUSE_UNDO || value_get_bool(m, S("leaves"), 0) ? S("draining")
                                                                                  : S("previous"));
    world_set_state(w, service, to, S("live"));
}

static inline void world_flip(struct world *w, const struct plan *plan,
                              const struct plan_item *item)
{
    const struct value *members = value_get(item->desired, S("members"));

    for (size_t i = 0; plan_item_share(item) == PLAN_SHARE_ALL && i < value_count(members); i++)
        world_flip_member(w, plan->cause, value_item(members, i),
                          value_get_text(item->desired, S("moves"), S("")));
}

/* To the generation of its own routes item: nobody may have made another one in between. */
/* Nobody is routed to what rests. */
static inline void world_expect_awake(const struct world *w)
{
    for (size_t i = 0; i < w->instances.n; i++) {
        const struct rec_instance *r = &w->instances.p[i].rec;

        for (size_t n = 0; str_eq_c(r->state, "frozen") && n < w->sets.n; n++)
            if (str_eq(w->sets.p[n].rec.service, r->service) &&
                digest_eq(&w->sets.p[n].rec.set_key, &r->set_key))
                assert_false(str_eq_c(w->sets.p[n].rec.state, "live"));
    }
}

static inline void world_do_switch(struct world *w, const struct plan *plan,
                                   const struct plan_item *item)
{
    int64_t at = value_get_int(item->desired, S("routes_item"), -1);

    assert_in_range(at, 0, plan->items.n - 1);
    assert_ptr_equal(w->next_item, &plan->items.p[at]);
    w->routes.n = 0;
    for (size_t i = 0; i < w->next.n; i++) {
        struct world_route *slot = vec_push(w->a, &w->routes);

        *slot = w->next.p[i];
    }
    w->generation++;
    generation_note(plan, (size_t)(item - plan->items.p), world_switches(w, plan));
    world_flip(w, plan, item);
    world_expect_awake(w);
}

static inline void world_prove_group(struct world *w, const struct plan *plan, int group)
{
    const struct plan_group *g = &plan->groups.p[group];

    for (size_t i = 0; i < g->services.n; i++) {
        const struct plan_record *r = plan_find_record(plan, S("service"), g->services.p[i]);
        struct world_set *live = world_find_live(w, g->services.p[i]);

        if (r)
            world_record(w, r->kind, r->name, r->provider, &r->desired);
        else
            world_unrecord(w, S("service"), g->services.p[i]);
        if (live)
            live->rec.proven_seq = 1;
    }
}

static inline void world_do_mark(struct world *w, const struct plan *plan,
                                 const struct plan_item *item)
{
    struct str word = str_slice(item->name, 0, str_find_char(item->name, ':'));
    struct digest key;

    if (str_eq_c(word, "flip") || str_eq_c(word, "flip-back")) {
        world_flip(w, plan, item);
    } else if (str_eq_c(word, "scaled")) {
        assert_int_equal(digest_from_hex(value_get_text(item->desired, S("set"), S("")), &key), 0);
        world_find_set(w, value_get_text(item->desired, S("service"), S("")), &key)->rec.replicas =
            value_get_int(item->desired, S("replicas"), 0);
        world_prove_group(w, plan, item->group);
    } else if (str_eq_c(word, "proven") || str_eq_c(word, "removed")) {
        world_prove_group(w, plan, item->group);
    } else if (str_eq_c(word, "applied")) {
        for (size_t i = 0; i < plan->records.n; i++)
            if (!object_is_kind(plan->records.p[i].kind))
                world_record(w, plan->records.p[i].kind, plan->records.p[i].name,
                             plan->records.p[i].provider, &plan->records.p[i].desired);
        for (size_t i = 0; i < plan->lines.n; i++)
            if (plan->lines.p[i].action == PLAN_DELETE && str_eq_c(plan->lines.p[i].kind, "domain"))
                world_unrecord(w, S("domain"), plan->lines.p[i].name);
        w->live_rev = plan->target;
    } else if (!world_mark_object(w, plan, word, item->name)) {
        assert_true(str_eq_c(word, "reverted") || str_eq_c(word, "routed"));
    }
}

static inline void world_do(struct world *w, const struct plan *plan, const struct plan_item *item)
{
    struct digest made = hash_bytes(item->name);

    if (str_eq_c(item->kind, "instance"))
        world_do_instance(w, item);
    else if (str_eq_c(item->kind, "backend"))
        world_do_backend(w, item);
    else if (str_eq_c(item->kind, "routes"))
        world_do_routes(w, plan, item);
    else if (str_eq_c(item->kind, "switch"))
        world_do_switch(w, plan, item);
    else if (str_eq_c(item->kind, "mark"))
        world_do_mark(w, plan, item);
    else if (str_eq_c(item->kind, "address") && item->action == PLAN_CREATE)
        world_record(w, item->kind, item->name, item->provider, &made);
    else if (str_eq_c(item->kind, "address"))
        world_unrecord(w, item->kind, item->name);
    else if (str_eq_c(item->kind, "artifact"))
        map_put(&w->artifacts, value_get_text(item->desired, S("key"), S("")),
                arena_copy(w->a, &made, sizeof(made)));
    else if (str_eq_c(item->kind, "release"))
        map_put(&w->releases, value_get_text(item->desired, S("release"), S("")), NULL);
    else if (object_is_kind(item->kind))
        world_do_object(w, plan, item);
}

/* --- plans --------------------------------------------------------------------------------------- */

static inline struct plan world_plan(struct world *w, const struct environment_spec *spec,
                                     enum plan_cause cause)
{
    struct snapshot s = world_snapshot(w, spec, cause);
    struct err err = ERR_INIT;
    struct plan plan;

    s.schemas = world_schemas(w->a);
    world_know(w, spec);
    if (plan_make(w->a, &s, &plan, &err))
        fail_msg("plan: %s", err.text);
    return plan;
}

enum given_tail { TAIL_RUNS, TAIL_WAITS };

static inline int world_may(const struct plan *plan, const unsigned char *done, size_t i,
                            enum given_tail tail)
{
    const struct plan_item *item = &plan->items.p[i];

    if (done[i] || item->lane == LANE_REVERT || (item->lane == LANE_TAIL && tail == TAIL_WAITS))
        return 0;
    for (size_t n = 0; n < item->needs.n; n++)
        if (!done[item->needs.p[n]])
            return 0;
    return 1;
}

/* Everything goes well; the reverts are not needed. */
static inline void world_apply(struct world *w, const struct plan *plan, enum given_tail tail)
{
    unsigned char *done = arena_new_n(w->a, unsigned char, plan->items.n + 1);
    size_t n_before = 1, n_done = 0;

    w->apply_seq++;
    while (n_done != n_before) {
        n_before = n_done;
        for (size_t i = 0; i < plan->items.n; i++) {
            if (!world_may(plan, done, i, tail))
                continue;
            world_claim(w, plan, &plan->items.p[i]);
            world_do(w, plan, &plan->items.p[i]);
            done[i] = 1;
            n_done++;
        }
    }
    for (size_t i = 0; i < plan->items.n; i++)
        assert_true(done[i] || plan->items.p[i].lane != LANE_MAIN);
}

/* The world after these specs, one after the other. */
static inline struct environment_spec given_applied(struct world *w, const char *text,
                                                    enum given_tail tail)
{
    struct environment_spec spec = given_spec(w->a, text);
    struct plan plan = world_plan(w, &spec, PLAN_CAUSE_COMMIT);

    world_apply(w, &plan, tail);
    return spec;
}
