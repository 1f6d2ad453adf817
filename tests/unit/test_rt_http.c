/* rt: requests to a small real server, of tasks and from inside work. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_rt_http_given.h"

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
        cmocka_unit_test(test_work_may_request_in_its_middle),
        cmocka_unit_test(test_a_request_from_work_ends_when_the_loop_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
