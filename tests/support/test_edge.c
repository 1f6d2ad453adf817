/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_edge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/api/drivers.h"
#include "providers/keeper_client.h"
#include "tests/support/test_ports.h"

int test_edge_reopen(struct test_edge *e)
{
    struct rv_result ret = { .size = sizeof(ret) };

    e->driver->close(e->self);
    e->self = NULL;
    return e->driver->open(&e->t.host, test_rv(e->config), 1, &e->self, &ret);
}

int test_edge_init(struct test_edge *e, int n_backends, int n_slots)
{
    const char *keeper = getenv("REEVE_KEEPER");

    *e = (struct test_edge){ .driver = haproxy_driver(), .epoch = 1 };
    test_host_init(&e->t);
    (void)snprintf(e->dir, sizeof(e->dir), "/tmp/edgeXXXXXX"); /* fits */
    if (!keeper || !mkdtemp(e->dir) || !realpath(keeper, e->keeper))
        return -1;
    e->http = test_ports(1);
    e->internal = test_ports(TEST_EDGE_PORTS);
    (void)snprintf(e->config, sizeof(e->config), /* fits: short paths */
                   "{\"directory\":\"%s\",\"keeper\":\"%s\",\"http\":\"127.0.0.1:%u\","
                   "\"internal\":\"%u-%u\",\"pool\":{\"backends\":%d,\"slots\":%d}}",
                   e->dir, e->keeper, e->http, e->internal, e->internal + TEST_EDGE_PORTS - 1,
                   n_backends, n_slots);
    return test_edge_reopen(e);
}

static void edge_stop_proxy(struct test_edge *e)
{
    AUTO_ARENA struct arena a;
    char runs[128];
    struct keeper_place place = { str_from_c(e->keeper), STR_NONE, S("edge") };
    struct keeper_view view = { 0 };
    struct rv_result ret = { .size = sizeof(ret) };

    arena_init(&a, 0);
    (void)snprintf(runs, sizeof(runs), "%s/run", e->dir); /* fits */
    place.runs = str_from_c(runs);
    if (keeper_look(&e->t.host, &a, &place, &view, &ret))
        return;
    if (view.life == KEEPER_LIVES && view.keeper_pid > 1)
        (void)kill((pid_t)view.keeper_pid, SIGKILL); /* the proxy dies with it */
    if (view.pid > 1)
        (void)kill((pid_t)view.pid, SIGKILL);
}

void test_edge_fini(struct test_edge *e)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < e->n_servers; i++)
        test_edge_kill_server(e, i, SIGKILL);
    edge_stop_proxy(e);
    if (e->self)
        e->driver->close(e->self);
    test_host_fini(&e->t);
    (void)sys_remove_all(e->dir, &err); /* a left-over directory hurts nobody */
}

uint16_t test_edge_server(struct test_edge *e, const char *version, const struct tiny_http *options)
{
    struct tiny_http o = options ? *options : (struct tiny_http){ .health_fail_ms = -1 };
    uint16_t port = 0;
    pid_t pid;

    o.version = version;
    o.fd = tiny_http_listen(0, &port);
    if (o.fd < 0 || e->n_servers == TEST_EDGE_SERVERS_MAX || (pid = fork()) < 0)
        return 0;
    if (!pid) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        tiny_http_serve(&o);
        _exit(0);
    }
    (void)close(o.fd); /* the child's */
    e->servers[e->n_servers++] = pid;
    return port;
}

void test_edge_kill_server(struct test_edge *e, size_t i, int signal)
{
    if (e->servers[i] <= 0)
        return;
    (void)kill(e->servers[i], signal);
    (void)waitpid(e->servers[i], NULL, 0); /* it ends by this signal */
    e->servers[i] = 0;
}

static struct rv_op edge_op(struct test_edge *e, uint32_t action, const char *type,
                            const char *name, const char *owner, const char *desired)
{
    struct rv_op op = test_op(action, type, name, owner, "key", desired);

    op.epoch = e->epoch;
    test_host_forget(&e->t);
    e->ret = (struct rv_result){ .size = sizeof(e->ret) };
    return op;
}

uint32_t test_edge_apply(struct test_edge *e, uint32_t action, const char *type, const char *name,
                         const char *owner, const char *desired)
{
    struct rv_op op = edge_op(e, action, type, name, owner, desired);

    e->driver->apply(e->self, &e->t.host, &op, &e->ret);
    return e->ret.verdict;
}

