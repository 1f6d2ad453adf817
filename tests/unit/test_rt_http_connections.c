/* rt: connections, whose they are and how long they stay. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_rt_http_given.h"

static void when_asked(struct fixture *f, struct server *s, int n, int fresh)
{
    struct request r;

    for (int k = 0; k < n; k++) {
        given_request(&r, s, "/ok");
        r.in.fresh = fresh;
        run_request(f, &r);
        expect_end(&r.probe, "WAIT AFTER ", 0);
    }
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

        given_server(&s, 0);
        given_real_loop(&f, NULL);
        when_asked(&f, &s, 5, rows[i].fresh);
        assert_int_equal(s.n_connections, rows[i].n_connections);
        fixture_fini(&f);
        server_fini(&s);
    }
}

/* An application that closes idle connections at once would close those that come before theirs. */
static void test_a_connection_begins_with_its_request(void **state)
{
    struct fixture f;
    struct server s;

    (void)state;
    given_server(&s, 0);
    given_real_loop(&f, NULL);
    when_asked(&f, &s, 100, 1);
    assert_int_equal(s.n_connections, 100);
    assert_in_range(s.n_early, 0, 5); /* the kernel waits 200 ms for a loop that does not run */
    fixture_fini(&f);
    server_fini(&s);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_reused_but_for_fresh_requests),
        cmocka_unit_test(test_a_connection_begins_with_its_request),
        cmocka_unit_test(test_a_unix_socket_is_reached),
        cmocka_unit_test(test_the_environment_names_no_proxy),
        cmocka_unit_test(test_public_only_refuses_this_machine_on_any_connection),
        cmocka_unit_test(test_many_requests_at_once_are_all_answered),
        cmocka_unit_test(test_a_connect_says_who_listens),
        cmocka_unit_test(test_a_connect_does_not_stay_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
