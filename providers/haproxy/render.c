/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/render.h"

#include <inttypes.h>

#include "base/hash.h"

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

/* What the edge judges is what the application gets, but for empty segments: they are dropped from
 * the key alone, because applications carry URLs in paths. */
static const char render_check[] =
    "    http-request deny deny_status 405 if METH_CONNECT\n"
    "    http-request disable-l7-retry unless METH_GET\n" /* an application that closed before it read */
    "    http-request deny deny_status 400 if { req.hdr_names -m reg '[^A-Za-z0-9,-]' }\n"
    "    http-request normalize-uri percent-decode-unreserved\n"
    "    http-request normalize-uri percent-to-uppercase\n"
    "    http-request normalize-uri path-strip-dot\n"
    "    http-request normalize-uri path-strip-dotdot full\n";

static const char render_host_key[] =
    "    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)\n"
    "    http-request deny deny_status 400 unless { var(txn.host) -m reg '^[a-z0-9.-]+$' }\n"
    "    http-request deny deny_status 400 if { path -m reg '%(2F|5C|00)|\\x5C' } "
    "{ var(txn.host),map_str(paths.map) -m found }\n"
    "    http-request set-var-fmt(txn.key) %[var(txn.host)]%[path]/\n";

static const char render_port_key[] = "    http-request set-var-fmt(txn.key) :%[dst_port]/\n";

static const char render_route[] =
    "    http-request set-var(txn.route) var(txn.key),regsub(//+,/,g),map_beg(r.map)\n"
    "    http-request set-var(txn.generation) var(txn.route),field(1,:),map_str(gen.map)\n"
    "    http-request set-var-fmt(txn.set) %[var(txn.generation)]:%[var(txn.route)]\n"
    "    http-request set-var(txn.backend) var(txn.set),map_str(sets.map)\n"
    "    http-request return status 404 content-type text/plain string \"no route\\n\" "
    "unless { var(txn.backend) -m found }\n";

/* Forwarding headers from outside are dropped and set anew, but a trusted proxy names its client. */
static const char render_forward[] =
    "    http-request del-header X-Forwarded- -m beg unless trusted\n"
    "    http-request del-header Forwarded unless trusted\n"
    "    http-request del-header X-Real-IP unless trusted\n"
    "    http-request add-header X-Forwarded-For %[src]\n"
    "    http-request set-header X-Forwarded-Proto http "
    "unless trusted { req.hdr(X-Forwarded-Proto) -m found }\n"
    "    http-request set-header X-Forwarded-Host %[req.hdr(host)] "
    "unless trusted { req.hdr(X-Forwarded-Host) -m found }\n"
    "    http-request set-header X-Forwarded-Port %[dst_port] "
    "unless trusted { req.hdr(X-Forwarded-Port) -m found }\n"
    "    http-request del-header Connection unless { req.hdr(Upgrade) -i websocket }\n"
    "    http-request del-header Upgrade unless { req.hdr(Upgrade) -i websocket }\n"
    "    use_backend %[var(txn.backend)]\n";

static void render_trusted(struct sb *b, const struct value *trusted)
{
    if (!value_count(trusted)) {
        sb_add_c(b, "    acl trusted always_false\n");
        return;
    }
    sb_add_c(b, "    acl trusted src");
    for (size_t i = 0; i < value_count(trusted); i++)
        sb_addf(b, " %.*s", STR_ARG(value_item(trusted, i)->u.text));
    sb_add_c(b, "\n");
}

static void render_rules(struct sb *b, const struct haproxy_conf *conf)
{
    sb_add_c(b, "# The edge of reeve; written by it, changes are lost.\n\n");
    sb_add_c(b, render_defaults);

    sb_addf(b, "\nfrontend http\n    bind %.*s\n", STR_ARG(conf->http));
    render_trusted(b, conf->trusted);
    sb_add_c(b, render_check);
    sb_add_c(b, render_host_key);
    sb_add_c(b, render_route);
    sb_add_c(b, render_forward);

    if (!conf->internal_first)
        return;
    sb_addf(b, "\nfrontend internal\n    bind 127.0.0.1:%" PRId64 "-%" PRId64 "\n",
            conf->internal_first, conf->internal_last);
    render_trusted(b, NULL);
    sb_add_c(b, render_check);
    sb_add_c(b, render_port_key);
    sb_add_c(b, render_route);
    sb_add_c(b, render_forward);
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
    return sb_str(&b);
}
