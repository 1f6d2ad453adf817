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
#include <fnmatch.h>
#include <linux/openat2.h>
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SITE_HEAD_MAX 16384
#define SITE_CONNECTIONS 500 /* two descriptors each: all of them within 1024 */
#define SITE_IDLE_MS 30000
#define SITE_PATH_MAX 4096
#define SITE_QUERY_MAX 2048 /* bytes, of a path that lacks its last slash */
#define SITE_KNOWN "/.well-known/"

struct site {
    int dir, listener;
    const char *fallback;
    char **immutable;
    int n_immutable;
};

struct connection {
    int fd, file; /* file -1: none */
    size_t n_in, n_out, sent;
    off_t at, end; /* of the file */
    int64_t since_ms;
    int is_writing;
    char in[SITE_HEAD_MAX + 1], out[SITE_QUERY_MAX + 1024];
};

struct request {
    char path[SITE_PATH_MAX];
    const char *head;  /* lines behind the first */
    const char *query; /* with its ?, up to the blank behind it */
    size_t n_query;
    int is_head;
};

struct found {
    int fd, is_immutable, is_gzip;
    struct stat st;
    char name[SITE_PATH_MAX + 16]; /* with index.html behind it */
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

/* --- what is asked ------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int is_known(const char *path)
{
    return !strncmp(path, SITE_KNOWN, strlen(SITE_KNOWN));
}

/* The path, decoded once and without its query; -1: none that a file could have. */
static int read_path(const char *from, size_t n, char ret[SITE_PATH_MAX])
{
    size_t k = 0;

    for (size_t i = 0; i < n && from[i] != '?' && from[i] != '#'; i++) {
        int c = (unsigned char)from[i];

        if (c == '%') {
            if (i + 2 >= n || hex_of(from[i + 1]) < 0 || hex_of(from[i + 2]) < 0)
                return -1;
            c = hex_of(from[i + 1]) * 16 + hex_of(from[i + 2]);
            i += 2;
        }
        if (!c || k + 1 >= SITE_PATH_MAX)
            return -1;
        ret[k++] = (char)c;
    }
    ret[k] = 0;
    return k && ret[0] == '/' && !strstr(is_known(ret) ? ret + 1 : ret, "/.") ? 0 : -1;
}

/* The value of a header, up to \r; NULL: it is not there. */
static const char *header(const struct request *r, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = r->head; line && line[0] != '\r';
         line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL)
        if (!strncasecmp(line, name, n) && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    return NULL;
}

static int header_has(const struct request *r, const char *name, const char *word)
{
    const char *at = header(r, name), *end = at ? strstr(at, "\r\n") : NULL,
               *hit = at ? strstr(at, word) : NULL;

    return hit && end && hit < end;
}

/* The status that refuses it, or 0. */
static int read_request(struct connection *c, struct request *ret)
{
    const char *line_end = strstr(c->in, "\r\n"), *path = strchr(c->in, ' '), *last;

    if (!line_end || !path || path > line_end)
        return 400;
    last = strchr(path + 1, ' ');
    if (!last || last > line_end || strncmp(last, " HTTP/1.", 8))
        return 400;
    ret->query = path + 1 + strcspn(path + 1, "? #");
    ret->n_query = *ret->query == '?' ? strcspn(ret->query, " #") : 0;
    ret->is_head = !strncmp(c->in, "HEAD ", 5);
    ret->head = line_end + 2;
    if (!ret->is_head && strncmp(c->in, "GET ", 4))
        return 405;
    return read_path(path + 1, (size_t)(last - path - 1), ret->path) ? 404 : 0;
}

/* --- what is there ------------------------------------------------------------------------------- */

static int open_below(const struct site *s, const char *path, struct stat *ret)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, s->dir, path[1] ? path + 1 : ".", &how, sizeof(how));

    if (fd >= 0 && fstat(fd, ret)) {
        (void)close(fd); /* only read */
        fd = -1;
    }
    return fd;
}

