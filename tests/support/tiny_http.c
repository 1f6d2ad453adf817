/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tiny_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TINY_HEAD_MAX 32768
#define TINY_BODY_MAX (8u << 20)
#define TINY_TICK_MS 50
#define TINY_ACCEPT "ICX+Yqv66kxgM0FcWaLWlFLwTAI=" /* for TINY_HTTP_WEBSOCKET_KEY */

enum tiny_state { TINY_READING, TINY_DELAYED, TINY_WRITING, TINY_ECHO };

struct tiny_buffer {
    char *p;
    size_t n, cap;
};

struct tiny_connection {
    int fd;
    enum tiny_state state;
    int close_after;
    int64_t since_ms, due_ms; /* last activity; when a delayed answer goes out */
    struct tiny_buffer in, out;
};

struct tiny_server {
    const struct tiny_http *o;
    int listening;
    int64_t began_ms;
    struct tiny_connection *connections[TINY_HTTP_CONNECTIONS_MAX];
    size_t n;
};

struct tiny_request { /* views into the connection's input */
    const char *method, *target;
    int n_method, n_target;
    size_t n_head, n_body;
    int close, websocket;
};

static volatile sig_atomic_t tiny_stop;

static void tiny_on_term(int signal)
{
    (void)signal;
    tiny_stop = 1;
}

static int64_t tiny_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void tiny_append(struct tiny_buffer *b, const char *p, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

static void tiny_consume(struct tiny_buffer *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = 0;
}

int tiny_http_listen(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* bind says if it matters */
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&at, &n)) {
        (void)close(fd); /* the caller learns of the failure before */
        return -1;
    }
    if (ret_port)
        *ret_port = ntohs(at.sin_port);
    return fd;
}

/* The value of a header in the head, or NULL; it ends at \r. */
static const char *tiny_header(const char *head, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r';
         line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':')
            return line + 3 + n + strspn(line + 3 + n, " ");
    return NULL;
}

static int tiny_header_is(const char *head, const char *name, const char *value)
{
    const char *found = tiny_header(head, name);

    return found && !strncasecmp(found, value, strlen(value));
}

/* How long a chunked body is, its sizes and line ends among it; -1: its end is not there yet. */
static long tiny_chunks(const char *body, size_t n)
{
    size_t at = 0;

    for (;;) {
        const char *line = memmem(body + at, n - at, "\r\n", 2);
        unsigned long size = line ? strtoul(body + at, NULL, 16) : 0;

        if (!line || size > TINY_BODY_MAX)
            return -1;
        at = (size_t)(line - body) + 2 + size + 2;
        if (at > n)
            return -1;
        if (!size)
            return (long)at;
    }
}

/* 1: a whole request stands in the input; 0: not yet; -1: not one. */
static int tiny_parse(const struct tiny_connection *c, struct tiny_request *ret)
{
    const char *head = c->in.p, *end = c->in.n ? strstr(head, "\r\n\r\n") : NULL, *length;
    struct tiny_request r = { 0 };

    if (!end)
        return c->in.n > TINY_HEAD_MAX ? -1 : 0;
    r.method = head;
    r.n_method = (int)strcspn(head, " \r");
    r.target = head + r.n_method + 1;
    r.n_target = (int)strcspn(r.target, " \r");
    if (r.target + r.n_target >= end)
        return -1;
    r.n_head = (size_t)(end - head) + 4;
    if ((length = tiny_header(head, "Content-Length")))
        r.n_body = strtoul(length, NULL, 10);
    if (tiny_header_is(head, "Transfer-Encoding", "chunked")) {
        long n_chunks = tiny_chunks(end + 4, c->in.n - r.n_head);

        if (n_chunks < 0)
            return 0;
        r.n_body = (size_t)n_chunks;
    }
    if (r.n_body > TINY_BODY_MAX)
        return -1;
    if (c->in.n < r.n_head + r.n_body)
        return 0;
    r.close = tiny_header_is(head, "Connection", "close");
    r.websocket = tiny_header_is(head, "Upgrade", "websocket");
    *ret = r;
    return 1;
}

static int tiny_is_at(const struct tiny_request *r, const char *path)
{
    size_t n = strlen(path);

    return (size_t)r->n_target >= n && !memcmp(r->target, path, n) &&
           ((size_t)r->n_target == n || r->target[n] == '?');
}

static int tiny_query(const struct tiny_request *r, const char *name, int otherwise)
{
    const char *at = memmem(r->target, (size_t)r->n_target, name, strlen(name));

    return at && at[strlen(name)] == '=' ? atoi(at + strlen(name) + 1) : otherwise;
}

