/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/sync.h"

#include <inttypes.h>

#include "base/guard.h"

static struct str sync_slot(const struct value *slots, int64_t i)
{
    const struct value *slot = value_item(slots, (size_t)i);

    return value_is(slot, VALUE_TEXT) ? slot->u.text : S("");
}

static int sync_is_down(const struct haproxy_stat *row)
{
    return str_starts(row->status, S("MAINT")) || str_starts(row->status, S("DRAIN"));
}

static int sync_start_slot(struct haproxy_call *c, const struct haproxy_stat *row,
                           struct str server, struct str address)
{
    size_t colon = str_find_char(address, ':');
    struct str answer;
    int rc = 0;

    if (!str_eq(row->address, address)) {
        c->acted = RV_ACTED_MAYBE;
        rc = HAPROXY_ASK(c, &answer, S("set"), S("server"), server, S("addr"),
                         str_slice(address, 0, colon), S("port"),
                         str_slice(address, colon + 1, address.n));
    }
    if (!rc && sync_is_down(row))
        rc = HAPROXY_TELL(c, S("set"), S("server"), server, S("state"), S("ready"));
    return rc;
}

/* One pass over the slots: `stop` 0 starts what shall serve, 1 stops the rest. */
static int sync_slots(struct haproxy_call *c, struct str backend, const struct value *slots,
                      int64_t n_slots, int stop)
{
    struct haproxy_stats stats;
    int rc = haproxy_read_stats(c, backend, &stats);

    for (int64_t i = 0; !rc && i < n_slots; i++) {
        struct str name = str_fmt(c->arena, "s%" PRId64, i), address = sync_slot(slots, i);
        struct str server = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(backend), STR_ARG(name));
        const struct haproxy_stat *row = haproxy_stats_find(&stats, name);

        if (!row)
            return haproxy_fail(c, RV_RETRY, "the proxy has no server '%.*s'", STR_ARG(server));
        if (address.n && !stop)
            rc = sync_start_slot(c, row, server, address);
        else if (!address.n && stop && !sync_is_down(row))
            rc = HAPROXY_TELL(c, S("set"), S("server"), server, S("state"), S("maint"));
    }
    return rc;
}

static int sync_verify_slots(struct haproxy_call *c, struct str backend, const struct value *slots,
                             int64_t n_slots)
{
    struct haproxy_stats stats;
    int rc = haproxy_read_stats(c, backend, &stats);

    for (int64_t i = 0; !rc && i < n_slots; i++) {
        struct str name = str_fmt(c->arena, "s%" PRId64, i), address = sync_slot(slots, i);
        const struct haproxy_stat *row = haproxy_stats_find(&stats, name);

        if (!row || sync_is_down(row) != !address.n ||
            (address.n && !str_eq(row->address, address)))
            return haproxy_fail(c, RV_RETRY, "server '%.*s/%.*s' of the proxy is not as told",
                                STR_ARG(backend), STR_ARG(name));
    }
    return rc;
}

int haproxy_sync_backend(struct haproxy_call *c, struct str backend, const struct value *slots,
                         int64_t n_slots)
{
    int rc = sync_slots(c, backend, slots, n_slots, 0);

    if (!rc)
        rc = sync_slots(c, backend, slots, n_slots, 1);
    return rc ? rc : sync_verify_slots(c, backend, slots, n_slots);
}

/* Add and change entries: all that is wanted. */
static int sync_put(struct haproxy_call *c, enum haproxy_map_id id, const struct haproxy_map *want,
                    const struct haproxy_map *have)
{
    struct str file = str_from_c(haproxy_map_file(id));
    int rc = 0;

    for (size_t i = 0; !rc && i < want->entries.n; i++) {
        const struct haproxy_entry *e = &want->entries.p[i];
        const struct haproxy_entry *now = haproxy_map_find(have, e->key);

        if (!now)
            rc = HAPROXY_TELL(c, S("add"), S("map"), file, e->key, e->value);
        else if (!str_eq(now->value, e->value))
            rc = HAPROXY_TELL(c, S("set"), S("map"), file, e->key, e->value);
    }
    return rc;
}

static size_t sync_count_extra(const struct haproxy_map *want, const struct haproxy_map *have)
{
    size_t n = 0;

    for (size_t i = 0; i < have->entries.n; i++)
        n += (size_t)!haproxy_map_find(want, have->entries.p[i].key);
    return n;
}

/* Requests that found the way here before it was shut have gone it: nothing leads to these any more. */
static int sync_drop(struct haproxy_call *c, enum haproxy_map_id id, const struct haproxy_map *want,
                     const struct haproxy_map *have)
{
    struct str file = str_from_c(haproxy_map_file(id));
    int rc = sync_count_extra(want, have) ? haproxy_settle(c) : 0;

    for (size_t i = 0; !rc && i < have->entries.n; i++)
        if (!haproxy_map_find(want, have->entries.p[i].key))
            rc = HAPROXY_TELL(c, S("del"), S("map"), file, have->entries.p[i].key);
    return rc;
}

/* Each leads to those before it: written in this order, and taken away from the end. */
static const enum haproxy_map_id sync_ids[] = { HAPROXY_MAP_USERS,   HAPROXY_MAP_NETWORKS,
                                                HAPROXY_MAP_HEADERS, HAPROXY_MAP_RULES,
                                                HAPROXY_MAP_SETS,    HAPROXY_MAP_PATHS,
                                                HAPROXY_MAP_GUARD,   HAPROXY_MAP_R };

