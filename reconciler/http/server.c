/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/http/connections.h"
#include "reconciler/http/framing.h"
#include "reconciler/http/listen.h"

#define DROPPED_MAX (8u << 20) /* of a body that is too large, before the connection is cut */
#define ANSWER_SMALL 4096
#define REFUSED_TOLD_MS 60000

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_watch *watch;
    struct loop_timer *timer;
    struct connections connections;
    http_handle *handle;
    http_admit *admit;
    void *ctx;
    int64_t refused_ms; /* when we last told of one */
    char *path;
    int quiesced_fd; /* the listening socket while we stop */
    int runs_again;  /* something was done that libmicrohttpd does not tell of */
    loop_fn *ended;
    void *ended_ctx;
};

static void drive(void *ctx);

static void soon(void *ctx)
{
    struct http_server *s = ctx;

    s->runs_again = 1;
    loop_timer_set(s->timer, loop_mono_ms(s->loop));
}

/* --- connections --------------------------------------------------------------------------------- */

static struct connection *connection_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* One line a minute, however often somebody tries. */
static void check_peer(struct http_server *s, struct connection *c)
{
    int64_t now_ms = loop_mono_ms(s->loop);
    struct err err = ERR_INIT;
    struct http_peer peer;

    connections_peer(c, &peer);
    if (!s->admit(s->ctx, &peer, &err))
        return;
    connections_cut(c);
    if (s->refused_ms && now_ms - s->refused_ms < REFUSED_TOLD_MS)
        return;
    s->refused_ms = now_ms;
    LOG(LOG_WARN, "a connection was refused", LOG_C("err", err.text));
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = ctx;
    struct connection *c = *socket_context;

    if (code != MHD_CONNECTION_NOTIFY_STARTED) {
        if (c)
            connections_remove(c);
        return;
    }
    c = connections_add(
        &s->connections, /* without memory for it its request is refused */
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    *socket_context = c;
    if (c && s->admit)
        check_peer(s, c);
}

/* --- a request ----------------------------------------------------------------------------------- */

static enum MHD_Result see_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    (void)kind;
    framing_see(ctx, str_from_c(key), str_from_c(value));
    return MHD_YES;
}

static size_t unescape(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return framing_unescape(text);
}

struct query_reader {
    struct arena *arena;
    struct value *map;
};

static enum MHD_Result see_query(void *ctx, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct query_reader *q = ctx;

    (void)kind;
    if (value_count(q->map) >= HTTP_QUERY_MAX)
        return MHD_NO;
    value_set_text(q->arena, q->map, str_copy(q->arena, str_from_c(key)),
                   str_copy(q->arena, str_from_c(value ? value : "")));
    return MHD_YES;
}

static struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection,
                                          const char *url, const char *method)
{
    struct http_exchange *x = alloc_zero(sizeof(*x));
    struct query_reader q;

    if (!x)
        return NULL;
    arena_init(&x->arena, 0);
    x->server = s;
    x->connection = connection;
    x->method = str_copy(&x->arena, str_from_c(method));
    x->path = str_copy(&x->arena, str_from_c(url));
    q = (struct query_reader){ &x->arena, value_map(&x->arena) };
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, see_query, &q);
    x->query = q.map;
    sb_init(&x->received, &x->arena);
    connections_peer(connection_of(connection), &x->peer);
    return x;
}

/* An answer before the body was read ends the connection. */
static enum MHD_Result first_call(struct http_server *s, struct MHD_Connection *connection,
                                  const char *url, const char *method, void **ret)
{
    struct connection *c = connection_of(connection);
    struct http_exchange *x = c ? exchange_new(s, connection, url, method) : NULL;
    struct framing framing = { 0 };
    struct err err = ERR_INIT;

    if (!x)
        return MHD_NO;
    *ret = x;
    connections_enter(c, CONNECTIONS_BODY);
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see_header, &framing);
    if (framing_check(&framing, HTTP_BODY_MAX, &err)) {
        x->refused = err.code;
        http_answer_error(x, &err);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *data, size_t *n)
{
    size_t size = *n;

    *n = 0;
    x->n_received += size;
    if (x->n_received > DROPPED_MAX)
        return MHD_NO;
    if (x->n_received > HTTP_BODY_MAX)
        x->refused = ERR_LIMIT;
    else
        sb_add(&x->received, (struct str){ data, size });
    return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
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
        (void)err_set(&err, x->refused, "the body is larger than %u bytes", HTTP_BODY_MAX);
        http_answer_error(x, &err);
        return MHD_YES;
    }
    x->body = sb_str(&x->received);
    x->is_handled = 1;
    connections_enter(connection_of(connection), CONNECTIONS_HANDLED);
    MHD_suspend_connection(connection);
    if (s->connections.is_stopping || arena_status(&x->arena, &err)) {
        (void)err_set(&err, ERR_BUSY, "the daemon is stopping");
        http_answer_error(x, &err);
    } else {
        s->handle(s->ctx, x);
    }
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode code)
{
    struct connection *c = connection_of(connection);
    struct http_exchange *x = *own;

    (void)ctx;
    (void)code;
    if (c)
        connections_enter(c, CONNECTIONS_IDLE);
    if (!x)
        return;
    arena_fini(&x->arena);
    alloc_free(x);
    *own = NULL;
}

/* --- answers ------------------------------------------------------------------------------------- */

