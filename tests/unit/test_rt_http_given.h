/* A small real server, and a request to it. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/test_rt_fixture.h"

/* --- a server: one thread, one connection at a time, answers by path */

struct server {
    int fd, stop_fds[2];
    pthread_t thread;
    char url[64], unix_path[64];
    atomic_int n_connections, n_early; /* early: was there before its request */
    char last[4096];                   /* the last request: read by the test when it was answered */
};

static inline void server_say(int fd, const char *text)
{
    size_t n = strlen(text);

    while (n) {
        ssize_t written = send(fd, text, n, MSG_NOSIGNAL);

        if (written <= 0)
            return; /* the client went, as some rows want */
        text += written;
        n -= (size_t)written;
    }
}

static inline void server_say_much(int fd, size_t n)
{
    static char block[65536];

    memset(block, 'y', sizeof(block) - 1);
    for (; n > 0; n -= n < sizeof(block) - 1 ? n : sizeof(block) - 1)
        server_say(fd, block);
}

/* Whether the connection stays. */
static inline int server_answer(struct server *s, int fd)
{
    static const struct {
        const char *path, *answer;
    } rows[] = {
        { "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Test: a b\r\n\r\nhello" },
        { "/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
        { "/empty", "HTTP/1.1 204 No Content\r\n\r\n" },
        { "/moved", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 3\r\n\r\nold" },
        { "/around", "HTTP/1.1 302 Found\r\nLocation: /around\r\nContent-Length: 0\r\n\r\n" },
        { "/away",
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" },
        { "/early", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
                    "Content-Length: 2\r\n\r\nhi" },
    };
    char path[32] = "";

    (void)sscanf(s->last, "%*s %31s", path);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (!strcmp(path, rows[i].path)) {
            server_say(fd, rows[i].answer);
            return 1;
        }
    if (!strcmp(path, "/endless")) {
        server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        server_say_much(fd, 64 << 20);
    } else if (!strcmp(path, "/cut")) {
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    } else if (!strcmp(path, "/noise")) {
        server_say(fd, "this is not HTTP\r\n\r\n");
    } else if (!strcmp(path, "/mute")) {
        char byte;

        (void)!read(fd, &byte, 1); /* until the client gives up */
    }
    return 0;
}

/* A whole request, by Content-Length; 0 when the client went. */
static inline int server_read(struct server *s, int fd)
{
    size_t n = 0, body = 0;
    char *end = NULL, *length;

    while (!end || n < (size_t)(end + 4 - s->last) + body) {
        ssize_t got = read(fd, s->last + n, sizeof(s->last) - 1 - n);

        if (got <= 0)
            return 0;
        n += (size_t)got;
        s->last[n] = 0;
        end = strstr(s->last, "\r\n\r\n");
        length = strstr(s->last, "Content-Length: ");
        body = length ? (size_t)atol(length + 16) : 0;
    }
    return 1;
}

static inline void *server_main(void *ctx)
{
    struct server *s = ctx;
    struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN },
                           { .fd = s->stop_fds[0], .events = POLLIN } };

    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        int fd = accept(s->fd, NULL, NULL);
        char byte;

        s->n_connections++;
        s->n_early += recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
        while (server_read(s, fd) && server_answer(s, fd))
            continue;
        (void)close(fd);
    }
    return NULL;
}

static inline void given_server(struct server *s, int is_unix)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    socklen_t n = sizeof(in);

    *s = (struct server){ .fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
                                       0) };
    (void)snprintf(s->unix_path, sizeof(s->unix_path), "/tmp/rt-http-%d", (int)getpid());
    (void)unlink(s->unix_path);
    memcpy(un.sun_path, s->unix_path, sizeof(s->unix_path));
    if (is_unix) {
        assert_int_equal(bind(s->fd, (struct sockaddr *)&un, sizeof(un)), 0);
        (void)snprintf(s->url, sizeof(s->url), "http://localhost");
    } else {
        assert_int_equal(bind(s->fd, (struct sockaddr *)&in, sizeof(in)), 0);
        assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &n), 0);
        (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(in.sin_port));
    }
    assert_int_equal(listen(s->fd, 128), 0);
    assert_int_equal(pipe(s->stop_fds), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static inline void server_fini(struct server *s)
{
    (void)close(s->stop_fds[1]);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->stop_fds[0]);
    (void)close(s->fd);
    (void)unlink(s->unix_path);
}

/* --- a request */

struct request {
    struct probe probe;
    struct http_request in;
    struct http_reply reply;
    char url[128];
};

static inline void wait_request(struct probe *p)
{
    struct request *r = container_of(p, struct request, probe);

    wait_http_start(&p->task, &r->in, &p->fixture->arena, &r->reply);
}

static inline void given_request(struct request *r, const struct server *s, const char *path)
{
    *r = (struct request){ .in = { .method = "GET", .body_max = 1000, .timeout_ms = 20000 } };
    (void)snprintf(r->url, sizeof(r->url), "%s%s", s ? s->url : "", path);
    r->in.url = r->url;
}

static inline void run_request(struct fixture *f, struct request *r)
{
    given_probe(&r->probe, f, wait_request);
    loop_run(f->loop);
    assert_int_equal(r->probe.n_ended, 1);
}