static int sync_read_maps(struct haproxy_call *c, struct haproxy_maps *ret)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < N_ELEMENTS(sync_ids); i++)
        rc = haproxy_read_map(c, sync_ids[i], &ret->m[sync_ids[i]]);
    return rc;
}

static int sync_is_same(const struct haproxy_map *a, const struct haproxy_map *b)
{
    if (a->entries.n != b->entries.n)
        return 0;
    for (size_t i = 0; i < a->entries.n; i++)
        if (!str_eq(a->entries.p[i].key, b->entries.p[i].key) ||
            !str_eq(a->entries.p[i].value, b->entries.p[i].value))
            return 0;
    return 1;
}

/* The first file that differs, NULL: none. */
static const char *sync_difference(const struct haproxy_maps *want, const struct haproxy_maps *have)
{
    for (size_t i = 0; i < N_ELEMENTS(sync_ids); i++)
        if (!sync_is_same(&want->m[sync_ids[i]], &have->m[sync_ids[i]]))
            return haproxy_map_file(sync_ids[i]);
    return NULL;
}

int haproxy_sync_routes(struct haproxy_call *c, struct haproxy_model *m)
{
    struct haproxy_maps want, have = { 0 };
    const char *differs;
    int rc;

    haproxy_maps_make(m, &want);
    if ((rc = sync_read_maps(c, &have)) || !sync_difference(&want, &have))
        return rc;

    for (size_t i = 0; !rc && i < N_ELEMENTS(sync_ids); i++)
        rc = sync_put(c, sync_ids[i], &want.m[sync_ids[i]], &have.m[sync_ids[i]]);
    for (size_t i = N_ELEMENTS(sync_ids); !rc && i-- > 0;)
        rc = sync_drop(c, sync_ids[i], &want.m[sync_ids[i]], &have.m[sync_ids[i]]);
    if (rc || (rc = sync_read_maps(c, &have)))
        return rc;
    if ((differs = sync_difference(&want, &have)))
        return haproxy_fail(c, RV_RETRY, "%s of the proxy is not as told", differs);
    return 0;
}

int haproxy_sync_strays(struct haproxy_call *c, struct haproxy_model *m)
{
    struct haproxy_stats stats;
    int rc = haproxy_sync_routes(c, m);

    if (!rc)
        rc = haproxy_read_servers(c, &stats);
    for (size_t i = 0; !rc && i < stats.rows.n; i++) {
        const struct haproxy_stat *row = &stats.rows.p[i];

        if (!sync_is_down(row) && !haproxy_model_find(m, S("backend"), row->backend))
            rc = HAPROXY_TELL(
                c, S("set"), S("server"),
                str_fmt(c->arena, "%.*s/%.*s", STR_ARG(row->backend), STR_ARG(row->name)),
                S("state"), S("maint"));
    }
    return rc;
}

static int64_t sync_generation_in(const struct haproxy_map *have, struct str environment)
{
    const struct haproxy_entry *e = haproxy_map_find(have, environment);
    int64_t generation = 0;

    return e && !str_to_i64(e->value, &generation) ? generation : 0;
}

int haproxy_read_generation(struct haproxy_call *c, struct str environment, int64_t *ret)
{
    struct haproxy_map have;
    int rc = haproxy_read_map(c, HAPROXY_MAP_GEN, &have);

    if (!rc)
        *ret = sync_generation_in(&have, environment);
    return rc;
}

int haproxy_sync_generation(struct haproxy_call *c, struct str environment, int64_t generation)
{
    struct str file = str_from_c(haproxy_map_file(HAPROXY_MAP_GEN));
    struct str value = str_fmt(c->arena, "%" PRId64, generation);
    int64_t now = 0;
    int rc = haproxy_read_generation(c, environment, &now);

    if (!rc && now != generation && !generation)
        rc = HAPROXY_TELL(c, S("del"), S("map"), file, environment);
    else if (!rc && now != generation)
        rc = HAPROXY_TELL(c, now ? S("set") : S("add"), S("map"), file, environment, value);
    if (rc || (rc = haproxy_read_generation(c, environment, &now)))
        return rc;
    if (now != generation)
        return haproxy_fail(c, RV_RETRY, "the proxy serves generation %" PRId64 " of '%.*s'", now,
                            STR_ARG(environment));
    return haproxy_settle(c); /* and the set before takes nobody new */
}

int haproxy_heal_generations(struct haproxy_call *c, struct haproxy_store *s)
{
    struct haproxy_map have;
    int rc = haproxy_read_map(c, HAPROXY_MAP_GEN, &have), n_healed = 0;

    for (size_t i = 0; !rc && i < s->model.records.n; i++) {
        struct haproxy_record *r = &s->model.records.p[i];
        int64_t now;
        struct value *body;

        if (!str_eq(r->type, S("switch")))
            continue;
        now = sync_generation_in(&have, r->id);
        if (now == value_get_int(r->body, S("generation"), 0))
            continue;
        body = value_copy(c->arena, r->body);
        value_set_int(c->arena, body, S("generation"), now);
        haproxy_model_set(r, body);
        n_healed++;
    }
    return rc || !n_healed || !c->may_write ? rc : haproxy_store_save(c, s);
}