static int tiny_is_ill(const struct tiny_server *s)
{
    const struct tiny_http *o = s->o;

    return (o->health_fail_ms >= 0 && tiny_now_ms() - s->began_ms >= o->health_fail_ms) ||
           (o->health_fail_file && access(o->health_fail_file, F_OK) == 0);
}

static int tiny_status(const struct tiny_server *s, const struct tiny_request *r)
{
    const struct tiny_http *o = s->o;

    if (tiny_is_at(r, "/healthz"))
        return tiny_is_ill(s) ? 503 : 200;
    if (tiny_is_at(r, "/status"))
        return tiny_query(r, "code", 200);
    return o->status ? o->status : 200;
}

static void tiny_answer(struct tiny_server *s, struct tiny_connection *c,
                        const struct tiny_request *r)
{
    const char *body = c->in.p + r->n_head;
    char line[TINY_HEAD_MAX + 64], head[512];
    size_t n_line, n_body = r->n_body;
    int is_post = r->n_method == 4 && !memcmp(r->method, "POST", 4);

    if (tiny_is_at(r, "/headers")) {
        body = c->in.p;
        n_body = r->n_head;
    }
    if (s->o->word && tiny_is_at(r, "/healthz"))
        n_line = (size_t)snprintf(line, sizeof(line), "{\"uptime\":0.5,\"status\":\"%s\"}",
                                  s->o->word);
    else if (tiny_is_at(r, "/metrics"))
        n_line = (size_t)snprintf(line, sizeof(line), "app_info{version=\"%s\"} 1\n",
                                  s->o->version);
    else if (is_post || tiny_is_at(r, "/headers"))
        n_line = (size_t)snprintf(line, sizeof(line), "%s\n", s->o->version);
    else
        n_line = (size_t)snprintf(line, sizeof(line), "%s\n%.*s %.*s\n", s->o->version, r->n_method,
                                  r->method, r->n_target, r->target);
    c->close_after = r->close || (tiny_stop && s->o->term == TINY_HTTP_GRACEFUL);
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 %d Answer\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                   "X-App: %s\r\n%s\r\n",
                   tiny_status(s, r), n_line + n_body, s->o->version,
                   c->close_after ? "Connection: close\r\n" : ""); /* fits: versions are short */
    tiny_append(&c->out, head, strlen(head));
    if (r->n_method == 4 && !memcmp(r->method, "HEAD", 4))
        return;
    tiny_append(&c->out, line, n_line);
    tiny_append(&c->out, body, n_body);
}

static void tiny_upgrade(struct tiny_server *s, struct tiny_connection *c,
                         const struct tiny_request *r)
{
    char head[512];

    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: " TINY_ACCEPT
                   "\r\nX-App: %s\r\n\r\n",
                   s->o->version); /* fits: versions are short */
    tiny_append(&c->out, head, strlen(head));
    tiny_append(&c->out, c->in.p + r->n_head, c->in.n - r->n_head);
    tiny_consume(&c->in, c->in.n);
    c->state = TINY_ECHO;
}

static int tiny_delay_ms(const struct tiny_server *s, const struct tiny_request *r)
{
    if (tiny_is_at(r, "/slow"))
        return tiny_query(r, "ms", 0);
    return tiny_is_at(r, "/healthz") ? 0 : s->o->delay_ms;
}

/* As long as the processor is had, however many want it. */
static void tiny_burn(const struct tiny_server *s, const struct tiny_request *r)
{
    int64_t left_us = tiny_is_at(r, "/healthz") ? 0 : s->o->burn_us;
    struct timespec began, now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began); /* it cannot fail */
    now = began;
    while ((now.tv_sec - began.tv_sec) * 1000000 + (now.tv_nsec - began.tv_nsec) / 1000 < left_us)
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
}

/* 0: the connection lives on. */
static int tiny_handle(struct tiny_server *s, struct tiny_connection *c)
{
    struct tiny_request r;
    int found = tiny_parse(c, &r), delay_ms;

    if (found <= 0)
        return found;
    if (r.websocket && !tiny_is_at(&r, "/headers")) {
        tiny_upgrade(s, c, &r);
        return 0;
    }
    tiny_burn(s, &r);
    tiny_answer(s, c, &r);
    delay_ms = tiny_delay_ms(s, &r);
    c->due_ms = delay_ms ? tiny_now_ms() + delay_ms : 0;
    c->state = c->due_ms ? TINY_DELAYED : TINY_WRITING;
    tiny_consume(&c->in, r.n_head + r.n_body);
    return 0;
}