static void queue_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct connection *c = connection_of(x->connection);
    union {
        const char *in;
        void *out;
    } bytes = { .in = body.p ? body.p : "" }; /* libmicrohttpd does not write through it */
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, bytes.out,
                                                                    MHD_RESPMEM_PERSISTENT);
    int closes = !x->is_handled || c->all->is_stopping;

    connections_enter(c, CONNECTIONS_SENDS);
    c->n_unsent = body.n;
    if (response) {
        (void)MHD_add_response_header(response, "Content-Type", type); /* ours, always valid */
        (void)MHD_add_response_header(response, "Cache-Control", "no-store");
        if (closes)
            (void)MHD_add_response_header(response, "Connection", "close");
    }
    if (!response || MHD_queue_response(x->connection, (unsigned)status, response) != MHD_YES)
        connections_cut(c);
    if (response)
        MHD_destroy_response(response);
}

void http_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct err err = ERR_INIT;

    PRE(!x->is_answered);
    if (body.n > ANSWER_SMALL && !connections_may_send(connection_of(x->connection), body.n)) {
        arena_reset(&x->arena); /* that answer is never sent */
        (void)err_set(&err, ERR_BUSY, "answers to you wait to be read: read them first");
        http_answer_error(x, &err);
        return;
    }
    x->is_answered = 1;
    queue_answer(x, status, type, body);
    if (x->is_handled)
        MHD_resume_connection(x->connection);
    soon(x->server);
}

/* --- start and stop ------------------------------------------------------------------------------ */

/* It is ours as long as we listen: the next daemon may bind it only after. */
static void remove_socket(struct http_server *s)
{
    if (s->path)
        (void)unlink(s->path); /* a stale one is removed at the next start */
    alloc_free(TAKE(s->path));
}

static void server_free(struct http_server *s)
{
    loop_fn *ended = s->ended;
    void *ctx = s->ended_ctx;

    if (s->watch)
        loop_unwatch(s->watch);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    if (s->timer)
        loop_timer_free(s->timer);
    connections_fini(&s->connections);
    guard_close(&s->quiesced_fd);
    remove_socket(s);
    alloc_free(s);
    if (ended)
        ended(ctx);
}

static void drive(void *ctx)
{
    struct http_server *s = ctx;
    MHD_UNSIGNED_LONG_LONG ms;

    s->runs_again = 0;
    (void)MHD_run(s->daemon);
    if (s->connections.is_stopping && !s->connections.first) {
        server_free(s);
        return;
    }
    if (s->runs_again)
        loop_timer_set(s->timer, loop_mono_ms(s->loop));
    else if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
        loop_timer_set(s->timer, loop_mono_ms(s->loop) + (int64_t)ms);
    else
        loop_timer_set(s->timer, -1);
}

static void on_log(void *ctx, const char *fmt, va_list ap)
{
    char text[512];

    (void)ctx;
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line is still a line */
    LOG(LOG_DEBUG, "http", LOG_C("err", text));
}

static int start_daemon(struct http_server *s, int *take_fd, struct err *err)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL }, /* the deadlines are ours */
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, NULL },
        { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
        { MHD_OPTION_LISTEN_SOCKET, *take_fd, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    const union MHD_DaemonInfo *info;

    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_UNESCAPE_CALLBACK, unescape, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(err, ERR_IO, "http server: %s", strerror(errno));
    (void)TAKE_FD(*take_fd);
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return loop_watch_fd(s->loop, info->epoll_fd, drive, s, &s->watch, err);
}

static struct connections connections_as(const struct http_server_options *options,
                                         struct http_server *s)
{
    return (struct connections){
        .loop = options->loop,
        .limit_ms = {
            [CONNECTIONS_HEADERS] = options->header_ms ? options->header_ms : HTTP_HEADER_MS,
            [CONNECTIONS_BODY] = options->body_ms ? options->body_ms : HTTP_BODY_MS,
            [CONNECTIONS_IDLE] = options->idle_ms ? options->idle_ms : HTTP_IDLE_MS,
            [CONNECTIONS_SENDS] = HTTP_SEND_MS,
        },
        .drain_ms = HTTP_DRAIN_MS,
        .n_max = HTTP_CONNECTIONS_USER_MAX,
        .unsent_max = HTTP_UNSENT_USER_MAX,
        .cut = soon,
        .ctx = s,
    };
}

static int server_init(struct http_server *s, const struct http_server_options *options,
                       struct err *err)
{
    s->loop = options->loop;
    s->handle = options->handle;
    s->admit = options->admit;
    s->ctx = options->ctx;
    s->quiesced_fd = -1;
    s->connections = connections_as(options, s);
    s->path = alloc_zero(strlen(options->socket_path) + 1);
    if (s->path)
        strcpy(s->path, options->socket_path);
    s->timer = loop_timer_new(s->loop, drive, s);
    if (!s->path || !s->timer)
        return err_set(err, ERR_NOMEM, "http server: out of memory");
    return connections_init(&s->connections, err);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret,
                      struct err *err)
{
    struct http_server *s = alloc_zero(sizeof(*s));
    AUTO_CLOSE int fd = -1;
    int rc = s ? listen_open(options->socket_path, &fd, err)
               : err_set(err, ERR_NOMEM, "http server: out of memory");

    if (rc) {
        alloc_free(s);
        return rc;
    }
    rc = server_init(s, options, err);
    if (!rc)
        rc = start_daemon(s, &fd, err);
    if (rc) {
        server_free(s);
        return rc;
    }
    soon(s);
    *ret = s;
    return 0;
}

void http_server_stop(struct http_server *s, loop_fn *ended, void *ctx)
{
    PRE(!s->connections.is_stopping);
    s->ended = ended;
    s->ended_ctx = ctx;
    remove_socket(s);
    s->quiesced_fd = MHD_quiesce_daemon(s->daemon);
    connections_stop(&s->connections);
}
