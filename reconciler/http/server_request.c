/* A request, from its first header to its end. SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/http/framing.h"
#include "reconciler/http/hooks.h"
#include "reconciler/http/hosts.h"
#include "reconciler/http/rate.h"
#include "reconciler/http/server_parts.h"

#define DROPPED_MAX (8u << 20) /* of a body that is too large, before the connection is cut */

size_t server_unescape(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return framing_unescape(text);
}

/* --- line and headers ---------------------------------------------------------------------------- */

struct reader {
    struct http_exchange *x;
    struct value *map;
    struct framing framing;
    struct err *err;
    int rc;
};

static enum MHD_Result stop_reading(struct reader *r, int code, const char *text)
{
    r->rc = err_set(r->err, code, "%s", text);
    return MHD_NO;
}

static int is_text(struct http_exchange *x, struct str text)
{
    return str_clean(&x->arena, text).p == text.p;
}

static enum MHD_Result see_query(void *ctx, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct reader *r = ctx;
    struct str name = str_copy(&r->x->arena, str_from_c(key));
    struct str text = str_copy(&r->x->arena, str_from_c(value ? value : ""));

    (void)kind;
    if (value_count(r->map) >= HTTP_QUERY_MAX)
        return stop_reading(r, ERR_USAGE, "the query has too many names");
    if (!is_text(r->x, name) || !is_text(r->x, text))
        return stop_reading(r, ERR_USAGE, "the query is not UTF-8");
    value_set_text(&r->x->arena, r->map, name, text);
    return MHD_YES;
}

static struct str lower(struct arena *a, struct str text)
{
    char *copy = str_to_c(a, text);

    for (char *p = copy; p && *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    return copy ? (struct str){ copy, text.n } : S("");
}

static enum MHD_Result see_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct reader *r = ctx;
    struct arena *a = &r->x->arena;
    struct str name = lower(a, str_from_c(key)), text = str_from_c(value ? value : "");
    struct str before = value_get_text(r->map, name, STR_NONE);

    (void)kind;
    framing_see(&r->framing, name, text);
    if (value_count(r->map) >= HTTP_HEADERS_MAX)
        return stop_reading(r, ERR_HEADERS, "there are too many headers");
    if (!is_text(r->x, name) || !is_text(r->x, text))
        return stop_reading(r, ERR_USAGE, "a header is not UTF-8");
    text = before.p ? str_fmt(a, "%.*s,%.*s", STR_ARG(before), STR_ARG(text)) : str_copy(a, text);
    value_set_text(a, r->map, name, text);
    return MHD_YES;
}

static int check_host(const struct http_exchange *x, struct err *err)
{
    const struct hosts_request in = { .method = x->method,
                                      .host = value_get_text(x->headers, S("host"), S("")),
                                      .origin = value_get_text(x->headers, S("origin"), STR_NONE),
                                      .is_tls = x->is_tls };

    return x->door == HTTP_DOOR_SOCKET ? 0 : hosts_check(x->server->hosts, &in, err);
}

/* Hooks come through the API's door where they have none of their own. */
static size_t body_max(const struct http_exchange *x)
{
    int is_hook = x->door == HTTP_DOOR_HOOKS ||
                  (x->door == HTTP_DOOR_API && hooks_is_path(x->path));

    return is_hook ? HTTP_BODY_HOOKS_MAX : HTTP_BODY_MAX;
}

/* All that is known before the body comes. */
static int read_head(struct http_exchange *x, struct err *err)
{
    struct reader query = { .x = x, .map = value_map(&x->arena), .err = err };
    struct reader headers = { .x = x, .map = value_map(&x->arena), .err = err };

    x->query = query.map;
    x->headers = headers.map;
    (void)MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, see_query, &query);
    if (!query.rc)
        (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, see_header, &headers);
    if (query.rc || headers.rc)
        return err->code;
    if (framing_check(&headers.framing, body_max(x), err))
        return err->code;
    if (!is_text(x, x->path))
        return err_set(err, ERR_USAGE, "the path is not UTF-8");
    return check_host(x, err);
}

/* --- a request ----------------------------------------------------------------------------------- */

static struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection,
                                          const char *url, const char *method)
{
    struct connection *c = server_connection(connection);
    struct http_exchange *x = alloc_zero(sizeof(*x));

    if (!x)
        return NULL;
    arena_init(&x->arena, 0);
    x->server = s;
    x->connection = connection;
    x->door = s->door;
    x->is_tls = s->tls != NULL;
    x->method = str_copy(&x->arena, str_from_c(method));
    x->path = str_copy(&x->arena, str_from_c(url));
    x->address = str_copy(&x->arena, str_from_c(c->address));
    x->network = rate_network(&x->arena, x->address);
    x->answer_headers = value_list(&x->arena);
    sb_init(&x->received, &x->arena);
    connections_peer(c, &x->peer);
    return x;
}

/* An answer before the body was read ends the connection. */
static enum MHD_Result first_call(struct http_server *s, struct MHD_Connection *connection,
                                  const char *url, const char *method, void **ret)
{
    struct connection *c = server_connection(connection);
    struct http_exchange *x = c ? exchange_new(s, connection, url, method) : NULL;
    struct err err = ERR_INIT;

    if (!x)
        return MHD_NO;
    *ret = x;
    connections_enter(c, CONNECTIONS_BODY);
    if (read_head(x, &err)) {
        x->refused = err.code;
        http_answer_error(x, &err);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *data, size_t *n)
{
    size_t size = *n, max = body_max(x);

    *n = 0;
    x->n_received += size;
    if (x->n_received > DROPPED_MAX)
        return MHD_NO;
    if (x->n_received > max)
        x->refused = ERR_LIMIT;
    else
        sb_add(&x->received, (struct str){ data, size });
    return MHD_YES;
}

enum MHD_Result server_request(void *ctx, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *n_data, void **own)
{
    struct http_server *s = ctx;
    struct http_exchange *x = *own;
    struct err err = ERR_INIT;

    (void)version;
    if (!x)
        return first_call(s, connection, url, method, own);
    if (*n_data)
        return take_body(x, data, n_data);
    if (x->is_answered)
        return MHD_YES;
    if (x->refused) {
        (void)err_set(&err, x->refused, "the body is larger than %zu bytes", body_max(x));
        http_answer_error(x, &err);
        return MHD_YES;
    }
    x->body = sb_str(&x->received);
    x->is_handled = 1;
    connections_enter(server_connection(connection), CONNECTIONS_HANDLED);
    MHD_suspend_connection(connection);
    if (s->connections.is_stopping) /* who was let in is answered, once */
        http_header(x, "Connection", S("close"));
    if (arena_status(&x->arena, &err))
        http_answer_error(x, &err);
    else
        s->handle(s->ctx, x);
    return MHD_YES;
}

void server_request_over(void *ctx, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode code)
{
    struct connection *c = server_connection(connection);
    struct http_exchange *x = *own;

    (void)ctx;
    (void)code;
    if (c)
        connections_enter(c, CONNECTIONS_IDLE);
    if (!x)
        return;
    if (x->stream)
        server_stream_over(TAKE(x->stream));
    arena_fini(&x->arena);
    alloc_free(x);
    *own = NULL;
}
