/*
 * test_core_given: specs written as sentences, and a world that plans are carried out in. SPDX-License-Identifier: Apache-2.0
 *
 * A spec: resources parted by ';', words by spaces:
 *     api v1 port x2 needs=db uses=web recreate hold ask stopped built release manual contract settings=s1
 *     domain app a.example /=web /api=api /x=api+deny /y=api+ip
 * The world keeps what rows would keep: recorded resources, sets, instances, routes of the generation
 * in use. world_do() changes it as the engine's rows do when an item is done.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reconciler/core/generation.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/plan.h"
#include "specs/digest.h"
#include "specs/json_io.h"

/* --- specs --------------------------------------------------------------------------------------- */

static inline const struct value *given_json(struct arena *a, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;

    if (json_parse(a, str_from_c(json), 1u << 20, &v, &err))
        fail_msg("%s in %s", err.text, json);
    return v;
}

static inline void given_need(struct arena *a, struct spec_resource *r, struct str service)
{
    struct str *slot = vec_push(a, &r->needs);

    *slot = str_fmt(a, "service/%.*s", STR_ARG(service));
}

static inline struct value *given_member(struct arena *a, struct value *map, struct str key)
{
    struct value *v = value_map(a);

    value_set(a, map, key, v);
    return v;
}

static inline struct value *given_rollout(struct arena *a, struct value *service)
{
    struct value *rollout = given_member(a, service, S("rollout"));

    value_set_text(a, rollout, S("strategy"), S("blue_green"));
    value_set_int(a, rollout, S("bake_time_ms"), 60000);
    value_set_int(a, rollout, S("min_healthy_time_ms"), 10000);
    value_set_int(a, rollout, S("healthy_deadline_ms"), 180000);
    value_set_int(a, rollout, S("keep_previous_ms"), 600000);
    return rollout;
}

struct given_service {
    struct value *v, *rollout, *environment, *depends;
    struct spec_resource *r;
};

static inline int given_word_prefix(struct str word, const char *prefix, struct str *ret)
{
    if (!str_starts(word, str_from_c(prefix)))
        return 0;
    *ret = str_slice(word, strlen(prefix), word.n);
    return 1;
}

static inline void given_word(struct arena *a, struct given_service *s, struct str word)
{
    struct str rest;

    if (str_eq_c(word, "port")) {
        value_set_int(a, s->v, S("port"), 3000);
    } else if (str_eq_c(word, "recreate")) {
        value_set_text(a, s->rollout, S("strategy"), S("recreate"));
    } else if (str_eq_c(word, "hold")) {
        value_set(a, s->rollout, S("auto_revert"), value_bool(a, 0));
    } else if (str_eq_c(word, "ask")) {
        value_set(a, s->rollout, S("auto_promote"), value_bool(a, 0));
    } else if (str_eq_c(word, "stopped")) {
        value_set_text(a, s->v, S("standby"), S("stopped"));
    } else if (str_eq_c(word, "built")) {
        struct digest d = hash_bytes(s->r->name);

        value_set_text(a, s->v, S("artifact"), digest_hex(a, &d));
    } else if (str_eq_c(word, "release")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"]}")));
    } else if (str_eq_c(word, "manual")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"],\"run\":\"manual\"}")));
    } else if (str_eq_c(word, "contract")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"],"
                                              "\"schema_change\":\"contract\"}")));
    } else if (given_word_prefix(word, "settings=", &rest)) {
        value_set_text(a, s->rollout, S("note"), rest);
    } else if (given_word_prefix(word, "needs=", &rest)) {
        (void)given_member(a, s->depends, rest);
        given_need(a, s->r, rest);
    } else if (given_word_prefix(word, "uses=", &rest)) {
        struct value *output = given_member(a, s->environment, str_fmt(a, "U_%.*s", STR_ARG(rest)));

        value_set_text(a, output, S("output"), str_fmt(a, "address/%.*s", STR_ARG(rest)));
        value_set_text(a, output, S("key"), S("internal_url"));
        given_need(a, s->r, rest);
    } else if (word.p[0] == 'x') {
        int64_t n = 0;

        assert_int_equal(str_to_i64(str_slice(word, 1, word.n), &n), 0);
        value_set_int(a, s->v, S("replicas"), n);
    } else {
        struct value *command = value_list(a);

        value_add(a, command, value_text(a, word));
        value_set(a, s->v, S("command"), command);
    }
}

