/*
 * test_core_world: what plans are made from. SPDX-License-Identifier: Apache-2.0
 *
 * The world keeps what rows would keep: recorded resources, sets, instances, routes of the generation
 * in use.
 */
#pragma once

#include "tests/unit/test_core_given.h"

struct world_set {
    struct rec_set rec;
    const struct value *servers; /* of its backend */
    int was_there;               /* before the plan that runs */
};

struct world_route {
    struct str key, service;
    struct digest set;
    struct str canary_service; /* STR_NONE: nobody has a share */
    struct digest canary;
};

struct world {
    struct arena *a;
    VEC(struct recorded) recorded;
    VEC(struct world_set) sets;
    VEC(struct observed_instance) instances;
    VEC(struct world_route) next, routes; /* made; in use */
    const struct plan_item *next_item;    /* that made it */
    const struct plan_item **switches;    /* of the groups of the plan `switches_of` */
    struct digest switches_of;
    struct map artifacts, releases;
    struct map documents; /* hex of desired -> value */
    int knows_sets;       /* rows of sets name what they were made of */
    struct map asked;     /* "kind/name HEX" -> spec_resource */
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
    map_init(&w->asked, a);
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
    *r = (struct recorded){ .kind = kind,
                            .name = name,
                            .provider = provider,
                            .desired = map_find(&w->documents, digest_hex(w->a, digest)),
                            .digest = *digest };
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

static inline struct str world_asked(struct world *w, struct str kind, struct str name,
                                     const struct digest *desired)
{
    return str_fmt(w->a, "%.*s/%.*s %.*s", STR_ARG(kind), STR_ARG(name),
                   STR_ARG(digest_hex(w->a, desired)));
}

/* What the engine stores beside a plan: the documents of its target. */
static inline void world_know(struct world *w, const struct environment_spec *spec)
{
    struct digest policy;

    for (size_t i = 0; i < spec->resources.n; i++) {
        struct spec_resource *r = &spec->resources.p[i];

        map_put(&w->documents, digest_hex(w->a, &r->digest), world_part(r->desired));
        map_put(&w->asked, world_asked(w, r->kind, r->name, &r->digest), r);
    }
    if (!spec->policy)
        return;
    policy = digest_value(w->a, S("desired"), spec->policy);
    map_put(&w->documents, digest_hex(w->a, &policy), world_part(spec->policy));
}

/* As each was asked for. */
static inline const struct value **world_made_of(struct world *w)
{
    const struct value **ret = arena_new_n(w->a, const struct value *, w->sets.n + 1);

    for (size_t i = 0; i < w->sets.n; i++)
        for (size_t k = 0; k < w->documents.n; k++) {
            const struct value *body = w->documents.entries[k].value;
            struct digest key = identity_set_key(w->a, body);

            if (digest_eq(&key, &w->sets.p[i].rec.set_key))
                ret[i] = body;
        }
    return ret;
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

    for (size_t i = 0; i < w->routes.n; i++)
        s.is_shared |= w->routes.p[i].canary_service.p != NULL;
    s.env.live_rev = w->live_rev;
    s.sets = arena_new_n(w->a, struct rec_set, w->sets.n + 1);
    s.n_sets = w->sets.n;
    for (size_t i = 0; i < w->sets.n; i++)
        s.sets[i] = w->sets.p[i].rec;
    s.made_of = w->knows_sets ? world_made_of(w) : NULL;
    return s;
}
