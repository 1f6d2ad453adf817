/*
 * load: a load generator that counts lost requests. SPDX-License-Identifier: Apache-2.0
 *
 *     load --target 127.0.0.1:8080 --host app.test --path / --new 4 --kept 4 --seconds 10
 *
 *     --host H        may be repeated; asked in turn                           (localhost)
 *     --path P        may be repeated; asked for in turn                       (/)
 *     --new N         clients with a connection a request                      (1)
 *     --kept N        clients that keep their connection; they retry nothing   (1)
 *     --slow N        clients that ask for --slow-path (/slow?ms=1500) on new connections  (0)
 *     --websocket N   clients that hold a websocket and expect every byte back (0)
 *     --post PERCENT  of the requests carry a body that must come back         (20)
 *     --pause-ms N    between two requests of a client                         (0)
 *     --seconds N     0: until SIGTERM                                         (0)
 *     --begun FILE    made when each client has asked once, and was answered or lost it
 *
 * Each answer is read to its end. Lost: no complete answer, or a 5xx that the application did not
 * send (it marks its own with X-App). Unrouted: a complete answer of somebody else below 500. At
 * the end one line of JSON says what happened; `versions` are the first lines of the bodies.
 * Exit status: 0, or 3 for wrong usage; losses are for the reader to judge.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/tiny_http.h"

#define LOAD_ANSWER_MAX (1u << 20)
#define LOAD_TIMEOUT_S 60
#define LOAD_PATHS_MAX 64
#define LOAD_CLIENTS_MAX 512
#define LOAD_VERSIONS_MAX 64
#define LOAD_BODY_MAX 4096
#define LOAD_STATUS_MAX 600

/* clang-format off */
#define LOAD_REASONS(R) \
    R(CONNECT,   "connect")   /* no connection */                                  \
    R(SEND,      "send")      /* it broke while the request was sent */            \
    R(RESET,     "reset")     /* it was reset before the answer was whole */       \
    R(EMPTY,     "empty")     /* it was closed before the first byte */            \
    R(SHORT,     "short")     /* it was closed within the answer */                \
    R(TIMEOUT,   "timeout")                                                        \
    R(MALFORMED, "malformed") /* not an HTTP answer with a length */               \
    R(ALTERED,   "altered")   /* the body that came back is not the one sent */    \
    R(PROXY_5XX, "proxy_5xx") /* a 5xx that the application did not send */
/* clang-format on */

enum load_reason {
#define R(name, text) LOAD_##name,
    LOAD_REASONS(R)
#undef R
        N_LOAD_REASONS
};

static const char *const load_reason_names[] = {
#define R(name, text) [LOAD_##name] = text,
    LOAD_REASONS(R)
#undef R
};

enum load_kind { LOAD_NEW, LOAD_KEPT, LOAD_SLOW, LOAD_WEBSOCKET, N_LOAD_KINDS };

struct load_options {
    struct sockaddr_in target;
    const char *slow_path, *begun, *hosts[LOAD_PATHS_MAX], *paths[LOAD_PATHS_MAX];
    size_t n_hosts, n_paths;
    int n_clients[N_LOAD_KINDS], post_percent, pause_ms, seconds;
};

struct load_version {
    char name[64];
    long n;
    long long first_ms, last_ms;
};

struct load_counts {
    long sent, ok, unrouted, lost, reasons[N_LOAD_REASONS], status[LOAD_STATUS_MAX];
    long long lost_first_ms, lost_last_ms; /* 0: none */
    long ws_opened, ws_messages, ws_cut;
    struct load_version versions[LOAD_VERSIONS_MAX];
    size_t n_versions;
};

struct load_client {
    const struct load_options *o;
    enum load_kind kind;
    pthread_t thread;
    unsigned n; /* requests so far; decides path and method */
    int fd;
    char request[LOAD_BODY_MAX + 2048], *answer;
    char body[LOAD_BODY_MAX];
    size_t n_request, n_sent_body, n_answer;
    struct load_counts counts;
};

struct load_answer {
    int status, from_app, close;
    const char *body;
    size_t n_head, n_body;
};

