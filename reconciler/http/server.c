/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/http/listen.h"

#define SWEEP_MS 500
#define DROPPED_MAX                                                                                \
    (8u * HTTP_BODY_MAX) /* of a body that is too large, before the connection is cut */

enum connection_phase { READS_HEADERS, READS_BODY, IS_HANDLED, SENDS, IS_IDLE, N_PHASES };

struct http_connection {
    struct http_connection *next, *prev;
    int fd;
    enum connection_phase phase;
    int64_t since_ms;
};

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_watch *watch;
    struct loop_timer *timer, *sweep;
    http_handle *handle;
    void *ctx;
    char *path;
    int quiesced_fd;            /* the listening socket while we stop */
    int64_t limit_ms[N_PHASES]; /* 0: none */
    struct http_connection *connections;
    int is_stopping;
    int64_t stop_ms;
    loop_fn *ended;
    void *ended_ctx;
};

static void drive(void *ctx);

static void soon(struct http_server *s)
{
    loop_timer_set(s->timer, loop_mono_ms(s->loop));
}

/* --- connections and their deadlines ------------------------------------------------------------- */

static void enter(struct http_server *s, struct http_connection *c, enum connection_phase phase)
{
    c->phase = phase;
    c->since_ms = loop_mono_ms(s->loop);
}

static struct http_connection *connection_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = ctx;
    struct http_connection *c = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (!c)
            return;
        if (c->prev)
            c->prev->next = c->next;
        else
            s->connections = c->next;
        if (c->next)
            c->next->prev = c->prev;
        alloc_free(c);
        return;
    }
    c = alloc_zero(sizeof(*c));
    *socket_context = c;
    if (!c)
        return; /* its request is refused */
    c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    enter(s, c, READS_HEADERS);
    c->next = s->connections;
    if (c->next)
        c->next->prev = c;
    s->connections = c;
    loop_timer_set(s->sweep, loop_mono_ms(s->loop) + SWEEP_MS);
}

static void cut(struct http_connection *c)
{
    (void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes it */
}

static void sweep(void *ctx)
{
    struct http_server *s = ctx;
    int64_t now_ms = loop_mono_ms(s->loop);
    int overdue = s->is_stopping && now_ms - s->stop_ms > HTTP_DRAIN_MS;

    for (struct http_connection *c = s->connections; c; c = c->next) {
        int64_t limit_ms = s->limit_ms[c->phase];

        if ((limit_ms && now_ms - c->since_ms > limit_ms) ||
            (s->is_stopping && (c->phase == IS_IDLE || (overdue && c->phase != IS_HANDLED))))
            cut(c);
    }
    if (s->connections)
        loop_timer_set(s->sweep, now_ms + (s->is_stopping ? SWEEP_MS / 10 : SWEEP_MS));
    soon(s);
}

static void read_peer(int fd, struct http_peer *peer)
{
    struct ucred cred = { 0 };
    socklen_t n = sizeof(cred), n_groups = sizeof(peer->groups);

    *peer = (struct http_peer){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n))
        return; /* nobody: every route refuses it */
    peer->uid = cred.uid;
    peer->gid = cred.gid;
    peer->pid = cred.pid;
    if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &n_groups))
        peer->n_groups = n_groups / sizeof(gid_t);
}

/* --- a request ----------------------------------------------------------------------------------- */

struct framing {
    int n_lengths, n_encodings, n_hosts, is_chunked, is_coded;
    int64_t length;
};

static enum MHD_Result see_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct framing *f = ctx;

    (void)kind;
    if (!strcasecmp(key, "content-length")) {
        f->n_lengths++;
        if (str_to_i64(str_from_c(value), &f->length))
            f->length = -1;
    } else if (!strcasecmp(key, "transfer-encoding")) {
        f->n_encodings++;
        f->is_chunked = value && !strcasecmp(value, "chunked");
    } else if (!strcasecmp(key, "host")) {
        f->n_hosts++;
    } else if (!strcasecmp(key, "content-encoding")) {
        f->is_coded = 1;
    }
    return MHD_YES;
}