static int open_file(const struct site *s, const char *path, struct found *ret)
{
    ret->fd = open_below(s, path, &ret->st);
    if (ret->fd >= 0 && !S_ISREG(ret->st.st_mode)) {
        (void)close(ret->fd); /* only read */
        ret->fd = -1;
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%s", path); /* it fitted before */
    return ret->fd;
}

static int is_immutable(const struct site *s, const char *path)
{
    for (int i = 0; i < s->n_immutable; i++)
        if (!fnmatch(s->immutable[i], path, 0))
            return 1;
    return 0;
}

/* A directory's index; whether the path lacks its last slash. */
static int open_index(const struct site *s, const char *path, struct found *ret, int *ret_moved)
{
    char index[SITE_PATH_MAX + 16];
    size_t n = strlen(path);

    (void)snprintf(index, sizeof(index), "%s%sindex.html", path,
                   path[n - 1] == '/' ? "" : "/"); /* fits */
    if (open_file(s, index, ret) < 0)
        return -1;
    *ret_moved = path[n - 1] != '/';
    return 0;
}

static void take_packed(const struct site *s, const struct request *r, struct found *f)
{
    char packed[SITE_PATH_MAX + 20];
    struct stat st;
    int fd;

    if (!header_has(r, "Accept-Encoding", "gzip"))
        return;
    (void)snprintf(packed, sizeof(packed), "%s.gz", f->name); /* fits */
    fd = open_below(s, packed, &st);
    if (fd < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        (void)close(f->fd); /* only read */
        f->fd = fd;
        f->st = st;
        f->is_gzip = 1;
    } else {
        (void)close(fd); /* only read */
    }
}

/* 200, 308 or 404. */
static int find(const struct site *s, const struct request *r, struct found *ret)
{
    int moved = 0;

    *ret = (struct found){ .fd = -1, .is_immutable = is_immutable(s, r->path) };
    if (open_file(s, r->path, ret) < 0 && open_index(s, r->path, ret, &moved) &&
        (ret->is_immutable || is_known(r->path) || !s->fallback ||
         open_file(s, s->fallback, ret) < 0))
        return 404;
    if (moved)
        return 308;
    take_packed(s, r, ret);
    return 200;
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

/* "bytes=A-B", "bytes=A-", "bytes=-N": 206 with from and end, 416, or 200: all of it. */
static int read_range(const char *text, off_t size, off_t *ret_from, off_t *ret_end)
{
    unsigned long long a = 0, b = 0;
    int n = 0, has_a, has_b;

    if (!text || strncmp(text, "bytes=", 6))
        return 200;
    text += 6;
    has_a = sscanf(text, "%20llu%n", &a, &n) == 1 && *text >= '0';
    text += has_a ? n : 0;
    if (*text++ != '-')
        return 200;
    has_b = sscanf(text, "%20llu%n", &b, &n) == 1 && *text >= '0';
    text += has_b ? n : 0;
    if (*text != '\r' || (!has_a && !has_b))
        return 200; /* several: all of it */
    if (!has_a) {
        *ret_from = b < (unsigned long long)size ? size - (off_t)b : 0;
        *ret_end = size;
        return b ? 206 : 416;
    }
    if (a >= (unsigned long long)size || (has_b && b < a))
        return 416;
    *ret_from = (off_t)a;
    *ret_end = has_b && b < (unsigned long long)size ? (off_t)b + 1 : size;
    return 206;
}

static void answer_file(struct connection *c, const struct request *r, const struct found *f)
{
    char more[768], tag[64];
    off_t from = 0, end = f->st.st_size;
    int status = 200, n;

    (void)snprintf(tag, sizeof(tag), "\"%llx-%llx%s\"", (unsigned long long)f->st.st_size,
                   (unsigned long long)f->st.st_mtim.tv_sec * 1000000000u +
                       (unsigned long long)f->st.st_mtim.tv_nsec,
                   f->is_gzip ? "-z" : ""); /* fits */
    if (header_has(r, "If-None-Match", tag))
        status = 304;
    else if (!header(r, "If-Range") || header_has(r, "If-Range", tag))
        status = read_range(header(r, "Range"), f->st.st_size, &from, &end);
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
static void answer_moved(struct connection *c, const struct request *r)
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
    struct request r = { .head = NULL };
    struct found f = { .fd = -1 };
    int status = read_request(c, &r);

    if (!status)
        status = find(s, &r, &f);
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
    struct site s = { .dir = -1, .immutable = calloc((size_t)argc + 1, sizeof(char *)) };
    const struct sigaction term = { .sa_handler = on_term };

    if (!all || !s.immutable || argc < 2)
        return 2;
    for (int i = 2; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "fallback"))
            s.fallback = argv[i + 1];
        else if (!strcmp(argv[i], "immutable"))
            s.immutable[s.n_immutable++] = argv[i + 1];
    for (int i = 0; i < SITE_CONNECTIONS; i++)
        all[i].fd = all[i].file = -1;
    (void)sigaction(SIGTERM, &term, NULL); /* cannot fail with these arguments */
    s.dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s.listener = s.dir < 0 ? -1 : listen_at(getenv("PORT"));
    if (s.dir < 0 || s.listener < 0) {
        (void)fprintf(stderr, "reeve-site: %s: %s\n", s.dir < 0 ? argv[1] : "port",
                      strerror(errno));
        return 1;
    }
    serve(&s, all);
    return 0;
}
