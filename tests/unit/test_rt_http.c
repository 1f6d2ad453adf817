/* rt: requests and connects against a small real server. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

/* --- a server: one thread, one connection at a time, answers by path */

struct server {
    int fd, stop_fds[2];
    pthread_t thread;
    char url[64], unix_path[64];
    atomic_int n_connections;
    char last[4096]; /* the last request: read by the test when it was answered */
};

static void server_say(int fd, const char *text)
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

static void server_say_much(int fd, size_t n)
{
    static char block[65536];

    memset(block, 'y', sizeof(block) - 1);
    for (; n > 0; n -= n < sizeof(block) - 1 ? n : sizeof(block) - 1)
        server_say(fd, block);
}

/* Whether the connection stays. */
static int server_answer(struct server *s, int fd)
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
static int server_read(struct server *s, int fd)
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

static void *server_main(void *ctx)
{
    struct server *s = ctx;
    struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN },
                           { .fd = s->stop_fds[0], .events = POLLIN } };

    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        int fd = accept(s->fd, NULL, NULL);

        s->n_connections++;
        while (server_read(s, fd) && server_answer(s, fd))
            continue;
        (void)close(fd);
    }
    return NULL;
}

static void given_server(struct server *s, int is_unix)
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

static void server_fini(struct server *s)
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

static void wait_request(struct probe *p)
{
    struct request *r = container_of(p, struct request, probe);

    wait_http_start(&p->task, &r->in, &p->fixture->arena, &r->reply);
}

static void given_request(struct request *r, const struct server *s, const char *path)
{
    *r = (struct request){ .in = { .method = "GET", .body_max = 1000, .timeout_ms = 20000 } };
    (void)snprintf(r->url, sizeof(r->url), "%s%s", s ? s->url : "", path);
    r->in.url = r->url;
}

static void run_request(struct fixture *f, struct request *r)
{
    given_probe(&r->probe, f, wait_request);
    loop_run(f->loop);
    assert_int_equal(r->probe.n_ended, 1);
}

static void test_an_answer_is_an_answer_whatever_it_says(void **state)
{
    static const struct {
        const char *name, *path;
        int follow, timeout_ms, rc, status;
        const char *headers, *body;
    } rows[] = {
        { "a body", "/ok", 0, 0, 0, 200, "Content-Length: 5\nX-Test: a b\n", "hello" },
        { "not found", "/missing", 0, 0, 0, 404, "Content-Length: 0\n", "" },
        { "no content", "/empty", 0, 0, 0, 204, "", "" },
        { "an early hint is not the answer", "/early", 0, 0, 0, 200, "Content-Length: 2\n", "hi" },
        { "a redirect is not followed", "/moved", 0, 0, 0, 302,
          "Location: /ok\nContent-Length: 3\n", "old" },
        { "a redirect is followed when asked", "/moved", 1, 0, 0, 200,
          "Content-Length: 5\nX-Test: a b\n", "hello" },
        { "but never to another host", "/away", 1, 0, 0, 302,
          "Location: http://127.0.0.1:1/\nContent-Length: 0\n", "" },
        { "and not for ever", "/around", 1, 0, 0, 302, "Location: /around\nContent-Length: 0\n",
          "" },
        { "an answer that is cut is none", "/cut", 0, 0, ERR_UNREACHABLE, 0, "", "" },
        { "noise is none", "/noise", 0, 0, ERR_UNREACHABLE, 0, "", "" },
        { "a server that closes says none", "/close", 0, 0, ERR_UNREACHABLE, 0, "", "" },
        { "a mute server is late", "/mute", 0, 100, ERR_TIMEOUT, 0, "", "" },
    };
    struct server s;

    (void)state;
    given_server(&s, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r;

        given_real_loop(&f, NULL);
        given_request(&r, &s, rows[i].path);
        r.in.follow_redirects = rows[i].follow;
        if (rows[i].timeout_ms)
            r.in.timeout_ms = rows[i].timeout_ms;
        run_request(&f, &r);
        expect_end(&r.probe, rows[i].rc ? "WAIT FAILED " : "WAIT AFTER ", rows[i].rc);
        assert_int_equal(r.reply.status, rows[i].status);
        assert_string_equal(str_to_c(&f.arena, r.reply.headers), rows[i].headers);
        assert_string_equal(str_to_c(&f.arena, r.reply.body), rows[i].body);
        fixture_fini(&f);
    }
    server_fini(&s);
}

