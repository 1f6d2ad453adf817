/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/stream.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/rt/loop_peer.h"

#define STREAM_LOOK_MS 100 /* how often it is looked whether it shall stop */
#define STREAM_HOST_MAX 256

struct stream {
    CURL *easy; /* NULL: datagrams */
    curl_socket_t fd;
};

struct opening { /* what curl's callbacks see */
    const struct stream_request *in;
    int is_refused;
};

static int may_reach(struct opening *o, const struct sockaddr *to)
{
    const struct stream_request *in = o->in;
    int may = (in->may_public && loop_peer_is_public(to)) ||
              loop_peer_is_in(to, in->allowed, in->n_allowed);

    o->is_refused |= !may;
    return may;
}

static int fail_refused(struct err *err)
{
    return err_set(err, ERR_REFUSED,
                   "its address is not one that may be reached: egress.allow does not name it");
}

/* A name or an address, and nothing that a URL would read as more. */
static int check_host(const struct stream_request *in, struct err *err)
{
    if (!in->host[0] || strlen(in->host) >= STREAM_HOST_MAX ||
        in->host[strcspn(in->host, "/?#@\\ %")])
        return err_set(err, ERR_INVALID, "the host's name is none");
    return 0;
}

/* --- TCP and TLS, by curl ------------------------------------------------------------------------ */

static curl_socket_t open_checked(void *ctx, curlsocktype purpose, struct curl_sockaddr *peer)
{
    (void)purpose;
    if (!may_reach(ctx, &peer->addr))
        return CURL_SOCKET_BAD;
    return socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

static int shall_stop(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct opening *o = ctx;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return o->in->stop && *o->in->stop;
}

#define STREAM_SET(code, easy, option, value)                                                      \
    ((code) = (code) ? (code) : curl_easy_setopt(easy, CURLOPT_##option, value))

static CURLcode set_up(CURL *easy, struct opening *o)
{
    const struct stream_request *in = o->in;
    CURLcode code = CURLE_OK;
    char url[STREAM_HOST_MAX + 32];

    (void)snprintf(url, sizeof(url), strchr(in->host, ':') ? "%s://[%s]:%d/" : "%s://%s:%d/",
                   in->kind == STREAM_TLS ? "https" : "http", in->host, in->port); /* fits */
    STREAM_SET(code, easy, URL, url);
    STREAM_SET(code, easy, CONNECT_ONLY, 1L);
    STREAM_SET(code, easy, NOSIGNAL, 1L);
    STREAM_SET(code, easy, PROXY, "");           /* the environment does not decide where we go */
    STREAM_SET(code, easy, SSL_ENABLE_ALPN, 0L); /* it is no HTTP */
    STREAM_SET(code, easy, TCP_KEEPALIVE, 1L);
    STREAM_SET(code, easy, CONNECTTIMEOUT_MS, (long)in->timeout_ms);
    STREAM_SET(code, easy, TIMEOUT_MS, (long)in->timeout_ms);
    STREAM_SET(code, easy, NOPROGRESS, 0L);
    STREAM_SET(code, easy, XFERINFOFUNCTION, shall_stop);
    STREAM_SET(code, easy, XFERINFODATA, (void *)o);
    STREAM_SET(code, easy, OPENSOCKETFUNCTION, open_checked);
    STREAM_SET(code, easy, OPENSOCKETDATA, (void *)o);
    if (in->ca_file)
        STREAM_SET(code, easy, CAINFO, in->ca_file);
    return code;
}

static int fail_curl(CURLcode code, const char *text, struct err *err)
{
    const char *why = text[0] ? text : curl_easy_strerror(code);

    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, ERR_CANCELLED, "it was stopped");
    return err_set(err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE, "%s",
                   why);
}

static int open_curl(const struct stream_request *in, struct stream *s, struct err *err)
{
    struct opening o = { .in = in };
    char text[CURL_ERROR_SIZE] = "";
    CURLcode code;

    s->easy = curl_easy_init();
    if (!s->easy)
        return err_set(err, ERR_NOMEM, "out of memory");
    code = set_up(s->easy, &o);
    STREAM_SET(code, s->easy, ERRORBUFFER, text);
    if (!code)
        code = curl_easy_perform(s->easy);
    /* `o` and `text` end here, the handle does not: of a connection there is one socket, no progress and no other error */
    (void)curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(s->easy, CURLOPT_NOPROGRESS, 1L);
    if (code && o.is_refused)
        return fail_refused(err);
    if (code)
        return fail_curl(code, text, err);
    return curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &s->fd) || s->fd == CURL_SOCKET_BAD
               ? err_set(err, ERR_UNREACHABLE, "the connection is gone")
               : 0;
}

/* --- datagrams ----------------------------------------------------------------------------------- */

static int open_udp(const struct stream_request *in, struct stream *s, struct err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV };
    struct opening o = { .in = in };
    struct addrinfo *list = NULL;
    char service[16];
    int rc;

    (void)snprintf(service, sizeof(service), "%d", in->port); /* fits */
    rc = getaddrinfo(in->host, service, &hints, &list);
    if (rc)
        return err_set(err, ERR_UNREACHABLE, "the host's name: %s", gai_strerror(rc));
    for (const struct addrinfo *to = list; to && s->fd < 0; to = to->ai_next) {
        AUTO_CLOSE int fd = -1;

        if (!may_reach(&o, to->ai_addr))
            continue;
        fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && !connect(fd, to->ai_addr, to->ai_addrlen))
            s->fd = TAKE_FD(fd);
    }
    freeaddrinfo(list);
    if (s->fd >= 0)
        return 0;
    return o.is_refused ? fail_refused(err)
                        : err_set(err, ERR_UNREACHABLE, "no way to the host: %s", strerror(errno));
}