/* Two readers of one byte stream must agree where a request ends; 0.9.75 takes both lengths. */
static int check_framing(struct MHD_Connection *connection, struct err *err)
{
    struct framing f = { 0 };

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see_header, &f);
    if (f.n_lengths + f.n_encodings > 1 || (f.n_encodings && !f.is_chunked) || f.length < 0)
        return err_set(err, ERR_USAGE, "the length of the body is ambiguous");
    if (f.n_hosts != 1)
        return err_set(err, ERR_USAGE, "there must be one Host header");
    if (f.is_coded)
        return err_set(err, ERR_USAGE, "bodies with Content-Encoding are refused");
    if (f.length > HTTP_BODY_MAX)
        return err_set(err, ERR_LIMIT, "the body is larger than %u bytes", HTTP_BODY_MAX);
    return 0;
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
    read_peer(connection_of(connection)->fd, &x->peer);
    return x;
}

/* An answer before the body was read ends the connection. */
static enum MHD_Result first_call(struct http_server *s, struct MHD_Connection *connection,
                                  const char *url, const char *method, void **ret)
{
    struct http_connection *c = connection_of(connection);
    struct http_exchange *x = c ? exchange_new(s, connection, url, method) : NULL;
    struct err err = ERR_INIT;

    if (!x)
        return MHD_NO;
    *ret = x;
    enter(s, c, READS_BODY);
    if (check_framing(connection, &err)) {
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
    enter(s, connection_of(connection), IS_HANDLED);
    MHD_suspend_connection(connection);
    if (s->is_stopping || arena_status(&x->arena, &err)) {
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
    struct http_server *s = ctx;
    struct http_connection *c = connection_of(connection);
    struct http_exchange *x = *own;

    (void)code;
    if (c)
        enter(s, c, IS_IDLE);
    if (!x)
        return;
    arena_fini(&x->arena);
    alloc_free(x);
    *own = NULL;
}

/* --- answers ------------------------------------------------------------------------------------- */

void http_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct http_server *s = x->server;
    union {
        const char *in;
        void *out;
    } bytes = { .in = body.p ? body.p : "" }; /* libmicrohttpd does not write through it */
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, bytes.out,
                                                                    MHD_RESPMEM_PERSISTENT);
    int closes = !x->is_handled || s->is_stopping;

    PRE(!x->is_answered);
    x->is_answered = 1;
    enter(s, connection_of(x->connection), SENDS);
    if (response) {
        (void)MHD_add_response_header(response, "Content-Type", type); /* ours, always valid */
        (void)MHD_add_response_header(response, "Cache-Control", "no-store");
        if (closes)
            (void)MHD_add_response_header(response, "Connection", "close");
    }
    if (!response || MHD_queue_response(x->connection, (unsigned)status, response) != MHD_YES)
        cut(connection_of(x->connection));
    if (response)
        MHD_destroy_response(response);
    if (x->is_handled)
        MHD_resume_connection(x->connection);
    soon(s);
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
    if (s->sweep)
        loop_timer_free(s->sweep);
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

    (void)MHD_run(s->daemon);
    if (s->is_stopping && !s->connections) {
        server_free(s);
        return;
    }
    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
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
        MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(err, ERR_IO, "http server: %s", strerror(errno));
    (void)TAKE_FD(*take_fd);
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return loop_watch_fd(s->loop, info->epoll_fd, drive, s, &s->watch, err);
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
    s->loop = options->loop;
    s->handle = options->handle;
    s->ctx = options->ctx;
    s->quiesced_fd = -1;
    s->limit_ms[READS_HEADERS] = options->header_ms ? options->header_ms : HTTP_HEADER_MS;
    s->limit_ms[READS_BODY] = options->body_ms ? options->body_ms : HTTP_BODY_MS;
    s->limit_ms[IS_IDLE] = options->idle_ms ? options->idle_ms : HTTP_IDLE_MS;
    s->limit_ms[SENDS] = HTTP_SEND_MS;
    s->path = alloc_zero(strlen(options->socket_path) + 1);
    if (s->path)
        strcpy(s->path, options->socket_path);
    s->timer = loop_timer_new(s->loop, drive, s);
    s->sweep = loop_timer_new(s->loop, sweep, s);
    if (!s->path || !s->timer || !s->sweep)
        rc = err_set(err, ERR_NOMEM, "http server: out of memory");
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
    PRE(!s->is_stopping);
    s->is_stopping = 1;
    s->stop_ms = loop_mono_ms(s->loop);
    s->ended = ended;
    s->ended_ctx = ctx;
    remove_socket(s);
    s->quiesced_fd = MHD_quiesce_daemon(s->daemon);
    loop_timer_set(s->sweep, s->stop_ms);
}
