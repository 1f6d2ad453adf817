/* Connections that stay open, ended a few at a time. SPDX-License-Identifier: Apache-2.0
 *
 * The lock is held meanwhile: nobody is led to what is ended, and no place of the pool changes hands. The proxy names a
 * connection by a pointer, and gives it to the next one as soon as it has ended: each is looked at again right before. */
#include <inttypes.h>

#include "providers/haproxy/edge.h"
#include "providers/haproxy/facts.h"
#include "providers/haproxy/sync.h"
#include "providers/haproxy/types.h"

struct shed {
    struct str backend;
    struct map servers; /* the names in the proxy of those whose connections are ended */
};

/* "0x55..: proto=tcpv4 src=.. fe=.. be=b3 srv=s0 ts=.." */
static struct str shed_field(struct str line, struct str name)
{
    struct str word;

    while (str_next(&line, ' ', &word))
        if (str_starts(word, name))
            return str_slice(word, name.n, word.n);
    return STR_NONE;
}

static int shed_has(const struct value *list, struct str address)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_is(value_item(list, i), VALUE_TEXT) &&
            str_eq(value_item(list, i)->u.text, address))
            return 1;
    return 0;
}

/* Of a backend that serves those alone that were taken out of it. */
static int shed_servers(struct haproxy_call *c, const struct haproxy_record *r, struct shed *ret)
{
    const struct value *servers = value_get(c->desired, S("servers"));
    const struct value *slots = value_get(r->body, S("slots"));
    struct haproxy_stats stats;
    int rc = haproxy_read_stats(c, r->id, &stats);

    ret->backend = r->id;
    map_init(&ret->servers, c->arena);
    for (size_t i = 0; !rc && i < stats.rows.n; i++) {
        const struct haproxy_stat *row = &stats.rows.p[i];

        if (!str_eq(row->name, S("BACKEND")) &&
            (!servers || (shed_has(servers, row->address) && !shed_has(slots, row->address))))
            map_put(&ret->servers, row->name, NULL);
    }
    return rc;
}

/* "  backend=b3 (id=6 mode=http)", "  server=s0 (id=1)": whose it is now; it may be gone, and its pointer another's. */
static int shed_is_its(struct haproxy_call *c, const struct shed *s, struct str pointer, int *ret)
{
    struct str answer, line, backend = STR_NONE, server = STR_NONE;
    int rc = HAPROXY_ASK(c, &answer, S("show"), S("sess"), pointer);

    while (!rc && str_next(&answer, '\n', &line)) {
        backend = backend.p ? backend : shed_field(line, S("backend="));
        server = server.p ? server : shed_field(line, S("server="));
    }
    *ret = !rc && str_eq(backend, s->backend) && map_has(&s->servers, server);
    return rc;
}

static int shed_one(struct haproxy_call *c, const struct shed *s, struct str pointer, int64_t *n)
{
    struct str ignored; /* it may have ended since */
    int is_its, rc = shed_is_its(c, s, pointer, &is_its);

    if (rc || !is_its)
        return rc;
    c->acted = RV_ACTED_MAYBE;
    rc = HAPROXY_ASK(c, &ignored, S("shutdown"), S("session"), pointer);
    *n += !rc;
    return rc;
}

static int shed_some(struct haproxy_call *c, const struct shed *s)
{
    int64_t n = 0, most = value_get_int(c->desired, S("n"), 0);
    struct value *out = value_map(c->arena);
    struct str answer, line;
    int rc = HAPROXY_ASK(c, &answer, S("show"), S("sess"));

    while (!rc && n < most && str_next(&answer, '\n', &line))
        if (str_starts(line, S("0x")) && str_eq(shed_field(line, S("be=")), s->backend) &&
            map_has(&s->servers, shed_field(line, S("srv="))))
            rc = shed_one(c, s, str_slice(line, 0, str_find_char(line, ':')), &n);
    if (rc)
        return rc;
    value_set_int(c->arena, out, S("n"), n);
    c->ret->observed = kit_give_json(c->h, c->arena, out);
    return haproxy_fail(c, c->ret->observed.p ? RV_DONE : RV_RETRY, "%s", "");
}

/* Somebody may have gone back to it since its connections were to be ended. */
static int shed_may(struct haproxy_call *c, const struct haproxy_store *s,
                    const struct haproxy_record *r)
{
    struct str user = haproxy_backend_user(&s->model, r->id);

    if (c->op->epoch < s->model.epoch)
        return haproxy_fail(c, RV_FATAL,
                            "epoch %" PRIu64 " is over: %" PRIu64 " has changed the edge",
                            c->op->epoch, s->model.epoch);
    if (user.p && !value_get(c->desired, S("servers")))
        return haproxy_fail(c, RV_STALE, "backend '%.*s' serves the live routes of '%.*s'",
                            STR_ARG(r->id), STR_ARG(user));
    return 0;
}

int haproxy_shed(struct haproxy_call *c)
{
    AUTO_STORE struct haproxy_store store = HAPROXY_STORE_NONE;
    const struct haproxy_record *r;
    struct shed s;
    size_t n;
    int rc = haproxy_edge_open(c, &store);

    if (rc || (rc = haproxy_heal_generations(c, &store)))
        return rc;
    r = haproxy_model_find_owner(&store.model, S("backend"), kit_str(c->op->owner), &n);
    if (!r)
        return haproxy_fail(c, RV_ABSENT, "nothing of '%.*s' is here",
                            STR_ARG(kit_str(c->op->owner)));
    if ((rc = shed_may(c, &store, r)) || (rc = shed_servers(c, r, &s)))
        return rc;
    return shed_some(c, &s);
}