static void test_a_request_says_what_was_asked(void **state)
{
    static const char *const headers[] = { "X-One: 1", "Host: app.example", NULL };
    static const char *const json[] = { "Content-Type: application/json", NULL };
    static const struct {
        const char *name, *method, *body;
        const char *const *headers;
        const char *want[4], *not [3];
    } rows[] = {
        { "GET",
          "GET",
          NULL,
          headers,
          { "GET /ok HTTP/1.1\r\n", "X-One: 1\r\n", "Host: app.example\r\n", "User-Agent: reeve/" },
          { "Content-Length", "Content-Type", "Expect" } },
        { "POST with a body",
          "POST",
          "{}",
          json,
          { "POST /ok HTTP/1.1\r\n", "Content-Type: application/json\r\n", "Content-Length: 2\r\n",
            "\r\n\r\n{}" },
          { "urlencoded" } },
        { "POST without one",
          "POST",
          NULL,
          NULL,
          { "POST /ok", "Content-Length: 0\r\n" },
          { "Content-Type" } },
        { "PUT",
          "PUT",
          "x",
          NULL,
          { "PUT /ok", "Content-Length: 1\r\n" },
          { "Content-Type", "Expect" } },
        { "DELETE", "DELETE", NULL, NULL, { "DELETE /ok" }, { "Content-Length" } },
    };
    struct server s;

    (void)state;
    given_server(&s, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r;

        given_real_loop(&f, NULL);
        given_request(&r, &s, "/ok");
        r.in.method = rows[i].method;
        r.in.body = str_from_c(rows[i].body);
        r.in.headers = rows[i].headers;
        run_request(&f, &r);
        expect_end(&r.probe, "WAIT AFTER ", 0);
        for (size_t k = 0; k < 4 && rows[i].want[k]; k++)
            assert_non_null(strstr(s.last, rows[i].want[k]));
        for (size_t k = 0; k < 3 && rows[i].not [k]; k++)
            assert_null(strstr(s.last, rows[i].not [k]));
        fixture_fini(&f);
    }
    server_fini(&s);
}

static void test_a_bad_request_is_never_sent(void **state)
{
    static const char *const split[] = { "X-One: 1\r\nX-Two: 2", NULL }, *const bare[] = { "X",
                                                                                           NULL };
    static const struct {
        const char *name, *method, *url;
        const char *const *headers;
        int rc;
    } rows[] = {
        { "a header of two lines", "GET", "http://127.0.0.1:1/", split, ERR_INVALID },
        { "a header without a colon", "GET", "http://127.0.0.1:1/", bare, ERR_INVALID },
        { "a method that is no word", "GET /x", "http://127.0.0.1:1/", NULL, ERR_INVALID },
        { "another protocol", "GET", "file:///etc/passwd", NULL, ERR_INVALID },
        { "no URL at all", "GET", "http://", NULL, ERR_INVALID },
        { "a port where nobody listens", "GET", "http://127.0.0.1:1/", NULL, ERR_UNREACHABLE },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r;

        given_real_loop(&f, NULL);
        given_request(&r, NULL, rows[i].url);
        r.in.method = rows[i].method;
        r.in.headers = rows[i].headers;
        run_request(&f, &r);
        expect_end(&r.probe, "WAIT FAILED ", rows[i].rc);
        fixture_fini(&f);
    }
}

static void test_a_body_over_the_limit_is_dropped_and_an_endless_one_is_cut(void **state)
{
    static const struct {
        const char *name, *path, *body;
        size_t dropped_min, dropped_max;
    } rows[] = {
        { "a little over", "/ok", "hell", 1, 1 },
        { "endless", "/endless", "yyyy", 1 << 20, 4 << 20 },
    };
    struct server s;

    (void)state;
    given_server(&s, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r;

        given_real_loop(&f, NULL);
        given_request(&r, &s, rows[i].path);
        r.in.body_max = 4;
        run_request(&f, &r);
        expect_end(&r.probe, "WAIT AFTER ", 0);
        assert_int_equal(r.reply.status, 200);
        assert_string_equal(str_to_c(&f.arena, r.reply.body), rows[i].body);
        assert_in_range(r.reply.body_dropped, rows[i].dropped_min, rows[i].dropped_max);
        fixture_fini(&f);
    }
    server_fini(&s);
}