static inline void given_service(struct arena *a, struct spec_resource *r, struct str words)
{
    struct given_service s = { .v = value_map(a), .r = r };
    struct str word;

    s.rollout = given_rollout(a, s.v);
    s.environment = given_member(a, s.v, S("environment"));
    s.depends = given_member(a, s.v, S("depends_on"));
    value_set_int(a, s.v, S("replicas"), 1);
    value_set(a, s.v, S("termination"), value_copy(a, given_json(a, "{\"drain_ms\":30000}")));
    r->kind = S("service");
    r->provider = S("local");
    while (str_next(&words, ' ', &word))
        if (word.n && !r->name.p)
            r->name = word;
        else if (word.n)
            given_word(a, &s, word);
    r->desired = s.v;
}

static inline void given_domain(struct arena *a, struct spec_resource *r, struct str words)
{
    struct value *v = value_map(a), *hosts = value_list(a), *routes = value_map(a);
    struct str word;

    r->kind = S("domain");
    r->provider = S("edge");
    while (str_next(&words, ' ', &word)) {
        size_t at = str_find_char(word, '=');

        if (!word.n)
            continue;
        if (!r->name.p) {
            r->name = word;
        } else if (at == STR_NPOS) {
            value_add(a, hosts, value_text(a, word));
        } else {
            struct str rest = str_slice(word, at + 1, word.n), service;
            struct value *route = given_member(a, routes, str_slice(word, 0, at));

            (void)str_next(&rest, '+', &service); /* there is one */
            value_set_text(a, route, S("service"), service);
            if (rest.p && str_eq_c(rest, "deny"))
                value_set(a, route, S("deny"), value_bool(a, 1));
            else if (rest.p)
                value_set_text(a, given_member(a, route, S("access")), S("type"), rest);
            given_need(a, r, service);
        }
    }
    value_set(a, v, S("hosts"), hosts);
    value_set(a, v, S("routes"), routes);
    r->desired = v;
}

static inline int given_compare(const void *x, const void *y)
{
    const struct spec_resource *a = x, *b = y;
    int order = str_cmp(a->kind, b->kind);

    return order ? order : str_cmp(a->name, b->name);
}

static inline struct environment_spec given_spec(struct arena *a, const char *text)
{
    struct environment_spec spec = { .name = S("test"), .application = S("shop") };
    struct str rest = str_copy(a, str_from_c(text)), one;

    spec.policy = given_json(a, "{\"approval\":{\"policy\":\"auto\"}}");
    while (str_next(&rest, ';', &one)) {
        struct spec_resource *r;

        one = str_trim(one);
        if (!one.n)
            continue;
        r = vec_push(a, &spec.resources);
        if (str_starts(one, S("domain ")))
            given_domain(a, r, str_slice(one, 7, one.n));
        else
            given_service(a, r, one);
        r->digest = digest_value(a, S("desired"), r->desired);
        r->place = (struct value_place){ S("app.yaml"), (uint32_t)spec.resources.n, 1 };
    }
    if (spec.resources.n)
        qsort(spec.resources.p, spec.resources.n, sizeof(spec.resources.p[0]), given_compare);
    return spec;
}

/* --- the world ----------------------------------------------------------------------------------- */

struct world_set {
    struct rec_set rec;
    size_t n_servers; /* of its backend */
    int was_there;    /* before the plan that runs */
};

