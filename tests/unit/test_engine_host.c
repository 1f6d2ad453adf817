/* engine: what a driver gets from its host, and what ends it. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_host_given.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/sys.h"

static void test_memory_is_zeroed_and_bounded(void **state)
{
    struct given g;
    char *p;

    (void)state;
    given_host(&g);
    p = g.h->alloc(g.h->ctx, 1000);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    assert_null(g.h->alloc(g.h->ctx, HOST_MEMORY_MAX));
    given_fini(&g);
}

/* --- programs */

static int run_shell(struct given *g, const char *script, uint32_t timeout_ms, struct rv_exit *ret)
{
    struct rv_str argv[] = { text("/bin/sh"), text("-c"), text(script) };
    struct rv_str env[] = { text("NAME=value") };

    *ret = (struct rv_exit){ .size = sizeof(*ret) };
    return g->h->exec(g->h->ctx,
                      &(struct rv_exec){ .size = sizeof(struct rv_exec),
                                         .timeout_ms = timeout_ms,
                                         .n_argv = 3,
                                         .n_env = 1,
                                         .argv = argv,
                                         .env = env },
                      ret);
}

static void test_a_program_runs_to_its_end_or_its_limit(void **state)
{
    static const struct {
        const char *name, *script;
        uint32_t timeout_ms;
        int64_t all_ms;
        int verdict, status;
        const char *out;
    } rows[] = {
        { "it ends", "echo $NAME; exit 3", 0, 30000, 0, 3, "value\n" },
        { "its own limit ends it", "sleep 100", 100, 30000, RV_RETRY, 0, NULL },
        { "the deadline of all ends it", "sleep 100", 0, 100, RV_CANCELLED, 0, NULL },
        { "the deadline comes before its limit", "sleep 100", 50000, 100, RV_CANCELLED, 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct given g;
        struct rv_exit exit;

        given_host_for(&g, rows[i].all_ms);
        assert_int_equal(run_shell(&g, rows[i].script, rows[i].timeout_ms, &exit), rows[i].verdict);
        if (rows[i].out) {
            assert_int_equal(exit.status, rows[i].status);
            assert_memory_equal(exit.out.p, rows[i].out, exit.out.n);
        }
        given_fini(&g);
    }
}

static void test_a_program_that_is_not_there_is_the_drivers_mistake(void **state)
{
    struct given g;
    struct rv_str argv[] = { text("/nonexistent/program") };
    struct rv_exit exit = { .size = sizeof(exit) };

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->exec(g.h->ctx, &(struct rv_exec){ .n_argv = 1, .argv = argv }, &exit),
                     RV_USER);
    assert_int_equal(g.h->spawn(g.h->ctx, &(struct rv_exec){ .n_argv = 1, .argv = argv }, &exit),
                     RV_USER);
    given_fini(&g);
}

static void test_a_spawned_program_outlives_the_call(void **state)
{
    struct given g;
    struct rv_str argv[] = { text("/bin/sh"), text("-c"), text("read x; echo $x >&3") };
    struct rv_exit exit = { .size = sizeof(exit) };
    struct pollfd p;
    int fds[2];

    (void)state;
    given_host(&g);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(
        g.h->spawn(g.h->ctx,
                   &(struct rv_exec){ .n_argv = 3, .argv = argv, .n_fds = 1, .fds = &fds[1] },
                   &exit),
        0);
    assert_true(exit.pid > 1);
    given_fini(&g);
    (void)close(fds[1]);
    p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
    assert_int_equal(poll(&p, 1, 10000), 1); /* its input is /dev/null: it writes a line and ends */
    (void)close(fds[0]);
}

/* --- descriptors and time */

static void *cancel_soon(void *ctx)
{
    struct given *g = ctx;

    (void)usleep(30000);
    g->task.cancelled = ERR_CANCELLED;
    return NULL;
}