/* --- both ---------------------------------------------------------------------------------------- */

int stream_open(const struct stream_request *in, struct stream **ret, struct err *err)
{
    struct stream *s;
    int rc = check_host(in, err);

    if (rc)
        return rc;
    s = alloc_zero(sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->fd = -1;
    rc = in->kind == STREAM_UDP ? open_udp(in, s, err) : open_curl(in, s, err);
    if (rc)
        stream_close(s);
    else
        *ret = s;
    return rc;
}

int stream_is_cut(struct stream *s)
{
    char block[256]; /* what somebody says all the same */
    size_t n;

    for (int i = 0; s->easy && i < 64; i++) {
        CURLcode code = curl_easy_recv(s->easy, block, sizeof(block), &n);

        if (code == CURLE_AGAIN)
            return 0;
        if (code || !n)
            return 1;
    }
    return s->easy != NULL; /* one that talks without end is not who we are looking for */
}

/* Bytes that went, 0: none now. */
static ssize_t send_some(struct stream *s, struct str bytes, struct err *err)
{
    size_t n = 0;
    CURLcode code;

    if (!s->easy) {
        ssize_t sent = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (sent >= 0)
            return sent;
        return errno == EAGAIN ? 0 : err_set(err, ERR_UNREACHABLE, "send: %s", strerror(errno));
    }
    code = curl_easy_send(s->easy, bytes.p, bytes.n, &n);
    if (code == CURLE_AGAIN)
        return 0;
    return code ? fail_curl(code, "", err) : (ssize_t)n;
}

int stream_send(struct stream *s, struct str bytes, int64_t timeout_ms, const atomic_int *stop,
                struct err *err)
{
    int64_t until_ms = sys_mono_ms() + timeout_ms;

    while (bytes.n) {
        struct pollfd ready = { .fd = s->fd, .events = POLLOUT };
        ssize_t n = send_some(s, bytes, err);

        if (n < 0)
            return err->code;
        bytes = str_slice(bytes, (size_t)n, bytes.n);
        if (!bytes.n)
            break;
        if (stop && *stop)
            return err_set(err, ERR_CANCELLED, "it was stopped");
        if (sys_mono_ms() >= until_ms)
            return err_set(err, ERR_TIMEOUT, "it takes nothing any more");
        if (!n)
            (void)poll(&ready, 1, STREAM_LOOK_MS); /* looked at again, whatever it says */
    }
    return 0;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->easy)
        curl_easy_cleanup(s->easy);
    else if (s->fd >= 0)
        (void)close(s->fd); /* nothing is kept in it */
    alloc_free(s);
}
