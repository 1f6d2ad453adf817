/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/http/listen.h"
#include "reconciler/http/server_parts.h"
#include "reconciler/http/tap.h"

#define REFUSED_TOLD_MS 60000
#define DROPPED_READS_MAX 16

static void drive(void *ctx);

void server_run_soon(void *server)
{
    struct http_server *s = server;

    s->runs_again = 1;
    loop_timer_set(s->timer, loop_mono_ms(s->loop));
}

/* --- connections --------------------------------------------------------------------------------- */

struct connection *server_connection(struct MHD_Connection *connection)
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

/* Closed with something unread, the kernel takes our answer back. */
static void drop_what_came(int fd)
{
    char bytes[4096];

    for (int i = 0;
         i < DROPPED_READS_MAX && recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL, NULL) > 0;)
        i++;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = ctx;
    struct connection *c = *socket_context;
    const struct sockaddr *from = NULL;
    int fd;

    if (code != MHD_CONNECTION_NOTIFY_STARTED) {
        if (c) {
            drop_what_came(c->fd);
            tls_give(c->shown);
            connections_remove(c);
        }
        return;
    }
    fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (s->door != HTTP_DOOR_SOCKET)
        from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    c = connections_add(&s->connections, fd, from); /* without memory its request is refused */
    *socket_context = c;
    if (c && s->admit)
        check_peer(s, c);
}

/* --- start and stop ------------------------------------------------------------------------------ */

/* Somebody goes on listening when we do not. */
static int is_kept(const struct http_server *s)
{
    return s->given && (s->given->is_lent || s->given->goes_on);
}

/* It is ours as long as we listen: the next daemon may bind it only after. */
static void remove_socket(struct http_server *s)
{
    if (s->path && !is_kept(s))
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
    if (is_kept(s) && s->quiesced_fd >= 0)
        s->given->fd = TAKE_FD(s->quiesced_fd);
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
    tap_begin(&s->connections, s->tls != NULL);
    (void)MHD_run(s->daemon);
    tap_end();
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

/* A gnutls_certificate_retrieve_function2. */
static int show(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret,
                unsigned *ret_n, gnutls_privkey_t *ret_key)
{
    struct connection *c = server_connection(gnutls_session_get_ptr(session));
    struct http_server *s = c ? c->all->ctx : NULL;

    (void)authorities; /* there is one certificate, whatever they ask for */
    (void)n_authorities;
    (void)algorithms;
    (void)n_algorithms;
    if (!s)
        return -1;
    if (!c->shown)
        c->shown = tls_take(s->tls);
    *ret = c->shown->chain;
    *ret_n = c->shown->n_chain;
    *ret_key = c->shown->key;
    return 0;
}

/* Descriptors are also needed elsewhere. */
static int connections_max(enum http_door door)
{
    struct rlimit files;
    int n = door == HTTP_DOOR_SOCKET ? HTTP_CONNECTIONS_MAX : HTTP_CONNECTIONS_TCP_MAX;

    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur / 2 > (rlim_t)n)
        return n;
    return (int)(files.rlim_cur / 2);
}

static int start_daemon(struct http_server *s, int *take_fd, struct err *err)
{
    struct MHD_OptionItem options[] = {
        { MHD_OPTION_CONNECTION_LIMIT, connections_max(s->door), NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL }, /* the deadlines are ours */
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, NULL },
        { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
        { MHD_OPTION_LISTEN_SOCKET, *take_fd, NULL },
        { MHD_OPTION_END, 0, NULL }, /* until here without TLS */
        { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)show },
        { MHD_OPTION_END, 0, NULL },
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    const union MHD_DaemonInfo *info;

    if (s->tls) {
        flags |= MHD_USE_TLS;
        options[5] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
                                              (void *)(uintptr_t)TLS_PRIORITIES };
    }
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, server_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED,
        server_request_over, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
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
            [CONNECTIONS_PUSHES] = options->stream_ms ? options->stream_ms : HTTP_STREAM_MS,
        },
        .drain_ms = HTTP_DRAIN_MS,
        .n_max = s->door == HTTP_DOOR_SOCKET ? HTTP_CONNECTIONS_USER_MAX
                                             : HTTP_CONNECTIONS_ADDRESS_MAX,
        .unsent_max = HTTP_UNSENT_USER_MAX,
        .cut = server_run_soon,
        .ctx = s,
    };
}

static int server_init(struct http_server *s, const struct http_server_options *options,
                       struct err *err)
{
    s->loop = options->loop;
    s->door = options->door;
    s->hosts = options->hosts;
    s->tls = options->tls;
    s->handle = options->handle;
    s->admit = options->admit;
    s->over = options->over;
    s->ctx = options->ctx;
    s->given = options->given;
    s->quiesced_fd = -1;
    s->connections = connections_as(options, s);
    s->timer = loop_timer_new(s->loop, drive, s);
    if (s->door == HTTP_DOOR_SOCKET) {
        s->path = alloc_zero(strlen(options->socket_path) + 1);
        if (s->path)
            strcpy(s->path, options->socket_path);
    }
    if (!s->timer || (s->door == HTTP_DOOR_SOCKET && !s->path))
        return err_set(err, ERR_NOMEM, "http server: out of memory");
    return connections_init(&s->connections, err);
}

/* What was given, where it listens as the configuration says; else it goes. */
static int take_given(const struct http_server_options *options, int *ret_fd)
{
    struct http_given *given = options->given;

    if (!given || given->fd < 0)
        return 0;
    if (options->door == HTTP_DOOR_SOCKET ? listen_is_path(given->fd, options->socket_path)
        : options->listen.p               ? listen_is_tcp(given->fd, options->listen)
                                          : given->is_lent) {
        *ret_fd = TAKE_FD(given->fd);
        return 1;
    }
    if (given->is_lent)
        LOG(LOG_WARN, "a socket that was given does not listen where the configuration says",
            LOG_S("listen",
                  options->listen.p ? options->listen : str_from_c(options->socket_path)));
    guard_close(&given->fd);
    given->is_lent = 0;
    return 0;
}

/* What is said in clear stays on this machine, and whoever comes from elsewhere comes by a name. */
static int open_door(const struct http_server_options *options, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    int rc = 0;

    if (!take_given(options, &fd))
        rc = options->door == HTTP_DOOR_SOCKET ? listen_open(options->socket_path, &fd, err)
                                               : listen_tcp(options->listen, &fd, err);
    if (rc)
        return rc;
    if (options->door != HTTP_DOOR_SOCKET && !listen_is_local(fd) &&
        !(options->tls && options->hosts))
        return err_set(err, ERR_INVALID, "'%.*s' is reached from other machines: this needs %s",
                       STR_ARG(options->listen), options->tls ? "http.hosts" : "tls");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int http_server_start(const struct http_server_options *options, struct http_server **ret,
                      struct err *err)
{
    struct http_server *s = alloc_zero(sizeof(*s));
    AUTO_CLOSE int fd = -1;
    int rc = s ? open_door(options, &fd, err)
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
    server_run_soon(s);
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
    if (!is_kept(s))
        (void)shutdown(s->quiesced_fd, SHUT_RDWR); /* who comes now goes elsewhere at once */
    connections_stop(&s->connections);
    if (!s->connections.first)
        server_free(s);
}
