/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/render.h"

#include <inttypes.h>

#include "base/hash.h"
#include "providers/haproxy/frontend.h"

/* No request is replayed: only a connection that was never made is tried again, on another server
 * first. The client's connection lives on, the server's does not: applications close idle ones. A new
 * one begins with its request (edge_connect.c). */
static const char render_defaults[] =
    "global\n"
    "    stats socket unix@" HAPROXY_SOCKET_FILE " mode 600 level admin expose-fd listeners\n"
    "    stats timeout 30s\n"
    "    fd-hard-limit 20000\n" /* maxconn follows from it and from the process's own limit */
    "    noreuseport\n"         /* or a second proxy would share our ports unnoticed */
    "    expose-experimental-directives\n"
    "    lua-load-per-thread " HAPROXY_LUA_FILE "\n"
    "\n"
    "defaults\n"
    "    mode http\n"
    "    balance leastconn\n"
    "    option http-server-close\n"
    "    option idle-close-on-response\n" /* one that leaves says so in an answer */
    "    option redispatch 1\n"
    "    retries 3\n"
    "    retry-on conn-failure empty-response\n" /* the second for GET and HEAD alone, see below */
    "    timeout connect 5s\n"
    "    timeout http-request 10s\n"
    "    timeout http-keep-alive 1m\n"
    "    timeout queue 30s\n"
    "    timeout client 15m\n"
    "    timeout client-fin 30s\n"
    "    timeout server 15m\n"
    "    timeout tunnel 2h\n"
    "    http-error status 400 content-type text/plain string \"bad request\\n\"\n"
    "    http-error status 503 content-type text/plain string \"no server answers\\n\"\n";

static void render_rules(struct sb *b, const struct haproxy_conf *conf)
{
    sb_add_c(b, "# The edge of reeve; written by it, changes are lost.\n\n");
    sb_add_c(b, render_defaults);
    haproxy_frontend_render(b, conf);
}

struct str haproxy_render_name(struct arena *a, const struct haproxy_conf *conf)
{
    struct digest digest;
    struct sb b;

    sb_init(&b, a);
    render_rules(&b, conf);
    sb_addf(&b, "%" PRId64 " %" PRId64, conf->n_backends, conf->n_slots);
    digest = hash_bytes(sb_str(&b));
    return digest_base32(a, &digest);
}

static void render_backend(struct sb *b, struct haproxy_model *m, int64_t n,
                           const struct haproxy_record *r)
{
    const struct value *slots = r ? value_get(r->body, S("slots")) : NULL;

    sb_addf(b, "\nbackend b%" PRId64 "\n", n);
    if (r)
        sb_addf(b, "    %.*s\n", STR_ARG(haproxy_model_comment(m, r)));
    for (int64_t i = 0; i < m->conf.n_slots; i++) {
        const struct value *slot = value_item(slots, (size_t)i);

        if (value_is(slot, VALUE_TEXT) && slot->u.text.n)
            sb_addf(b, "    server s%" PRId64 " %.*s\n", i, STR_ARG(slot->u.text));
        else
            sb_addf(b, "    server s%" PRId64 " " HAPROXY_FREE_ADDRESS " disabled\n", i);
    }
}

/* The records of the pool by their number, the others into the file. */
static void render_records(struct sb *b, struct haproxy_model *m,
                           const struct haproxy_record **backends)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        int64_t n = 0;

        if (!str_eq(r->type, S("backend")))
            sb_addf(b, "%.*s\n", STR_ARG(haproxy_model_comment(m, r)));
        else if (!str_to_i64(str_slice(r->id, 1, r->id.n), &n) && n >= 0 && n < m->conf.n_backends)
            backends[n] = r;
    }
}

struct str haproxy_render(struct haproxy_model *m, size_t *ret_n_rules)
{
    const struct haproxy_record **backends = arena_new_n(m->arena, const struct haproxy_record *,
                                                         (size_t)m->conf.n_backends);
    struct sb b;

    sb_init(&b, m->arena);
    render_rules(&b, &m->conf);
    sb_addf(&b, "\nglobal\n    description %.*s\n",
            STR_ARG(haproxy_render_name(m->arena, &m->conf)));
    *ret_n_rules = b.n;
    if (!backends)
        return sb_str(&b); /* the arena remembers */

    sb_addf(&b, "\n%.*s\n", STR_ARG(haproxy_model_comment(m, NULL)));
    render_records(&b, m, backends);
    for (int64_t n = 0; n < m->conf.n_backends; n++)
        render_backend(&b, m, n, backends[n]);
    sb_add_c(&b, HAPROXY_MODEL_END "\n");
    return sb_str(&b);
}