static void test_connections_are_reused_but_for_fresh_requests(void **state)
{
    static const struct {
        const char *name;
        int fresh, n_connections;
    } rows[] = { { "one for all", 0, 1 }, { "one each", 1, 5 } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct server s;
        struct request r;

        given_server(&s, 0);
        given_real_loop(&f, NULL);
        for (int k = 0; k < 5; k++) {
            given_request(&r, &s, "/ok");
            r.in.fresh = rows[i].fresh;
            run_request(&f, &r);
            expect_end(&r.probe, "WAIT AFTER ", 0);
        }
        assert_int_equal(s.n_connections, rows[i].n_connections);
        fixture_fini(&f);
        server_fini(&s);
    }
}

static void test_a_unix_socket_is_reached(void **state)
{
    struct fixture f;
    struct server s;
    struct request r;

    (void)state;
    given_server(&s, 1);
    given_real_loop(&f, NULL);
    given_request(&r, &s, "/ok");
    r.in.unix_path = s.unix_path;
    run_request(&f, &r);
    expect_end(&r.probe, "WAIT AFTER ", 0);
    assert_string_equal(str_to_c(&f.arena, r.reply.body), "hello");
    fixture_fini(&f);
    server_fini(&s);
}

static void test_the_environment_names_no_proxy(void **state)
{
    struct fixture f;
    struct server s;
    struct request r;

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    given_request(&r, &s, "/ok");
    run_request(&f, &r);
    expect_end(&r.probe, "WAIT AFTER ", 0);
    fixture_fini(&f);
    server_fini(&s);
    (void)unsetenv("http_proxy");
}

static void test_public_only_refuses_this_machine_on_any_connection(void **state)
{
    struct fixture f;
    struct server s;
    struct request r;

    (void)state;
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    for (int warm = 0; warm < 2; warm++) { /* the second time another request left a connection */
        given_request(&r, &s, "/ok");
        r.in.public_only = 1;
        run_request(&f, &r);
        expect_end(&r.probe, "WAIT FAILED ", ERR_REFUSED);
        assert_int_equal(s.n_connections, warm);
        if (!warm) {
            given_request(&r, &s, "/ok");
            run_request(&f, &r);
            expect_end(&r.probe, "WAIT AFTER ", 0);
        }
    }
    fixture_fini(&f);
    server_fini(&s);
}

static void test_many_requests_at_once_are_all_answered(void **state)
{
    static struct request requests[200];
    struct fixture f;
    struct server s;

    (void)state;
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
        given_request(&requests[i], &s, "/ok");
        requests[i].in.fresh = 1;
        given_probe(&requests[i].probe, &f, wait_request);
    }
    loop_run(f.loop);
    for (size_t i = 0; i < N_ELEMENTS(requests); i++)
        expect_end(&requests[i].probe, "WAIT AFTER ", 0);
    fixture_fini(&f);
    server_fini(&s);
}

/* --- connects */

struct connect_row {
    const char *host;
    int port;
};

static void wait_connect(struct probe *p)
{
    const struct connect_row *row = p->ctx;

    wait_connect_start(&p->task, row->host, row->port, 20000);
}

static void test_a_connect_says_who_listens(void **state)
{
    struct server s;
    struct connect_row rows[] = {
        { "127.0.0.1", 0 }, { "localhost", 0 }, { "127.0.0.1", 1 }, { "::1", 1 }, { "a/b", 1 }
    };
    static const int codes[] = { 0, 0, ERR_UNREACHABLE, ERR_UNREACHABLE, ERR_INVALID };

    (void)state;
    given_server(&s, 0);
    rows[0].port = rows[1].port = atoi(strrchr(s.url, ':') + 1);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct probe p = { .ctx = &rows[i] };

        given_real_loop(&f, NULL);
        given_probe(&p, &f, wait_connect);
        loop_run(f.loop);
        expect_end(&p, codes[i] ? "WAIT FAILED " : "WAIT AFTER ", codes[i]);
        fixture_fini(&f);
    }
    server_fini(&s);
}

