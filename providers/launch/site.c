/*
 * reeve-site: serves the files of a static site. SPDX-License-Identifier: Apache-2.0
 *
 *     reeve-site DIR [fallback PATH] [immutable GLOB]..        on 127.0.0.1:$PORT
 *
 * GET and HEAD, one request a connection: the edge before it keeps those of clients. A path leads to a file below
 * DIR, never out of it, also by a link; to `index.html` of a directory; else to `fallback`, but where a GLOB
 * matches: what never changes under its name is there or not. Names that begin with a dot are not there, but for
 * what lies below /.well-known/ (RFC 8615), which has no fallback either.
 *
 * ETag of size and time, If-None-Match, one Range; FILE.gz beside FILE for who takes it. What a GLOB matches may be
 * kept for a year, all else is asked for again each time.
 *
 * SIGTERM: accepts no more, ends what it has, exits. Thread one; links libc alone.
 * Limits   SITE_HEAD_MAX bytes a request, SITE_CONNECTIONS at once, SITE_IDLE_MS without progress.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "providers/launch/site_files.h"

#define SITE_HEAD_MAX 16384
#define SITE_CONNECTIONS 500 /* two descriptors each: all of them within 1024 */
#define SITE_IDLE_MS 30000
#define SITE_QUERY_MAX 2048 /* bytes, of a path that lacks its last slash */

struct connection {
    int fd, file; /* file -1: none */
    size_t n_in, n_out, sent;
    off_t at, end; /* of the file */
    int64_t since_ms;
    int is_writing;
    char in[SITE_HEAD_MAX + 1], out[SITE_QUERY_MAX + 1024];
};

struct site {
    struct site_files files;
    int listener;
};

static volatile sig_atomic_t site_stop;

static void on_term(int s)
{
    (void)s;
    site_stop = 1;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* exists on every Linux */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- what is answered ---------------------------------------------------------------------------- */

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".mjs", "text/javascript; charset=utf-8" },
        { ".json", "application/json" },
        { ".map", "application/json" },
        { ".webmanifest", "application/manifest+json" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".jpeg", "image/jpeg" },
        { ".gif", "image/gif" },
        { ".webp", "image/webp" },
        { ".avif", "image/avif" },
        { ".ico", "image/x-icon" },
        { ".woff", "font/woff" },
        { ".woff2", "font/woff2" },
        { ".ttf", "font/ttf" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".xml", "application/xml" },
        { ".pdf", "application/pdf" },
        { ".wasm", "application/wasm" },
        { ".mp4", "video/mp4" },
        { ".webm", "video/webm" },
        { ".mp3", "audio/mpeg" },
    };
    const char *end = strrchr(name, '.');

    for (size_t i = 0; end && i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcasecmp(end, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static const char *word_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 304:
        return "Not Modified";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 414:
        return "URI Too Long";
    case 416:
        return "Range Not Satisfiable";
    default:
        return "Error";
    }
}