static atomic_int load_stop; /* of a signal, for all threads */
static atomic_size_t load_n_begun;

static void load_on_signal(int signal)
{
    (void)signal;
    load_stop = 1;
}

static long long load_wall_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with this clock */
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void load_pause(int ms)
{
    struct timespec delay = { ms / 1000, (long)(ms % 1000) * 1000000 };

    (void)nanosleep(&delay, NULL); /* a signal may cut it short */
}

static void load_lose(struct load_client *c, enum load_reason reason)
{
    c->counts.lost_last_ms = load_wall_ms();
    if (!c->counts.lost++)
        c->counts.lost_first_ms = c->counts.lost_last_ms;
    c->counts.reasons[reason]++;
}

static void load_close(struct load_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd); /* all was read */
    c->fd = -1;
}

static int load_connect(struct load_client *c)
{
    struct timeval limit = { .tv_sec = LOAD_TIMEOUT_S };
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
                     sizeof(limit)); /* waits for ever then */
    return connect(c->fd, (const struct sockaddr *)&c->o->target, sizeof(c->o->target));
}

static void load_make_request(struct load_client *c)
{
    const char *path = c->kind == LOAD_SLOW ? c->o->slow_path : c->o->paths[c->n % c->o->n_paths];
    int is_post = c->kind != LOAD_SLOW && (int)(c->n * 37 % 100) < c->o->post_percent;
    int n_head;

    c->n_sent_body = is_post ? 1 + (c->n * 131) % (LOAD_BODY_MAX - 1) : 0;
    for (size_t i = 0; i < c->n_sent_body; i++)
        c->body[i] = (char)('a' + (i + c->n) % 26);
    n_head = snprintf(c->request, sizeof(c->request),
                      "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n%s\r\n",
                      is_post ? "POST" : "GET", path, c->o->hosts[c->n % c->o->n_hosts],
                      c->n_sent_body, c->kind == LOAD_KEPT ? "" : "Connection: close\r\n");
    c->n_request = (size_t)n_head;
    memcpy(c->request + n_head, c->body, c->n_sent_body);
    c->n_request += c->n_sent_body;
}

