/* backend: one set's addresses in a backend of the pool. SPDX-License-Identifier: Apache-2.0
 *
 * A server keeps its slot as long as it is wanted; a new one takes a slot that was free before, so
 * that requests under way to a removed one end where they began. */
#include <inttypes.h>

#include "providers/haproxy/facts.h"
#include "providers/haproxy/latency.h"
#include "providers/haproxy/sync.h"
#include "providers/haproxy/types.h"
#include "providers/haproxy/words.h"

static int backend_check(struct haproxy_call *c, const struct value *body)
{
    const struct value *servers = value_get(body, S("servers"));

    if (!value_is(servers, VALUE_LIST))
        return haproxy_fail(c, RV_USER, "servers is not a list");
    for (size_t i = 0; i < value_count(servers); i++) {
        const struct value *server = value_item(servers, i);

        if (!value_is(server, VALUE_TEXT) || !haproxy_server_is(server->u.text))
            return haproxy_fail(c, RV_USER, "servers[%zu] is not IPv4:PORT", i);
        for (size_t k = 0; k < i; k++)
            if (str_eq(value_item(servers, k)->u.text, server->u.text))
                return haproxy_fail(c, RV_USER, "server '%.*s' stands twice",
                                    STR_ARG(server->u.text));
    }
    return 0;
}

static int backend_wants(const struct value *servers, struct str address)
{
    for (size_t i = 0; i < value_count(servers); i++)
        if (str_eq(value_item(servers, i)->u.text, address))
            return 1;
    return 0;
}

static size_t backend_find(const struct str *slots, size_t n_slots, struct str address)
{
    for (size_t i = 0; i < n_slots; i++)
        if (str_eq(slots[i], address))
            return i;
    return STR_NPOS;
}

/* Slots that were free are taken before those that become free now. */
static void backend_place(const struct value *servers, const struct value *old, size_t n_slots,
                          struct str *slots)
{
    for (size_t i = 0; i < n_slots; i++) {
        const struct value *slot = value_item(old, i);
        struct str address = value_is(slot, VALUE_TEXT) ? slot->u.text : S("");

        slots[i] = !address.n || backend_wants(servers, address) ? address : S("-");
    }
    for (size_t i = 0; i < value_count(servers); i++) {
        struct str address = value_item(servers, i)->u.text;
        size_t at = backend_find(slots, n_slots, address);

        if (at == STR_NPOS && (at = backend_find(slots, n_slots, S(""))) == STR_NPOS)
            at = backend_find(slots, n_slots, S("-"));
        slots[at] = address;
    }
}

static struct value *backend_body(struct haproxy_call *c, const struct haproxy_model *m,
                                  const struct haproxy_record *r)
{
    const struct value *servers = value_get(c->desired, S("servers"));
    const struct value *label = value_get(c->desired, S("label"));
    const struct value *before = r ? value_get(r->body, S("before")) : NULL;
    size_t n_slots = (size_t)m->conf.n_slots;
    struct str *slots = arena_new_n(c->arena, struct str, n_slots);
    struct value *body = value_map(c->arena), *list = value_list(c->arena);

    if (!slots)
        return NULL;
    backend_place(servers, r ? value_get(r->body, S("slots")) : NULL, n_slots, slots);
    for (size_t i = 0; i < n_slots; i++)
        value_add(c->arena, list,
                  value_text(c->arena, str_eq(slots[i], S("-")) ? S("") : slots[i]));
    value_set(c->arena, body, S("slots"), list);
    if (before)
        value_set(c->arena, body, S("before"), value_copy(c->arena, before));
    if (label)
        value_set(c->arena, body, S("label"), value_copy(c->arena, label));
    return body;
}

static int backend_take(struct haproxy_call *c, struct haproxy_store *s, struct value *body,
                        struct haproxy_record **ret)
{
    struct value *before;
    struct str id = haproxy_model_take_backend(&s->model);
    int rc;

