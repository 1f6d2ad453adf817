/*
 * wire: who asks a door, for the benchmarks. SPDX-License-Identifier: Apache-2.0
 *
 *     wire ask ADDRESS PATH CONNECTIONS SECONDS [HEADERS]   "PER_S P50 P99 BYTES": answers, milliseconds, of a body
 *     wire hold ADDRESS PATH CONNECTIONS HEADERS..          streams that are read, until the standard input ends
 *     wire drip ADDRESS CONNECTIONS                         requests that never end, a byte a second, until then
 *
 * ADDRESS is HOST:PORT or the path of a socket. HEADERS is a file with more lines of the request; streams take
 * the files in turn. `ask` asks again when it was answered, on the same connection. The others come from many
 * addresses of loopback, say "ready" when all are there, and at the end how often one was sent away.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define A_SOURCE_HAS 100 /* connections of one address */
#define EVENTS_MAX 256
#define HELD_AT_ONCE 16 /* asked for, and not there yet: an address has a share */
#define TICK_MS 100
#define DRIP_MS 1000

struct client {
    int fd;
    const char *request;
    char head[HEAD_MAX];
    size_t n_head, n_body; /* n_body: bytes of the body that are to come */
    int is_in_body, is_ready;
    double began_ms;
};

struct wire {
    const char *address;
    int poller;
    struct client *clients;
    size_t n, n_dialed, n_ready, n_away;
    double *took_ms;
    size_t n_took, n_room, body_bytes;
};

static double now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "wire: %s: %s\n", what, why);
    exit(1);
}

/* --- connections --------------------------------------------------------------------------------- */

static int dial_socket(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path); /* a temporary directory: short */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)))
        die(path, "nobody answers");
    return fd;
}

/* The n-th connection comes from an address that it shares with a few. */
static int dial_port(const char *address, size_t n)
{
    const char *colon = strrchr(address, ':');
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 * (uint32_t)(n / A_SOURCE_HAS));
    at.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : ""));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)) ||
        connect(fd, (const struct sockaddr *)&at, sizeof(at)))
        die(address, "nobody answers");
    return fd;
}

static void client_dial(struct wire *w, struct client *c)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = c } };

    c->fd = w->address[0] == '/' ? dial_socket(w->address)
                                 : dial_port(w->address, (size_t)(c - w->clients));
    c->n_head = c->n_body = 0;
    c->is_in_body = 0;
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(w->poller, EPOLL_CTL_ADD, c->fd, &event))
        die(w->address, "cannot be watched");
}

static void client_say(struct client *c, const char *text)
{
    size_t n = strlen(text);

    c->began_ms = now_ms();
    if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
        c->n_body = 0; /* its end is read next */
}

/* As many descriptors as we may have: each connection is one. */
static void wire_open(struct wire *w, const char *address, const char *n)
{
    struct rlimit files;

    w->address = address;
    w->n = strtoul(n, NULL, 10);
    w->clients = calloc(w->n, sizeof(*w->clients));
    w->poller = epoll_create1(EPOLL_CLOEXEC);
    if (!w->clients || w->poller < 0)
        die("start", "out of memory");
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* too few show when one is opened */
    }
}

static char *read_headers(const char *path)
{
    char *text = calloc(1, HEAD_MAX);
    FILE *f = path ? fopen(path, "r") : NULL;

    if (!text || (path && !f))
        die(path, "cannot be read");
    if (f) {
        (void)!fread(text, 1, HEAD_MAX - 1, f); /* a cut one is refused by who is asked */
        (void)fclose(f);                        /* it was read only */
    }
    return text;
}

static char *request_of(const char *path, const char *headers)
{
    size_t size = strlen(path) + HEAD_MAX + 64;
    char *request = malloc(size), *lines = read_headers(headers);

    if (!request)
        die("start", "out of memory");
    (void)snprintf(request, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, lines);
    free(lines);
    return request;
}

/* So many more. */
static void client_begin(struct wire *w, size_t n)
{
    for (; n && w->n_dialed < w->n; n--) {
        struct client *c = &w->clients[w->n_dialed++];

        client_dial(w, c);
        client_say(c, c->request);
    }
}

/* --- ask ----------------------------------------------------------------------------------------- */

static void take_time(struct wire *w, double ms)
{
    if (w->n_took == w->n_room) {
        w->n_room = w->n_room ? w->n_room * 2 : 4096;
        w->took_ms = realloc(w->took_ms, w->n_room * sizeof(*w->took_ms));
        if (!w->took_ms)
            die("times", "out of memory");
    }
    w->took_ms[w->n_took++] = ms;
}