struct world_route {
    struct str key, service;
    struct digest set;
};

struct world {
    struct arena *a;
    VEC(struct recorded) recorded;
    VEC(struct world_set) sets;
    VEC(struct observed_instance) instances;
    VEC(struct world_route) next, routes; /* made; in use */
    const struct plan_item *next_item;    /* that made it */
    enum plan_way *ways;                  /* of the groups of the plan `ways_of` */
    struct digest ways_of;
    struct map artifacts, releases;
    struct map documents; /* hex of desired -> value */
    VEC(struct rec_quarantine) quarantines;
    struct digest live_rev;
    int64_t apply_seq, generation;
    int has_edge;
};

static inline void given_world(struct world *w, struct arena *a)
{
    *w = (struct world){ .a = a, .has_edge = 1 };
    map_init(&w->artifacts, a);
    map_init(&w->releases, a);
    map_init(&w->documents, a);
}

static inline struct world_set *world_find_set(struct world *w, struct str service,
                                               const struct digest *key)
{
    for (size_t i = 0; i < w->sets.n; i++)
        if (str_eq(w->sets.p[i].rec.service, service) && digest_eq(&w->sets.p[i].rec.set_key, key))
            return &w->sets.p[i];
    return NULL;
}

static inline struct world_set *world_find_live(struct world *w, struct str service)
{
    for (size_t i = 0; i < w->sets.n; i++)
        if (str_eq(w->sets.p[i].rec.service, service) && str_eq_c(w->sets.p[i].rec.state, "live"))
            return &w->sets.p[i];
    return NULL;
}

static inline int64_t world_count(const struct world *w, struct str service,
                                  const struct digest *key)
{
    int64_t n = 0;

    for (size_t i = 0; i < w->instances.n; i++)
        n += str_eq(w->instances.p[i].rec.service, service) &&
             digest_eq(&w->instances.p[i].rec.set_key, key);
    return n;
}

static inline void world_forget_set(struct world *w, struct str service, const struct digest *key)
{
    struct world_set *set = world_find_set(w, service, key);

    if (set && !set->rec.backend.p && !world_count(w, service, key))
        *set = w->sets.p[--w->sets.n];
}

static inline void world_record(struct world *w, struct str kind, struct str name,
                                struct str provider, const struct digest *digest)
{
    struct recorded *r = NULL;

    for (size_t i = 0; i < w->recorded.n; i++)
        if (str_eq(w->recorded.p[i].kind, kind) && str_eq(w->recorded.p[i].name, name))
            r = &w->recorded.p[i];
    if (!r)
        r = vec_push(w->a, &w->recorded);
    *r = (struct recorded){ kind, name, provider, map_find(&w->documents, digest_hex(w->a, digest)),
                            *digest };
}

static inline void world_unrecord(struct world *w, struct str kind, struct str name)
{
    for (size_t i = 0; i < w->recorded.n; i++)
        if (str_eq(w->recorded.p[i].kind, kind) && str_eq(w->recorded.p[i].name, name))
            w->recorded.p[i--] = w->recorded.p[--w->recorded.n];
}

static inline void *world_part(const struct value *v)
{
    union {
        const struct value *in;
        void *out;
    } u = { .in = v };

    return u.out;
}

/* What the engine stores beside a plan: the documents of its target. */
static inline void world_know(struct world *w, const struct environment_spec *spec)
{
    struct digest policy;

    for (size_t i = 0; i < spec->resources.n; i++)
        map_put(&w->documents, digest_hex(w->a, &spec->resources.p[i].digest),
                world_part(spec->resources.p[i].desired));
    if (!spec->policy)
        return;
    policy = digest_value(w->a, S("desired"), spec->policy);
    map_put(&w->documents, digest_hex(w->a, &policy), world_part(spec->policy));
}