static void say(struct connection *c, int status, const char *more)
{
    c->n_out = (size_t)snprintf(c->out, sizeof(c->out),
                                "HTTP/1.1 %d %s\r\nConnection: close\r\nX-Content-Type-Options: "
                                "nosniff\r\n%s\r\n",
                                status, word_of(status), more);
    if (c->n_out >= sizeof(c->out))
        c->n_out = (size_t)snprintf(
            c->out, sizeof(c->out),
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    c->is_writing = 1;
}

static void answer_file(struct connection *c, const struct site_request *r,
                        const struct site_file *f)
{
    char more[768], tag[64];
    off_t from = 0, end = f->st.st_size;
    int status = 200, n;

    (void)snprintf(tag, sizeof(tag), "\"%llx-%llx%s\"", (unsigned long long)f->st.st_size,
                   (unsigned long long)f->st.st_mtim.tv_sec * 1000000000u +
                       (unsigned long long)f->st.st_mtim.tv_nsec,
                   f->is_gzip ? "-z" : ""); /* fits */
    if (site_request_has(r, "If-None-Match", tag))
        status = 304;
    else if (!site_request_header(r, "If-Range") || site_request_has(r, "If-Range", tag))
        status = site_request_range(site_request_header(r, "Range"), f->st.st_size, &from, &end);
    n = snprintf(more, sizeof(more), "ETag: %s\r\nCache-Control: %s\r\nVary: Accept-Encoding\r\n%s",
                 tag, f->is_immutable ? "public, max-age=31536000, immutable" : "no-cache",
                 f->is_gzip ? "Content-Encoding: gzip\r\n" : "");
    if (status == 206)
        n += snprintf(more + n, sizeof(more) - (size_t)n, "Content-Range: bytes %lld-%lld/%lld\r\n",
                      (long long)from, (long long)end - 1, (long long)f->st.st_size);
    if (status == 416)
        n += snprintf(more + n, sizeof(more) - (size_t)n,
                      "Content-Range: bytes */%lld\r\nContent-Length: 0\r\n",
                      (long long)f->st.st_size);
    if (status == 200 || status == 206)
        (void)snprintf(more + n, sizeof(more) - (size_t)n,
                       "Accept-Ranges: bytes\r\nContent-Type: %s\r\nContent-Length: %lld\r\n",
                       type_of(f->name), (long long)(end - from)); /* fits, as the others */
    say(c, status, more);
    if ((status == 200 || status == 206) && !r->is_head) {
        c->file = f->fd;
        c->at = from;
        c->end = end;
    } else {
        (void)close(f->fd); /* only read */
    }
}

/* Relative to the path: whoever is before us may have cut its beginning. */
static void answer_moved(struct connection *c, const struct site_request *r)
{
    const char *name = strrchr(r->path, '/') + 1;
    char more[SITE_QUERY_MAX + 512] = "Content-Length: 0\r\n";
    int status = r->n_query <= SITE_QUERY_MAX ? 308 : 414;

    for (const char *at = name; *at; at++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", *at))
            status = 404;
    for (size_t i = 0; i < r->n_query; i++)
        if (r->query[i] <= ' ' || r->query[i] > '~')
            status = 404;
    if (status == 308 && strlen(name) < 256)
        (void)snprintf(more, sizeof(more), "Content-Length: 0\r\nLocation: %s/%.*s\r\n", name,
                       (int)r->n_query, r->query); /* fits */
    say(c, status, more);
}

static void answer(const struct site *s, struct connection *c)
{
    struct site_request r = { .head = NULL };
    struct site_file f = { .fd = -1 };
    int status = site_request_read(c->in, &r);

    if (!status)
        status = site_files_find(&s->files, &r, &f);
    if (status == 200) {
        answer_file(c, &r, &f);
        return;
    }
    if (f.fd >= 0)
        (void)close(f.fd); /* only read */
    if (status == 308) {
        answer_moved(c, &r);
        return;
    }
    say(c, status,
        status == 405 ? "Allow: GET, HEAD\r\nContent-Length: 0\r\n" : "Content-Length: 0\r\n");
}

/* --- connections --------------------------------------------------------------------------------- */

static void hang_up(struct connection *c)
{
    if (c->file >= 0)
        (void)close(c->file); /* only read */
    (void)close(c->fd);       /* it has its answer, or went */
    c->fd = c->file = -1;
}

static void receive(const struct site *s, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->n_in, SITE_HEAD_MAX - c->n_in, 0);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(c);
        return;
    }
    c->n_in += (size_t)n;
    c->in[c->n_in] = 0;
    c->since_ms = now_ms();
    if (strlen(c->in) != c->n_in) /* a NUL in it */
        say(c, 400, "Content-Length: 0\r\n");
    else if (strstr(c->in, "\r\n\r\n"))
        answer(s, c);
    else if (c->n_in == SITE_HEAD_MAX)
        say(c, 400, "Content-Length: 0\r\n");
}