static int load_send(struct load_client *c)
{
    for (size_t at = 0; at < c->n_request;) {
        ssize_t n = send(c->fd, c->request + at, c->n_request - at, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

static const char *load_header(const char *head, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r';
         line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':')
            return line + 3 + n + strspn(line + 3 + n, " ");
    return NULL;
}

/* 1: whole; 0: more is needed; -1: not an answer that we can measure. */
static int load_parse(const struct load_client *c, struct load_answer *ret)
{
    const char *end = strstr(c->answer, "\r\n\r\n"), *length, *connection;
    struct load_answer a = { 0 };

    if (!end)
        return 0;
    if (sscanf(c->answer, "HTTP/1.%*d %d", &a.status) != 1 || a.status < 100 ||
        a.status >= LOAD_STATUS_MAX || !(length = load_header(c->answer, "Content-Length")))
        return -1;
    a.n_head = (size_t)(end - c->answer) + 4;
    a.n_body = strtoul(length, NULL, 10);
    a.body = c->answer + a.n_head;
    a.from_app = load_header(c->answer, "X-App") != NULL;
    connection = load_header(c->answer, "Connection");
    a.close = connection && !strncasecmp(connection, "close", 5);
    if (a.n_head + a.n_body > LOAD_ANSWER_MAX)
        return -1;
    *ret = a;
    return c->n_answer >= a.n_head + a.n_body;
}

/* 0, or the request is lost and its reason noted. */
static int load_receive(struct load_client *c, struct load_answer *ret)
{
    c->n_answer = 0;
    c->answer[0] = 0;
    for (;;) {
        ssize_t n = recv(c->fd, c->answer + c->n_answer, LOAD_ANSWER_MAX - c->n_answer, 0);
        int found;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            load_lose(c, errno == EAGAIN ? LOAD_TIMEOUT : LOAD_RESET);
        else if (n == 0)
            load_lose(c, c->n_answer ? LOAD_SHORT : LOAD_EMPTY);
        if (n <= 0)
            return -1;
        c->n_answer += (size_t)n;
        c->answer[c->n_answer] = 0;
        if ((found = load_parse(c, ret)) < 0 || (!found && c->n_answer == LOAD_ANSWER_MAX)) {
            load_lose(c, LOAD_MALFORMED);
            return -1;
        }
        if (found)
            return 0;
    }
}

static void load_note_version(struct load_counts *counts, const char *name, size_t n_name, long n,
                              long long first_ms, long long last_ms)
{
    struct load_version *v = counts->versions;

    for (; v < counts->versions + counts->n_versions; v++)
        if (strlen(v->name) == n_name && !memcmp(v->name, name, n_name))
            break;
    if (v == counts->versions + LOAD_VERSIONS_MAX || n_name >= sizeof(v->name))
        return;
    if (v == counts->versions + counts->n_versions) {
        counts->n_versions++;
        memcpy(v->name, name, n_name);
        v->first_ms = first_ms;
    }
    v->n += n;
    v->first_ms = first_ms < v->first_ms ? first_ms : v->first_ms;
    v->last_ms = last_ms > v->last_ms ? last_ms : v->last_ms;
}

static void load_judge(struct load_client *c, const struct load_answer *a)
{
    const char *line_end = memchr(a->body, '\n', a->n_body);
    long long now_ms = load_wall_ms();

    c->counts.status[a->status]++;
    if (!a->from_app && a->status >= 500) {
        load_lose(c, LOAD_PROXY_5XX);
        return;
    }
    if (!a->from_app) {
        c->counts.unrouted++;
        return;
    }
    if (c->n_sent_body && (a->n_body < c->n_sent_body ||
                           memcmp(a->body + a->n_body - c->n_sent_body, c->body, c->n_sent_body))) {
        load_lose(c, LOAD_ALTERED);
        return;
    }
    c->counts.ok++;
    if (line_end)
        load_note_version(&c->counts, a->body, (size_t)(line_end - a->body), 1, now_ms, now_ms);
}

static void load_request(struct load_client *c)
{
    struct load_answer a;

    load_make_request(c);
    c->counts.sent++;
    c->n++;
    if (c->fd < 0 && load_connect(c)) {
        load_lose(c, LOAD_CONNECT);
        load_close(c);
        load_pause(10); /* somebody may come to listen */
        return;
    }
    if (load_send(c)) {
        load_lose(c, LOAD_SEND);
        load_close(c);
        return;
    }
    if (load_receive(c, &a)) {
        load_close(c);
        return;
    }
    load_judge(c, &a);
    if (c->kind != LOAD_KEPT || a.close)
        load_close(c);
}

/* --- websockets: the server sends back what it gets --- */

static int load_open_websocket(struct load_client *c)
{
    int n = snprintf(c->request, sizeof(c->request),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " TINY_HTTP_WEBSOCKET_KEY
                     "\r\n\r\n",
                     c->o->paths[0], c->o->hosts[0]);
    ssize_t got;

    c->n_request = (size_t)n;
    if (load_connect(c) || load_send(c))
        return -1;
    got = recv(c->fd, c->answer, LOAD_ANSWER_MAX, 0);
    if (got <= 0)
        return -1;
    c->answer[got] = 0;
    return strstr(c->answer, " 101 ") ? 0 : -1;
}

static void load_websocket(struct load_client *c)
{
    char back[8];

    c->counts.sent += c->fd < 0;
    if (c->fd < 0 && load_open_websocket(c)) {
        load_lose(c, LOAD_CONNECT);
        load_close(c);
        load_pause(10); /* somebody may come to listen */
        return;
    }
    if (!c->n_sent_body) {
        c->n_sent_body = 1; /* open */
        c->counts.ok++;
        c->counts.ws_opened++;
    }
    if (send(c->fd, "ping", 4, MSG_NOSIGNAL) == 4 && recv(c->fd, back, 4, MSG_WAITALL) == 4) {
        c->counts.ws_messages++;
        load_pause(20);
        return;
    }
    c->counts.ws_cut++;
    c->n_sent_body = 0;
    load_close(c);
}

static void *load_run(void *arg)
{
    struct load_client *c = arg;
    int has_begun = 0;

    while (!load_stop) {
        if (c->kind == LOAD_WEBSOCKET)
            load_websocket(c);
        else
            load_request(c);
        if (!has_begun)
            load_n_begun++;
        has_begun = 1;
        if (c->o->pause_ms)
            load_pause(c->o->pause_ms);
    }
    load_close(c);
    return NULL;
}

static void load_sum(struct load_counts *to, const struct load_counts *from)
{
    to->sent += from->sent;
    to->ok += from->ok;
    to->unrouted += from->unrouted;
    if (from->lost && (!to->lost || from->lost_first_ms < to->lost_first_ms))
        to->lost_first_ms = from->lost_first_ms;
    if (from->lost_last_ms > to->lost_last_ms)
        to->lost_last_ms = from->lost_last_ms;
    to->lost += from->lost;
    to->ws_opened += from->ws_opened;
    to->ws_messages += from->ws_messages;
    to->ws_cut += from->ws_cut;
    for (size_t i = 0; i < N_LOAD_REASONS; i++)
        to->reasons[i] += from->reasons[i];
    for (size_t i = 0; i < LOAD_STATUS_MAX; i++)
        to->status[i] += from->status[i];
    for (size_t i = 0; i < from->n_versions; i++)
        load_note_version(to, from->versions[i].name, strlen(from->versions[i].name),
                          from->versions[i].n, from->versions[i].first_ms,
                          from->versions[i].last_ms);
}

static void load_print_text(const char *text)
{
    (void)putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            (void)printf("\\u%04x", (unsigned char)*text);
        else
            (void)putchar(*text);
    (void)putchar('"');
}

static void load_print(const struct load_counts *c, long long began_ms)
{
    const char *comma = "";

    (void)printf("{\"sent\":%ld,\"ok\":%ld,\"unrouted\":%ld,\"lost\":%ld,\"reasons\":{", c->sent,
                 c->ok, c->unrouted, c->lost);
    for (size_t i = 0; i < N_LOAD_REASONS; i++)
        if (c->reasons[i]) {
            (void)printf("%s\"%s\":%ld", comma, load_reason_names[i], c->reasons[i]);
            comma = ",";
        }
    (void)printf("},\"status\":{");
    comma = "";
    for (size_t i = 0; i < LOAD_STATUS_MAX; i++)
        if (c->status[i]) {
            (void)printf("%s\"%zu\":%ld", comma, i, c->status[i]);
            comma = ",";
        }
    (void)printf("},\"versions\":{");
    for (size_t i = 0; i < c->n_versions; i++) {
        (void)printf("%s", i ? "," : "");
        load_print_text(c->versions[i].name);
        (void)printf(":{\"n\":%ld,\"first_ms\":%lld,\"last_ms\":%lld}", c->versions[i].n,
                     c->versions[i].first_ms, c->versions[i].last_ms);
    }
    (void)printf("},\"websockets\":{\"opened\":%ld,\"messages\":%ld,\"cut\":%ld},"
                 "\"lost_first_ms\":%lld,\"lost_last_ms\":%lld,"
                 "\"began_ms\":%lld,\"ended_ms\":%lld}\n",
                 c->ws_opened, c->ws_messages, c->ws_cut, c->lost_first_ms, c->lost_last_ms,
                 began_ms, load_wall_ms());
}

static int load_set_target(struct load_options *o, char *text)
{
    char *colon = strrchr(text, ':');

    if (!colon)
        return -1;
    *colon = 0;
    o->target.sin_family = AF_INET;
    o->target.sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, text, &o->target.sin_addr) == 1 ? 0 : -1;
}

static int load_read_options(int argc, char **argv, struct load_options *o)
{
    static const struct option names[] = {
        { "target", 1, NULL, 't' },
        { "host", 1, NULL, 'h' },
        { "path", 1, NULL, 'p' },
        { "new", 1, NULL, 'n' },
        { "kept", 1, NULL, 'k' },
        { "slow", 1, NULL, 's' },
        { "slow-path", 1, NULL, 'S' },
        { "post", 1, NULL, 'P' },
        { "seconds", 1, NULL, 'd' },
        { "pause-ms", 1, NULL, 'z' },
        { "websocket", 1, NULL, 'w' },
        { "begun", 1, NULL, 'b' },
        { 0 },
    };
    int bad = 0;

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 't':
            bad |= load_set_target(o, optarg) != 0;
            break;
        case 'h':
            if (o->n_hosts < LOAD_PATHS_MAX)
                o->hosts[o->n_hosts++] = optarg;
            break;
        case 'p':
            if (o->n_paths < LOAD_PATHS_MAX)
                o->paths[o->n_paths++] = optarg;
            break;
        case 'n':
            o->n_clients[LOAD_NEW] = atoi(optarg);
            break;
        case 'k':
            o->n_clients[LOAD_KEPT] = atoi(optarg);
            break;
        case 's':
            o->n_clients[LOAD_SLOW] = atoi(optarg);
            break;
        case 'w':
            o->n_clients[LOAD_WEBSOCKET] = atoi(optarg);
            break;
        case 'S':
            o->slow_path = optarg;
            break;
        case 'P':
            o->post_percent = atoi(optarg);
            break;
        case 'b':
            o->begun = optarg;
            break;
        case 'd':
            o->seconds = atoi(optarg);
            break;
        case 'z':
            o->pause_ms = atoi(optarg);
            break;
        default:
            bad = 1;
        }
    }
    if (!o->n_hosts)
        o->hosts[o->n_hosts++] = "localhost";
    if (!o->n_paths)
        o->paths[o->n_paths++] = "/";
    return bad || optind != argc || !o->target.sin_port;
}