int test_edge_must(struct test_edge *e, uint32_t action, const char *type, const char *name,
                   const char *owner, const char *desired)
{
    uint32_t verdict = test_edge_apply(e, action, type, name, owner, desired);

    if (verdict == RV_DONE)
        return 1;
    (void)fprintf(stderr, "%s %s: %s: %.*s\n", type, owner, kit_verdict_name(verdict),
                  (int)e->ret.message.n, e->ret.message.p ? e->ret.message.p : "");
    return 0;
}

uint32_t test_edge_read(struct test_edge *e, const char *type, const char *owner, const char *id)
{
    struct rv_op op = edge_op(e, RV_NONE, type, "", owner, NULL);

    op.id = test_rv(id);
    e->driver->read(e->self, &e->t.host, &op, 1, &e->ret);
    return e->ret.verdict;
}

uint32_t test_edge_find(struct test_edge *e, const char *type, const char *owner)
{
    struct rv_op op = edge_op(e, RV_NONE, type, "", owner, NULL);

    e->driver->find_by_owner(e->self, &e->t.host, &op, &e->ret);
    return e->ret.verdict;
}

uint32_t test_edge_counters(struct test_edge *e, const char *owner)
{
    struct rv_op op = edge_op(e, RV_NONE, "backend", "", owner, NULL);

    e->driver->counters(e->self, &e->t.host, &op, &e->ret);
    return e->ret.verdict;
}

uint32_t test_edge_shed(struct test_edge *e, const char *owner, const char *desired)
{
    struct rv_op op = edge_op(e, RV_NONE, "backend", "", owner, desired);

    e->driver->shed(e->self, &e->t.host, &op, &e->ret);
    return e->ret.verdict;
}

uint32_t test_edge_health(struct test_edge *e)
{
    struct rv_op op = edge_op(e, RV_NONE, "switch", "", "", NULL);

    e->driver->health(e->self, &e->t.host, &op, &e->ret);
    return e->ret.verdict;
}

int test_edge_backend(struct test_edge *e, const char *owner, uint16_t port, char ret_id[16])
{
    char desired[128];

    (void)snprintf(desired, sizeof(desired), "{\"servers\":[\"127.0.0.1:%u\"],\"label\":{}}", port);
    if (!test_edge_must(e, RV_CREATE, "backend", "api@1", owner, desired))
        return 0;
    (void)snprintf(ret_id, 16, "%.*s", (int)e->ret.id.n, e->ret.id.p);
    return 1;
}

void test_edge_send_from(const char *from, uint16_t port, const char *request,
                         struct test_edge_answer *ret)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(from) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = 20 };
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char text[sizeof(ret->head) + sizeof(ret->body)];
    size_t n = 0;
    char *end;

    *ret = (struct test_edge_answer){ 0 };
    memset(text, 0, sizeof(text));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); /* waits for ever then */
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return;
    for (ssize_t got; n < sizeof(text) - 1 && !strstr(text, " 101 "); n += (size_t)got)
        if ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) <= 0)
            break; /* the end; after 101 there is none */
    end = strstr(text, "\r\n\r\n");
    if (!end || sscanf(text, "HTTP/1.%*d %d", &ret->status) != 1)
        return;
    (void)snprintf(ret->head, sizeof(ret->head), "%.*s", (int)(end - text), text); /* may be cut */
    (void)snprintf(ret->body, sizeof(ret->body), "%s", end + 4);
}

void test_edge_send(uint16_t port, const char *request, struct test_edge_answer *ret)
{
    test_edge_send_from("127.0.0.1", port, request, ret);
}

void test_edge_get(uint16_t port, const char *host, const char *target,
                   struct test_edge_answer *ret)
{
    char request[4096];

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, host);
    test_edge_send(port, request, ret);
}

void test_edge_ask(struct test_edge *e, const char *line, char *text, size_t size)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t n = 0;

    text[0] = 0;
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/admin.sock", e->dir); /* fits */
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
        send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return;
    for (ssize_t got; n < size - 1; n += (size_t)got)
        if ((got = recv(fd, text + n, size - 1 - n, 0)) <= 0)
            break;
    text[n] = 0;
}

void test_edge_tell(struct test_edge *e, const char *line)
{
    char ignored[8192];

    test_edge_ask(e, line, ignored, sizeof(ignored));
}

pid_t test_edge_proxy(struct test_edge *e)
{
    char text[8192];
    const char *pid;

    test_edge_ask(e, "show info\n", text, sizeof(text));
    pid = strstr(text, "\nPid: ");
    return pid ? (pid_t)atoi(pid + 6) : 0;
}