static void read_head(struct wire *w, struct client *c)
{
    const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "content-length:");
    int status = atoi(c->head + strlen("HTTP/1.1 "));

    if (!end)
        return;
    if (status != 200 && status != 304)
        die(c->request, c->head);
    c->is_in_body = 1;
    c->n_body = length && length < end && status == 200
                    ? strtoul(length + strlen("content-length:"), NULL, 10)
                    : 0;
    w->body_bytes = c->n_body;
    c->n_body -= c->n_head - (size_t)(end + 4 - c->head);
}

static void hear_answer(struct wire *w, struct client *c)
{
    static char body[1 << 17];
    ssize_t n = c->is_in_body ? recv(c->fd, body, sizeof(body), 0)
                              : recv(c->fd, c->head + c->n_head, HEAD_MAX - 1 - c->n_head, 0);

    if (n <= 0)
        die(c->request, "the connection ended");
    if (c->is_in_body) {
        c->n_body -= (size_t)n;
    } else {
        c->n_head += (size_t)n;
        c->head[c->n_head] = 0;
        read_head(w, c);
    }
    if (!c->is_in_body || c->n_body)
        return;
    take_time(w, now_ms() - c->began_ms);
    c->n_head = 0;
    c->is_in_body = 0;
    client_say(c, c->request);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void say_times(struct wire *w, double passed_ms)
{
    if (!w->n_took)
        die(w->address, "no answer");
    qsort(w->took_ms, w->n_took, sizeof(*w->took_ms), by_size);
    (void)printf("%.0f %.3f %.3f %zu\n", (double)w->n_took * 1e3 / passed_ms,
                 w->took_ms[w->n_took / 2], w->took_ms[w->n_took * 99 / 100], w->body_bytes);
}

static void ask(struct wire *w, double seconds)
{
    double began_ms = now_ms();

    client_begin(w, w->n);
    while (now_ms() - began_ms < seconds * 1e3) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(w->poller, events, EVENTS_MAX, TICK_MS);

        for (int i = 0; i < n; i++)
            hear_answer(w, events[i].data.ptr);
    }
    say_times(w, now_ms() - began_ms);
}

/* --- hold and drip ------------------------------------------------------------------------------- */

static void note_ready(struct wire *w, struct client *c)
{
    if (c->is_ready)
        return;
    c->is_ready = 1;
    client_begin(w, 1);
    if (++w->n_ready == w->n) {
        (void)puts("ready");
        (void)fflush(stdout);
    }
}

/* Of a stream the beginning says that it is one. */
static void hear_stream(struct wire *w, struct client *c)
{
    ssize_t n = recv(c->fd, c->head, HEAD_MAX - 1, 0);

    if (n > 0) {
        c->head[n] = 0;
        if (!c->is_ready && strncmp(c->head, "HTTP/1.1 200", 12) != 0)
            die(c->request, c->head);
        note_ready(w, c);
        return;
    }
    w->n_away++;
    (void)close(c->fd);
    client_dial(w, c);
    client_say(c, c->request);
}

static int is_over(void)
{
    struct pollfd in = { STDIN_FILENO, POLLIN, 0 };
    char byte;

    return poll(&in, 1, 0) == 1 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* Each has its turn once in DRIP_MS. */
static void drip(struct wire *w, double passed_ms)
{
    size_t turns = DRIP_MS / TICK_MS, turn = (size_t)(passed_ms / TICK_MS) % turns;

    for (size_t i = turn; i < w->n; i += turns) {
        (void)send(w->clients[i].fd, "x", 1, MSG_NOSIGNAL); /* its end is read next */
        note_ready(w, &w->clients[i]);
    }
}

static void keep(struct wire *w, int drips)
{
    double began_ms = now_ms(), next_ms = began_ms;

    client_begin(w, drips ? w->n : HELD_AT_ONCE);
    while (!is_over()) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(w->poller, events, EVENTS_MAX, TICK_MS);

        for (int i = 0; i < n; i++)
            hear_stream(w, events[i].data.ptr);
        if (drips && now_ms() >= next_ms) {
            drip(w, next_ms - began_ms);
            next_ms += TICK_MS;
        }
    }
    (void)printf("%zu\n", w->n_away);
}

int main(int argc, char **argv)
{
    struct wire w = { 0 };
    int asks = argc >= 6 && argc <= 7 && !strcmp(argv[1], "ask");
    int holds = argc >= 6 && !strcmp(argv[1], "hold");
    int drips = argc == 4 && !strcmp(argv[1], "drip");

    if (!asks && !holds && !drips)
        die("usage", "ask | hold | drip");
    wire_open(&w, argv[2], drips ? argv[3] : argv[4]);
    for (size_t i = 0; i < w.n; i++)
        w.clients[i].request = drips  ? "GET / HTTP/1.1\r\nHost: localhost\r\nX: "
                               : asks ? request_of(argv[3], argv[6])
                                      : request_of(argv[3], argv[5 + i % (size_t)(argc - 5)]);
    if (asks)
        ask(&w, atof(argv[5]));
    else
        keep(&w, drips);
    return 0;
}