static void test_a_wait_ends_by_what_comes_first(void **state)
{
    static const struct {
        const char *name;
        int written, is_sleep, cancel;
        uint32_t timeout_ms;
        int64_t all_ms;
        int verdict;
    } rows[] = {
        { "it is readable", 1, 0, 0, 20000, 30000, 0 },
        { "nothing comes", 0, 0, 0, 60, 30000, RV_WAIT },
        { "no time at all", 0, 0, 0, 0, 30000, RV_WAIT },
        { "readable without waiting", 1, 0, 0, 0, 30000, 0 },
        { "a sleep", 0, 1, 0, 60, 30000, RV_WAIT },
        { "the deadline of all", 0, 0, 0, 20000, 60, RV_CANCELLED },
        { "a sleep past the deadline", 0, 1, 0, 20000, 60, RV_CANCELLED },
        { "a cancel", 0, 0, 1, 20000, 30000, RV_CANCELLED },
        { "a cancel of a sleep", 0, 1, 1, 20000, 30000, RV_CANCELLED },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct given g;
        pthread_t thread;
        int fds[2];
        int64_t began_ms, took_ms;

        given_host_for(&g, rows[i].all_ms);
        assert_int_equal(pipe(fds), 0);
        if (rows[i].written)
            assert_int_equal(write(fds[1], "x", 1), 1);
        if (rows[i].cancel)
            assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &g), 0);
        began_ms = g.h->now_ms(g.h->ctx);
        if (g.h->wait_fd(g.h->ctx, rows[i].is_sleep ? -1 : fds[0], POLLIN, rows[i].timeout_ms) !=
            rows[i].verdict)
            fail_msg("%s", rows[i].name);
        took_ms = g.h->now_ms(g.h->ctx) - began_ms;
        assert_true(took_ms < 10000);
        if (rows[i].verdict == RV_WAIT)
            assert_true(took_ms + 1 >= rows[i].timeout_ms);
        if (rows[i].cancel)
            assert_int_equal(pthread_join(thread, NULL), 0);
        (void)close(fds[0]);
        (void)close(fds[1]);
        given_fini(&g);
    }
}

static void test_a_simulated_sleep_takes_virtual_time(void **state)
{
    struct fixture f;
    struct host_call call;
    int64_t began_ms;

    (void)state;
    given_simulated_loop(&f, NULL);
    began_ms = loop_mono_ms(f.loop);
    host_call_init(&call, &(struct host_options){ .loop = f.loop, .timeout_ms = 3600000 });
    assert_int_equal(call.host.wait_fd(call.host.ctx, -1, 0, 600000), RV_WAIT);
    assert_int_equal(loop_mono_ms(f.loop) - began_ms, 600000);
    assert_int_equal(call.host.wait_fd(call.host.ctx, -1, 0, 3600000), RV_CANCELLED);
    host_call_fini(&call);
    fixture_fini(&f);
}