static void transmit(struct connection *c)
{
    ssize_t n;

    if (c->sent < c->n_out) {
        n = send(c->fd, c->out + c->sent, c->n_out - c->sent, MSG_NOSIGNAL);
        if (n > 0)
            c->sent += (size_t)n;
    } else if (c->file >= 0 && c->at < c->end) {
        n = sendfile(c->fd, c->file, &c->at, (size_t)(c->end - c->at));
        if (n == 0) /* it became shorter: the answer is cut, and seen to be */
            errno = EIO, n = -1;
    } else {
        (void)shutdown(c->fd,
                       SHUT_WR); /* all is sent: what the peer still sends does not reset it */
        hang_up(c);
        return;
    }
    if (n > 0)
        c->since_ms = now_ms();
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        hang_up(c);
}

static void take_new(const struct site *s, struct connection *all)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (int i = 0; fd >= 0 && i < SITE_CONNECTIONS; i++)
        if (all[i].fd < 0) {
            all[i] = (struct connection){ .fd = fd, .file = -1, .since_ms = now_ms() };
            return;
        }
    if (fd >= 0)
        (void)close(fd); /* not reached: room is looked for before */
}

/* How many there are; those that make no progress go. */
static int look_around(struct connection *all, struct pollfd *p)
{
    int n = 0;

    for (int i = 0; i < SITE_CONNECTIONS; i++) {
        if (all[i].fd >= 0 && now_ms() - all[i].since_ms > SITE_IDLE_MS)
            hang_up(&all[i]);
        p[i + 1] = (struct pollfd){ all[i].fd, all[i].is_writing ? POLLOUT : POLLIN, 0 };
        n += all[i].fd >= 0;
    }
    return n;
}

static void serve(const struct site *s, struct connection *all)
{
    static struct pollfd p[SITE_CONNECTIONS + 1];

    for (;;) {
        int n = look_around(all, p);

        if (site_stop && !n)
            return;
        p[0] = (struct pollfd){ site_stop || n == SITE_CONNECTIONS ? -1 : s->listener, POLLIN, 0 };
        if (poll(p, SITE_CONNECTIONS + 1, 1000) < 0)
            continue; /* a signal: looked at above */
        if (p[0].revents)
            take_new(s, all);
        for (int i = 0; i < SITE_CONNECTIONS; i++)
            if (p[i + 1].revents && all[i].fd == p[i + 1].fd && all[i].fd >= 0) {
                if (all[i].is_writing)
                    transmit(&all[i]);
                else
                    receive(s, &all[i]);
            }
    }
}

static int listen_at(const char *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(port ? port : "0")),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0 || !at.sin_port || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1024))
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    struct connection *all = calloc(SITE_CONNECTIONS, sizeof(*all));
    struct site s = { .files = { .dir = -1,
                                 .immutable = calloc((size_t)argc + 1, sizeof(char *)) } };
    const struct sigaction term = { .sa_handler = on_term };

    if (!all || !s.files.immutable || argc < 2)
        return 2;
    for (int i = 2; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "fallback"))
            s.files.fallback = argv[i + 1];
        else if (!strcmp(argv[i], "immutable"))
            s.files.immutable[s.files.n_immutable++] = argv[i + 1];
    for (int i = 0; i < SITE_CONNECTIONS; i++)
        all[i].fd = all[i].file = -1;
    (void)sigaction(SIGTERM, &term, NULL); /* cannot fail with these arguments */
    s.files.dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s.listener = s.files.dir < 0 ? -1 : listen_at(getenv("PORT"));
    if (s.files.dir < 0 || s.listener < 0) {
        (void)fprintf(stderr, "reeve-site: %s: %s\n", s.files.dir < 0 ? argv[1] : "port",
                      strerror(errno));
        return 1;
    }
    serve(&s, all);
    return 0;
}