static void test_a_connect_does_not_stay_connected(void **state)
{
    struct server s;
    struct connect_row row = { "127.0.0.1", 0 };
    struct fixture f;
    struct request r;
    struct probe p = { .ctx = &row };

    (void)state;
    given_server(&s, 0);
    row.port = atoi(strrchr(s.url, ':') + 1);
    given_real_loop(&f, NULL);
    given_probe(&p, &f, wait_connect);
    loop_run(f.loop);
    given_request(&r, &s, "/ok"); /* the server takes one at a time: it saw the first one close */
    run_request(&f, &r);
    expect_end(&r.probe, "WAIT AFTER ", 0);
    assert_int_equal(s.n_connections, 2);
    fixture_fini(&f);
    server_fini(&s);
}

/* --- from inside work */

struct called {
    struct probe probe;
    struct http_request in;
    struct http_reply reply;
    char url[128];
};

static int work_that_requests(struct task *t, struct err *err)
{
    struct called *c = container_of(t, struct called, probe.task);

    return wait_http_call(t->loop, &c->in, &c->probe.fixture->arena, &c->reply, &t->cancelled, err);
}

static void wait_called(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_that_requests);
}

static void given_called(struct called *c, const struct server *s, const char *path)
{
    *c = (struct called){ .in = { .method = "GET", .body_max = 1000, .timeout_ms = 50000 } };
    (void)snprintf(c->url, sizeof(c->url), "%s%s", s->url, path);
    c->in.url = c->url;
}

static void cancel_called(void *ctx)
{
    task_cancel(&((struct called *)ctx)->probe.task, ERR_CANCELLED);
}

static void test_work_may_request_in_its_middle(void **state)
{
    struct server s;
    struct fixture f;
    struct called c;
    struct loop_timer *timer;

    (void)state;
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    given_called(&c, &s, "/ok");
    given_probe(&c.probe, &f, wait_called);
    loop_run(f.loop);
    expect_end(&c.probe, "WAIT AFTER ", 0);
    assert_int_equal(c.reply.status, 200);

    given_called(&c, &s, "/mute");
    given_probe(&c.probe, &f, wait_called);
    timer = loop_timer_new(f.loop, cancel_called, &c);
    loop_timer_set(timer, loop_mono_ms(f.loop) + 20);
    loop_run(f.loop);
    expect_end(&c.probe, "WAIT FAILED ", ERR_CANCELLED);
    loop_timer_free(timer);
    fixture_fini(&f);
    server_fini(&s);
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void test_a_request_from_work_ends_when_the_loop_is_freed(void **state)
{
    struct server s;
    struct fixture f;
    struct called c;

    (void)state;
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    given_called(&c, &s, "/mute");
    given_probe(&c.probe, &f, wait_called);
    while (!s.n_connections) {
        loop_post(f.loop, stop_loop, f.loop);
        loop_run(f.loop);
    }
    fixture_fini(&f);
    assert_int_equal(c.probe.n_ended, 0);
    server_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_an_answer_whatever_it_says),
        cmocka_unit_test(test_a_request_says_what_was_asked),
        cmocka_unit_test(test_a_bad_request_is_never_sent),
        cmocka_unit_test(test_a_body_over_the_limit_is_dropped_and_an_endless_one_is_cut),
        cmocka_unit_test(test_connections_are_reused_but_for_fresh_requests),
        cmocka_unit_test(test_a_unix_socket_is_reached),
        cmocka_unit_test(test_the_environment_names_no_proxy),
        cmocka_unit_test(test_public_only_refuses_this_machine_on_any_connection),
        cmocka_unit_test(test_many_requests_at_once_are_all_answered),
        cmocka_unit_test(test_a_connect_says_who_listens),
        cmocka_unit_test(test_a_connect_does_not_stay_connected),
        cmocka_unit_test(test_work_may_request_in_its_middle),
        cmocka_unit_test(test_a_request_from_work_ends_when_the_loop_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
