/* Which instances make a set, and which set is live. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit.h"
#include "reconciler/core/plan.h"
#include "reconciler/engine/recover_rows.h"
#include "specs/spec.h"
#include "state/sets.h"

/* "web@123456789abc.2": the service, and the ordinal behind the dot; -1 where there is none. */
static struct str name_service(struct str name)
{
    return str_slice(name, 0, str_find_char(name, '@'));
}

static int64_t name_ordinal(struct str name)
{
    size_t dot = name.n;
    int64_t ordinal = -1;

    while (dot && name.p[dot - 1] != '.')
        dot--;
    return dot && !str_to_i64(str_slice(name, dot, name.n), &ordinal) ? ordinal : -1;
}

static int is_of_kind(const struct owned *o, const char *kind)
{
    return str_eq_c(o->kind, kind);
}

static struct found_set *set_of(struct recover *r, struct recover_env *e, const struct owned *o)
{
    struct str service = name_service(o->name);
    struct found_set *slot;

    for (size_t i = 0; i < e->sets.n; i++)
        if (str_eq(e->sets.p[i].service, service) && digest_eq(&e->sets.p[i].key, &o->key))
            return &e->sets.p[i];
    slot = vec_push(r->a, &e->sets);
    if (slot)
        *slot = (struct found_set){ .service = service, .key = o->key, .revision = o->revision };
    return slot;
}

static int is_frozen(const struct owned *o)
{
    return str_eq_c(value_get_text(o->observed, S("state"), S("")), "frozen");
}

static void find_sets(struct recover *r, struct recover_env *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct owned *o = &e->things[i];
        int is_backend = is_of_kind(o, "backend");
        struct found_set *set;

        if ((!is_backend && !is_of_kind(o, "instance")) || digest_is_none(&o->key))
            continue;
        set = set_of(r, e, o);
        if (!set)
            return; /* the arena remembers */
        if (is_backend) {
            set->backend = value_get_text(o->outputs, S("backend"), o->id);
            continue;
        }
        set->revision = o->revision;
        set->n_instances++;
        set->rests |= is_frozen(o);
        set->listens |= value_get_text(o->outputs, S("address"), S("")).n != 0;
        if (name_ordinal(o->name) >= set->replicas)
            set->replicas = name_ordinal(o->name) + 1;
    }
}

/* --- the routes ---------------------------------------------------------------------------------- */

static void find_generation(struct recover_env *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct owned *o = &e->things[i];
        if (is_of_kind(o, "switch"))
            e->generation = value_get_int(o->outputs, S("generation"), 0);
    }
}

static void mark_routed(struct recover_env *e, struct str backend)
{
    for (size_t i = 0; i < e->sets.n; i++)
        if (e->sets.p[i].backend.p && str_eq(e->sets.p[i].backend, backend))
            e->sets.p[i].is_routed = 1;
}

/* Who serves a host has it. */
static int put_host(struct recover *r, const struct recover_env *e, const struct value *route,
                    struct err *err)
{
    const struct rec_host row = { .host = value_get_text(route, S("host"), S("")),
                                  .env = e->uid,
                                  .place = S("recovered"),
                                  .since_seq = tx_seq(r->tx) };

    return row.host.n ? tx_put(r->tx, REC_host, &row, err) : 0;
}

static int put_routes(struct recover *r, struct recover_env *e, const struct owned *o,
                      struct err *err)
{
    const struct value *routes = value_get(o->observed, S("routes"));
    int64_t generation = value_get_int(o->outputs, S("generation"), 0);

    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *one = value_item(routes, i), *canary = value_get(one, S("canary"));
        struct str backend = value_get_text(one, S("backend"), S(""));
        const struct rec_route row = {
            .env = e->uid,
            .route_gen = generation,
            .route = str_fmt(r->a, "%.*s@%.*s", STR_ARG(value_get_text(one, S("route"), S(""))),
                             STR_ARG(value_get_text(one, S("host"), S("")))),
            .backend = backend,
            .weight = PLAN_SHARE_ALL - value_get_int(canary, S("share"), 0),
            .canary = value_get_text(canary, S("backend"), STR_NONE),
            .rules = value_get(one, S("rules")) ? json_format(r->a, value_get(one, S("rules")))
                                                : STR_NONE,
        };

        if (tx_put(r->tx, REC_route, &row, err))
            return err->code;
        if (generation != e->generation)
            continue;
        mark_routed(e, backend);
        if (put_host(r, e, one, err))
            return err->code;
    }
    return 0;
}

/* --- which is live ------------------------------------------------------------------------------- */

static int copied_state_is(struct recover *r, const struct recover_env *e,
                           const struct found_set *set, const char *state)
{
    struct err ignored = ERR_INIT; /* the copy does not know it */
    struct rec_set row;

    return r->copy && !sets_get(r->copy, r->a, e->uid, set->service, &set->key, &row, &ignored) &&
           str_eq_c(row.state, state);
}