static int tiny_receive(struct tiny_server *s, struct tiny_connection *c)
{
    char part[16384];
    ssize_t n = recv(c->fd, part, sizeof(part), 0);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    c->since_ms = tiny_now_ms();
    tiny_append(c->state == TINY_ECHO ? &c->out : &c->in, part, (size_t)n);
    return c->state == TINY_READING ? tiny_handle(s, c) : 0;
}

static int tiny_send(struct tiny_server *s, struct tiny_connection *c)
{
    ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    tiny_consume(&c->out, (size_t)n);
    c->since_ms = tiny_now_ms();
    if (c->out.n || c->state == TINY_ECHO)
        return 0;
    if (c->close_after)
        return -1;
    c->state = TINY_READING;
    return tiny_handle(s, c);
}

static void tiny_accept(struct tiny_server *s)
{
    while (s->n < TINY_HTTP_CONNECTIONS_MAX) {
        int fd = accept4(s->o->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        struct tiny_connection *c;

        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
        if (!(c = calloc(1, sizeof(*c))))
            abort();
        c->fd = fd;
        c->since_ms = tiny_now_ms();
        s->connections[s->n++] = c;
    }
}

static void tiny_drop(struct tiny_server *s, size_t i)
{
    struct tiny_connection *c = s->connections[i];

    (void)close(c->fd); /* the peer learns what it can */
    free(c->in.p);
    free(c->out.p);
    free(c);
    s->connections[i] = s->connections[--s->n];
}

/* Is the connection over: idle for too long, or idle while we stop? */
static int tiny_is_over(const struct tiny_server *s, const struct tiny_connection *c)
{
    int idle = (c->state == TINY_READING && !c->in.n) || (c->state == TINY_ECHO && !c->out.n);

    if (!idle)
        return 0;
    if (tiny_stop && c->state == TINY_READING)
        return 1;
    return s->o->idle_ms && tiny_now_ms() - c->since_ms >= s->o->idle_ms;
}

static short tiny_events(const struct tiny_connection *c)
{
    if (c->state == TINY_DELAYED)
        return 0;
    if (c->state == TINY_ECHO)
        return (short)(POLLIN | (c->out.n ? POLLOUT : 0));
    return c->state == TINY_WRITING ? POLLOUT : POLLIN;
}

static void tiny_serve_once(struct tiny_server *s, struct pollfd *fds)
{
    size_t n = s->n;

    fds[n] = (struct pollfd){ .fd = s->listening ? s->o->fd : -1, .events = POLLIN };
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){ .fd = s->connections[i]->fd,
                                  .events = tiny_events(s->connections[i]) };
    if (poll(fds, (nfds_t)n + 1, s->n ? TINY_TICK_MS / 10 : TINY_TICK_MS) < 0)
        return;
    for (size_t i = n; i-- > 0;) {
        struct tiny_connection *c = s->connections[i];
        int rc = 0;

        if (c->state == TINY_DELAYED && tiny_now_ms() >= c->due_ms)
            c->state = TINY_WRITING;
        if (fds[i].revents & POLLIN)
            rc = tiny_receive(s, c);
        else if (fds[i].revents & (POLLERR | POLLHUP))
            rc = -1;
        if (!rc && c->out.n && c->state != TINY_DELAYED)
            rc = tiny_send(s, c);
        if (rc || tiny_is_over(s, c))
            tiny_drop(s, i);
    }
    if (fds[n].revents & POLLIN)
        tiny_accept(s);
}

void tiny_http_serve(const struct tiny_http *options)
{
    static struct pollfd fds[TINY_HTTP_CONNECTIONS_MAX + 1];
    static struct tiny_server s; /* one server a process */
    struct sigaction action = { .sa_handler = tiny_on_term };

    s = (struct tiny_server){ .o = options, .listening = 1, .began_ms = tiny_now_ms() };
    if (options->term == TINY_HTTP_IGNORE)
        action.sa_handler = SIG_IGN;
    if (options->term == TINY_HTTP_ABRUPT)
        action.sa_handler = SIG_DFL;
    tiny_stop = 0;
    (void)sigaction(SIGTERM, &action, NULL); /* cannot fail for these */
    while (!tiny_stop || s.n) {
        if (tiny_stop && s.listening) {
            (void)close(options->fd); /* nobody new */
            s.listening = 0;
        }
        tiny_serve_once(&s, fds);
    }
}
