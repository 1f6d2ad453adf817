/* A request, from its first header to its end. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/http/framing.h"
#include "reconciler/http/hooks.h"
#include "reconciler/http/hosts.h"
#include "reconciler/http/rate.h"
#include "reconciler/http/server_parts.h"

#define DROPPED_MAX (8u << 20) /* of a body that is too large, before the connection is cut */

/* --- the head ------------------------------------------------------------------------------------ */

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

/* --- a request ----------------------------------------------------------------------------------- */

/* NULL: there is no memory, or no head that the intake has read. */
static struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection,
                                          struct err *err)
{
    struct connection *c = server_connection(connection);
    struct http_exchange *x = c ? alloc_zero(sizeof(*x)) : NULL;
    struct head head;

    if (!x)
        return NULL;
    if (intake_claim(&c->intake, &x->arena, &head, err) == -1) {
        alloc_free(x);
        return NULL;
    }
    x->server = s;
    x->began_ms = loop_mono_ms(s->loop);
    (void)snprintf(x->id_text, sizeof(x->id_text), "%016llx",
                   (unsigned long long)loop_random(s->loop));
    x->id = (struct str){ x->id_text, HTTP_ID_DIGITS };
    x->connection = connection;
    x->door = s->door;
    x->is_tls = s->tls != NULL;
    x->method = head.method;
    x->path = head.path;
    x->query = head.query;
    x->headers = head.headers;
    x->address = str_copy(&x->arena, str_from_c(c->address));
    x->network = rate_network(&x->arena, x->address);
    x->answer_headers = value_list(&x->arena);
    sb_init(&x->received, &x->arena);
    connections_peer(c, &x->peer);
    if (!err->code && !framing_check(&head.framing, body_max(x), err))
        (void)check_host(x, err);
    return x;
}

/* An answer before the body was read ends the connection. */
static enum MHD_Result first_call(struct http_server *s, struct MHD_Connection *connection,
                                  void **ret)
{
    struct err err = ERR_INIT;
    struct http_exchange *x = exchange_new(s, connection, &err);

    if (!x)
        return MHD_NO;
    *ret = x;
    connections_enter(server_connection(connection), CONNECTIONS_BODY);
    if (err.code) {
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

    (void)url; /* what the intake wrote */
    (void)method;
    (void)version;
    if (!x)
        return first_call(s, connection, own);
    if (*n_data)
        return take_body(x, data, n_data);
    if (x->is_answered)
        return MHD_YES;
    if (x->refused)
        (void)err_set(&err, x->refused, "the body is larger than %zu bytes", body_max(x));
    if (x->refused || intake_check(&server_connection(connection)->intake, &err)) {
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
    struct http_server *s = ctx;
    struct http_exchange *x = *own;

    (void)code;
    if (c) {
        connections_enter(c, CONNECTIONS_IDLE);
        intake_next(&c->intake);
    }
    if (!x)
        return;
    if (s->over)
        s->over(s->ctx, x);
    if (x->stream)
        server_stream_over(TAKE(x->stream));
    arena_fini(&x->arena);
    alloc_free(x);
    *own = NULL;
}