static size_t load_start(const struct load_options *o, struct load_client **clients)
{
    size_t n = 0;

    for (int kind = 0; kind < N_LOAD_KINDS; kind++)
        for (int i = 0; i < o->n_clients[kind] && n < LOAD_CLIENTS_MAX; i++) {
            struct load_client *c = calloc(1, sizeof(*c));

            if (!c || !(c->answer = malloc(LOAD_ANSWER_MAX + 1)))
                abort();
            c->o = o;
            c->kind = (enum load_kind)kind;
            c->n = (unsigned)n;
            c->fd = -1;
            if (pthread_create(&c->thread, NULL, load_run, c))
                abort();
            clients[n++] = c;
        }
    return n;
}

static int load_tell_begun(const char *path)
{
    FILE *f = fopen(path, "w");

    return !f || fclose(f);
}

static void load_wait(const struct load_options *o, size_t n, long long began_ms)
{
    const char *begun = o->begun;

    while (!load_stop &&
           (!o->seconds || load_wall_ms() - began_ms < (long long)o->seconds * 1000)) {
        if (begun && load_n_begun == n) {
            if (load_tell_begun(begun))
                abort();
            begun = NULL;
        }
        load_pause(20);
    }
}

int main(int argc, char **argv)
{
    struct load_options o = { .slow_path = "/slow?ms=1500",
                              .post_percent = 20,
                              .n_clients = { [LOAD_NEW] = 1, [LOAD_KEPT] = 1 } };
    static struct load_client *clients[LOAD_CLIENTS_MAX];
    static struct load_counts sum;
    struct sigaction action = { .sa_handler = load_on_signal };
    long long began_ms = load_wall_ms();
    size_t n;

    if (load_read_options(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: load --target IPv4:PORT [options]\n");
        return 3;
    }
    (void)sigaction(SIGTERM, &action, NULL); /* cannot fail for these */
    (void)sigaction(SIGINT, &action, NULL);
    n = load_start(&o, clients);
    load_wait(&o, n, began_ms);
    load_stop = 1;
    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(clients[i]->thread, NULL); /* ends after its request */
        load_sum(&sum, &clients[i]->counts);
        free(clients[i]->answer);
        free(clients[i]);
    }
    load_print(&sum, began_ms);
    return 0;
}