static inline struct snapshot world_snapshot(struct world *w, const struct environment_spec *spec,
                                             enum plan_cause cause)
{
    static struct snapshot_driver drivers[] = { { S_INIT("null"), S_INIT("1"), { { 1 } } } };
    struct snapshot s = {
        .installation = S("i1"),
        .env = { .uid = S("u1"), .name = S("test"), .apply_seq = w->apply_seq },
        .cause = cause,
        .target = spec,
        .recorded = w->recorded.p,
        .n_recorded = w->recorded.n,
        .instances = w->instances.p,
        .n_instances = w->instances.n,
        .artifacts = &w->artifacts,
        .releases = &w->releases,
        .quarantines = w->quarantines.p,
        .n_quarantines = w->quarantines.n,
        .observed_generation = REC_NONE,
        .drivers = drivers,
        .n_drivers = 1,
        .edge_provider = w->has_edge ? S("edge") : STR_NONE,
    };

    s.env.live_rev = w->live_rev;
    s.sets = arena_new_n(w->a, struct rec_set, w->sets.n + 1);
    s.n_sets = w->sets.n;
    for (size_t i = 0; i < w->sets.n; i++)
        s.sets[i] = w->sets.p[i].rec;
    return s;
}

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

    if (item->action != PLAN_DELETE) {
        assert_non_null(o);
        o->health = INSTANCE_RUNNING;
        return;
    }
    if (o)
        *o = w->instances.p[--w->instances.n];
    world_forget_set(w, item->service, &item->set_key);
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
    set->n_servers = value_count(value_get(item->desired, S("servers")));
}

/* The ways that the groups of this plan have gone so far. */
static inline enum plan_way *world_ways(struct world *w, const struct plan *plan)
{
    if (!w->ways || !digest_eq(&w->ways_of, &plan->id)) {
        w->ways = arena_new_n(w->a, enum plan_way, plan->groups.n + 1);
        w->ways_of = plan->id;
    }
    return w->ways;
}

static inline struct generation world_generation(struct world *w, const struct plan *plan,
                                                 const struct plan_item *item,
                                                 const enum plan_way *ways)
{
    struct generation made;
    struct err err = ERR_INIT;

    if (generation_make(w->a, plan, (size_t)(item - plan->items.p), ways, &made, &err))
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
    made = world_generation(w, plan, item, world_ways(w, plan));
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
        *slot = (struct world_route){ plan_route_key(w->a, r), r->service, set->rec.set_key };
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
    world_set_state(w, service, from, cause == PLAN_CAUSE_UNDO ? S("draining") : S("previous"));
    world_set_state(w, service, to, S("live"));
}

static inline void world_flip(struct world *w, const struct plan *plan,
                              const struct plan_item *item)
{
    const struct value *members = value_get(item->desired, S("members"));

    for (size_t i = 0; i < value_count(members); i++)
        world_flip_member(w, plan->cause, value_item(members, i),
                          value_get_text(item->desired, S("moves"), S("")));
}

/* To the generation of its own routes item: nobody may have made another one in between. */
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
    generation_note(plan, (size_t)(item - plan->items.p), world_ways(w, plan));
    world_flip(w, plan, item);
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
            world_record(w, plan->records.p[i].kind, plan->records.p[i].name,
                         plan->records.p[i].provider, &plan->records.p[i].desired);
        for (size_t i = 0; i < plan->lines.n; i++)
            if (plan->lines.p[i].action == PLAN_DELETE && str_eq_c(plan->lines.p[i].kind, "domain"))
                world_unrecord(w, S("domain"), plan->lines.p[i].name);
        w->live_rev = plan->target;
    } else {
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
}

/* --- plans --------------------------------------------------------------------------------------- */

static inline struct plan world_plan(struct world *w, const struct environment_spec *spec,
                                     enum plan_cause cause)
{
    struct snapshot s = world_snapshot(w, spec, cause);
    struct err err = ERR_INIT;
    struct plan plan;

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