static void test_a_connection_is_made_by_its_address(void **state)
{
    static const char path[] = "/tmp/rt-host-sock";
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    int unix_fd = socket(AF_UNIX, SOCK_STREAM, 0), tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
    char by_unix[128], by_tcp[64], by_name[64], too_long[200];
    struct {
        const char *address;
        int verdict;
    } rows[] = { { by_unix, 0 },
                 { by_tcp, 0 },
                 { by_name, 0 },
                 { "unix:/tmp/nonexistent-socket", RV_RETRY },
                 { too_long, RV_USER },
                 { "tcp:127.0.0.1", RV_USER },
                 { "tcp:127.0.0.1:http", RV_USER },
                 { "tls:127.0.0.1:1", RV_USER },
                 { "unix:", RV_USER },
                 { "nonsense", RV_USER } };
    struct given g;

    (void)state;
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s-%d", path, (int)getpid());
    (void)unlink(un.sun_path);
    assert_int_equal(bind(unix_fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(bind(tcp_fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(unix_fd, 8) | listen(tcp_fd, 8), 0);
    assert_int_equal(getsockname(tcp_fd, (struct sockaddr *)&in, &n), 0);
    (void)snprintf(by_unix, sizeof(by_unix), "unix:%s", un.sun_path);
    (void)snprintf(by_tcp, sizeof(by_tcp), "tcp:127.0.0.1:%d", ntohs(in.sin_port));
    (void)snprintf(by_name, sizeof(by_name), "tcp:[::ffff:127.0.0.1]:%d", ntohs(in.sin_port));
    (void)snprintf(too_long, sizeof(too_long), "unix:/%0150d", 0);
    given_host(&g);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int fd = -1, error = 0;
        socklen_t size = sizeof(error);

        if (g.h->connect(g.h->ctx, text(rows[i].address), &fd) != rows[i].verdict)
            fail_msg("%s", rows[i].address);
        if (rows[i].verdict)
            continue;
        assert_int_equal(g.h->wait_fd(g.h->ctx, fd, POLLOUT, 5000), 0);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
        assert_int_equal(error, 0);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        (void)close(fd);
    }
    given_fini(&g);
    (void)close(unix_fd);
    (void)close(tcp_fd);
    (void)unlink(un.sun_path);
}

/* --- the end of a call */

static void test_every_call_ends_when_the_task_is_cancelled(void **state)
{
    struct given g;
    struct rv_exit exit;
    struct rv_reply reply;
    struct rv_str value;
    int fd;

    (void)state;
    given_host(&g);
    assert_false(g.h->cancelled(g.h->ctx));
    g.task.cancelled = ERR_STALE;
    assert_true(g.h->cancelled(g.h->ctx));
    assert_int_equal(run_shell(&g, "exit 0", 0, &exit), RV_CANCELLED);
    assert_int_equal(g.h->spawn(g.h->ctx, &(struct rv_exec){ 0 }, &exit), RV_CANCELLED);
    assert_int_equal(
        g.h->http(g.h->ctx, &(struct rv_http){ .method = text("GET"), .url = text("") }, &reply),
        RV_CANCELLED);
    assert_int_equal(g.h->connect(g.h->ctx, text("tcp:127.0.0.1:1"), &fd), RV_CANCELLED);
    assert_int_equal(g.h->wait_fd(g.h->ctx, -1, 0, 0), RV_CANCELLED);
    assert_int_equal(g.h->secret(g.h->ctx, text("pw@f:1"), &value), RV_CANCELLED);
    assert_int_equal(g.h->identified(g.h->ctx, text("made")), RV_CANCELLED);
    assert_string_equal(g.ids, "made"); /* what exists is known all the same */
    assert_non_null(g.h->alloc(g.h->ctx, 10));
    given_fini(&g);
}

static void test_identified_says_what_the_engine_says(void **state)
{
    struct given g;
    struct host_call bare;

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->identified(g.h->ctx, text("a")), 0);
    g.identified_verdict = RV_RETRY;
    assert_int_equal(g.h->identified(g.h->ctx, text("b")), RV_RETRY);
    assert_string_equal(g.ids, "ab");
    host_call_init(&bare, &(struct host_options){ .loop = g.fixture.loop, .timeout_ms = 1000 });
    assert_int_equal(bare.host.identified(bare.host.ctx, text("a")), RV_FATAL);
    assert_int_equal(bare.host.secret(bare.host.ctx, text("pw@f:1"), &(struct rv_str){ 0 }),
                     RV_USER);
    host_call_fini(&bare);
    given_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_bounded),
        cmocka_unit_test(test_a_program_runs_to_its_end_or_its_limit),
        cmocka_unit_test(test_a_program_that_is_not_there_is_the_drivers_mistake),
        cmocka_unit_test(test_a_spawned_program_outlives_the_call),
        cmocka_unit_test(test_a_wait_ends_by_what_comes_first),
        cmocka_unit_test(test_a_simulated_sleep_takes_virtual_time),
        cmocka_unit_test(test_a_connection_is_made_by_its_address),
        cmocka_unit_test(test_every_call_ends_when_the_task_is_cancelled),
        cmocka_unit_test(test_identified_says_what_the_engine_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