    if (!id.n)
        return haproxy_fail(c, RV_USER, "the pool is used up: all %" PRId64 " backends serve a set",
                            s->model.conf.n_backends);
    if ((rc = haproxy_latency_clear(c, id)) || (rc = haproxy_facts_before(c, id, &before)))
        return rc;
    value_set(c->arena, body, S("before"), before);
    return haproxy_add(c, s, S("backend"), id, ret);
}

static int backend_put(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                       struct haproxy_record **ret)
{
    size_t n = value_count(value_get(c->desired, S("servers")));
    struct value *body;
    int rc;

    if (n > (size_t)s->model.conf.n_slots)
        return haproxy_fail(c, RV_USER,
                            "%zu servers, but a backend of the pool has %" PRId64 " slots", n,
                            s->model.conf.n_slots);
    if (!(body = backend_body(c, &s->model, r)))
        return haproxy_fail(c, RV_RETRY, "out of memory");
    if (!r && (rc = backend_take(c, s, body, &r)))
        return rc;

    haproxy_model_set(r, body);
    *ret = r;
    if ((rc = haproxy_commit(c, s, r)))
        return rc;
    return haproxy_sync_backend(c, r->id, value_get(r->body, S("slots")), s->model.conf.n_slots);
}

static int backend_serves(struct str id, const struct value *route)
{
    const struct value *canary = value_get(route, S("canary"));

    return str_eq(value_get_text(route, S("backend"), STR_NONE), id) ||
           str_eq(value_get_text(canary, S("backend"), STR_NONE), id);
}

struct str haproxy_backend_user(const struct haproxy_model *m, struct str id)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        const struct value *routes = value_get(r->body, S("routes"));
        struct str environment = value_get_text(r->body, S("environment"), S(""));

        if (!str_eq(r->type, S("routes")) ||
            haproxy_generation_of(m, environment) != value_get_int(r->body, S("generation"), -1))
            continue;
        for (size_t n = 0; n < value_count(routes); n++)
            if (backend_serves(id, value_item(routes, n)))
                return environment;
    }
    return STR_NONE;
}

static int backend_drop(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r)
{
    struct str id, user;
    int rc;

    if (!r)
        return 0;
    if ((rc = haproxy_heal_generations(c, s)))
        return rc;
    id = r->id;
    user = haproxy_backend_user(&s->model, id);
    if (user.p)
        return haproxy_fail(c, RV_WAIT, "backend '%.*s' serves the live routes of '%.*s'",
                            STR_ARG(id), STR_ARG(user));
    haproxy_model_remove(&s->model, r);
    if ((rc = haproxy_store_save(c, s)))
        return rc;
    return haproxy_sync_backend(c, id, NULL, s->model.conf.n_slots);
}

static int backend_observe(struct haproxy_call *c, struct haproxy_store *s,
                           struct haproxy_record *r, struct value *observed, struct value *outputs)
{
    const struct value *slots = value_get(r->body, S("slots"));
    struct value *servers = value_map(c->arena);
    struct haproxy_stats stats;
    int rc = haproxy_read_stats(c, r->id, &stats);

    (void)s;
    for (size_t i = 0; !rc && i < value_count(slots); i++) {
        struct str address = value_item(slots, i)->u.text;
        const struct haproxy_stat *row = haproxy_stats_find(&stats, str_fmt(c->arena, "s%zu", i));

        if (!address.n)
            continue;
        if (!row || !str_eq(row->address, address))
            value_set_text(c->arena, servers, address, S("ABSENT"));
        else /* the proxy probes nobody: it takes a server that is not stopped for good */
            value_set_text(c->arena, servers, address,
                           str_eq(row->status, S("no check")) ? S("UP") : row->status);
    }
    value_set(c->arena, observed, S("servers"), servers);
    value_set_text(c->arena, outputs, S("backend"), r->id);
    return rc;
}

const struct haproxy_type haproxy_backend_type = { "backend", backend_check, backend_put,
                                                   backend_drop, backend_observe };