/* Nothing leads to it through the edge, and nobody says that something did: the edge has lost it, or it was still
 * being made. */
static int is_cut_off(struct recover *r, const struct recover_env *e, const struct found_set *set)
{
    const struct value *rule = daemon_rule(r->daemon, e->row.source, S("environment"), e->row.name,
                                           NULL);

    if ((set->n_instances && !set->listens) ||
        !value_get(value_get(rule, S("providers")), S("domains")))
        return 0;
    return !set->backend.p || (!set->is_routed && !copied_state_is(r, e, set, "live") &&
                               !copied_state_is(r, e, set, "previous"));
}

/* It was kept when another one took over, whatever the copy says. */
static int is_at_rest(const struct found_set *set)
{
    return set->rests && !set->is_routed;
}

/* What the proxy serves; else what the copy says; else the one with the most instances. */
static int rank_of(struct recover *r, const struct recover_env *e, const struct found_set *set)
{
    int n = set->n_instances < 1000 ? (int)set->n_instances : 999;

    if (is_cut_off(r, e, set) || is_at_rest(set))
        return 0;
    return (set->is_routed ? 4000 : 0) + (copied_state_is(r, e, set, "live") ? 2000 : 0) + n;
}

/* The first of each service; beside it one that is whole may still be gone back to, others are left over. So is one
 * that rests alone: it serves nobody, and is made anew where it is wanted. */
static void judge_sets(struct recover *r, struct recover_env *e)
{
    for (size_t i = 0; i < e->sets.n; i++) {
        struct found_set *set = &e->sets.p[i];
        int rank = rank_of(r, e, set), better = 0;

        for (size_t j = 0; j < e->sets.n; j++) {
            int other = rank_of(r, e, &e->sets.p[j]);

            better += str_eq(e->sets.p[j].service, set->service) && j != i &&
                      (other > rank || (other == rank && j < i));
        }
        set->state = is_cut_off(r, e, set) || (!better && is_at_rest(set))      ? S("failed")
                     : !better                                                  ? S("live")
                     : better == 1 && set->n_instances == (size_t)set->replicas ? S("previous")
                                                                                : S("failed");
    }
}

const struct found_set *recover_sets_live(const struct recover_env *e, struct str service)
{
    for (size_t i = 0; i < e->sets.n; i++)
        if (str_eq(e->sets.p[i].service, service) && str_eq_c(e->sets.p[i].state, "live"))
            return &e->sets.p[i];
    return NULL;
}

/* --- the rows ------------------------------------------------------------------------------------ */

static int put_set(struct recover *r, const struct recover_env *e, const struct found_set *set,
                   struct err *err)
{
    int is_live = str_eq_c(set->state, "live");
    struct rec_set row = {
        .env = e->uid,
        .service = set->service,
        .set_key = set->key,
        .colour = is_live ? S("blue") : S("green"),
        .state = set->state,
        .backend = set->backend,
        .replicas = set->replicas,
        .desired = set->key,
        .proven_seq = is_live ? tx_seq(r->tx) : REC_NONE, /* a person looks before it goes on */
        .since_ms = r->now_ms,
        .keep_ms = REC_NONE,
    };

    if (digest_from_hex(set->revision, &row.revision))
        return err_set(err, ERR_CORRUPT, "the label of %.*s names no revision",
                       STR_ARG(set->service));
    return tx_put(r->tx, REC_set, &row, err);
}

static int put_instance(struct recover *r, const struct recover_env *e, const struct owned *o,
                        struct err *err)
{
    const struct rec_instance row = {
        .env = e->uid,
        .service = name_service(o->name),
        .set_key = o->key,
        .ordinal = name_ordinal(o->name),
        .provider_id = o->id,
        .address = value_get_text(o->outputs, S("address"), S("")),
        .state = is_frozen(o) ? S("frozen") : S("running"),
        .restarts = value_get_int(o->observed, S("restarts"), 0),
    };

    return row.ordinal < 0 || digest_is_none(&o->key) ? 0 : tx_put(r->tx, REC_instance, &row, err);
}

void recover_sets_find(struct recover *r, struct recover_env *e)
{
    find_sets(r, e);
    find_generation(e);
}

int recover_sets_put(struct recover *r, struct recover_env *e, struct err *err)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct owned *o = &e->things[i];

        if (is_of_kind(o, "routes") && put_routes(r, e, o, err))
            return err->code;
        if (is_of_kind(o, "instance") && put_instance(r, e, o, err))
            return err->code;
    }
    judge_sets(r, e);
    for (size_t i = 0; i < e->sets.n; i++)
        if (put_set(r, e, &e->sets.p[i], err))
            return err->code;
    return 0;
}
