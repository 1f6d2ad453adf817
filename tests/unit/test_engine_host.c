/* engine: what a driver gets from its host, and what ends it. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/host.h"

/* A host with a task that a test may cancel; nothing of it needs the loop to run, but http. */
struct given {
    struct fixture fixture;
    struct task task;
    struct host_call call;
    const struct rv_host *h;
    char ids[64];
    int identified_verdict;
};

static struct rv_str text(const char *p)
{
    return (struct rv_str){ p, strlen(p) };
}

static int given_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    static const struct {
        const char *ref, *value;
        int verdict;
    } rows[] = { { "pw@f:1", "hunter2", 0 },
                 { "long@f:1", "hunter2-and-more", 0 },
                 { "empty@f:1", "", 0 },
                 { "gone@f:1", NULL, RV_WAIT } };

    (void)ctx;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(kit_str(ref), rows[i].ref)) {
            *ret = str_copy(a, str_from_c(rows[i].value));
            return rows[i].verdict;
        }
    return RV_USER;
}

static int given_identified(void *ctx, struct rv_str id)
{
    struct given *g = ctx;

    strncat(g->ids, id.p, id.n);
    return g->identified_verdict;
}

static void given_host_for(struct given *g, int64_t timeout_ms)
{
    given_real_loop(&g->fixture, NULL);
    g->task.cancelled = 0;
    g->ids[0] = 0;
    g->identified_verdict = 0;
    host_call_init(&g->call, &(struct host_options){ .loop = g->fixture.loop,
                                                     .task = &g->task,
                                                     .timeout_ms = timeout_ms,
                                                     .secret = given_secret,
                                                     .identified = given_identified,
                                                     .ctx = g });
    g->h = &g->call.host;
}

static void given_host(struct given *g)
{
    given_host_for(g, 30000);
}

static void given_fini(struct given *g)
{
    host_call_fini(&g->call);
    fixture_fini(&g->fixture);
}

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

/* --- secrets */

static void test_values_are_handed_out_and_hidden(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        { "nothing to hide", "all is well", "all is well" },
        { "a value", "login with hunter2 failed", "login with *** failed" },
        { "twice, at both ends", "hunter2 and hunter2", "*** and ***" },
        { "the longer of two that begin alike", "x=hunter2-and-more", "x=***" },
        { "almost a value", "hunter", "hunter" },
        { "nothing", "", "" },
    };
    struct given g;
    struct rv_str value = { NULL, 0 };

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->secret(g.h->ctx, text("gone@f:1"), &value), RV_WAIT);
    assert_int_equal(g.h->secret(g.h->ctx, text("other@f:1"), &value), RV_USER);
    assert_int_equal(g.h->secret(g.h->ctx, text("empty@f:1"), &value), 0);
    assert_int_equal(value.n, 0);
    assert_int_equal(g.h->secret(g.h->ctx, text("pw@f:1"), &value), 0);
    assert_memory_equal(value.p, "hunter2", 7);
    assert_int_equal(g.h->secret(g.h->ctx, text("long@f:1"), &value), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str shown = host_call_redact(&g.call, &g.fixture.arena, str_from_c(rows[i].text));

        if (!str_eq_c(shown, rows[i].want))
            fail_msg("%s: %.*s", rows[i].name, STR_ARG(shown));
    }
    given_fini(&g);
}

static void test_what_an_earlier_call_was_given_is_hidden(void **state)
{
    struct given g;
    struct str shown;

    (void)state;
    given_host(&g);
    assert_int_equal(host_call_hide(&g.call, text("gone@f:1")), RV_WAIT);
    assert_int_equal(host_call_hide(&g.call, text("pw@f:1")), 0);
    shown = host_call_redact(&g.call, &g.fixture.arena, S("login with hunter2 failed"));
    assert_true(str_eq_c(shown, "login with *** failed"));
    given_fini(&g);
}

static void test_a_log_line_holds_no_value(void **state)
{
    struct given g;
    struct rv_str value;
    struct str line;
    struct err err = ERR_INIT;
    char path[] = "/tmp/rt-host-log-XXXXXX";
    int file = mkstemp(path), old = dup(2);

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->secret(g.h->ctx, text("pw@f:1"), &value), 0);
    assert_true(dup2(file, 2) == 2);
    g.h->log(g.h->ctx, LOG_WARN, text("cannot log in with hunter2"));
    g.h->log(g.h->ctx, 99, text("level 99 with hunter2"));
    assert_true(dup2(old, 2) == 2);
    assert_int_equal(sys_read_file(&g.fixture.arena, path, 10000, &line, &err), 0);
    assert_non_null(strstr(line.p, "cannot log in with ***"));
    assert_non_null(strstr(line.p, "\"level\":\"warn\""));
    assert_non_null(strstr(line.p, "level 99 with ***"));
    assert_non_null(strstr(line.p, "\"level\":\"error\""));
    assert_null(strstr(line.p, "hunter2"));
    (void)close(file);
    (void)close(old);
    (void)unlink(path);
    given_fini(&g);
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

/* --- requests: inside work, while the loop runs */

struct request {
    struct probe probe;
    struct rv_http in;
    enum host_egress egress;
    struct network allowed;
    int verdict;
    uint32_t status;
    char body[64], headers[64];
};

static int work_requests(struct task *t, struct err *err)
{
    struct request *r = container_of(t, struct request, probe.task);
    struct rv_reply reply = { .size = sizeof(reply) };
    struct host_call call;

    (void)err;
    host_call_init(&call, &(struct host_options){ .loop = t->loop,
                                                  .task = t,
                                                  .timeout_ms = 20000,
                                                  .egress = r->egress,
                                                  .allowed = &r->allowed,
                                                  .n_allowed = r->allowed.n_bytes != 0 });
    r->verdict = call.host.http(call.host.ctx, &r->in, &reply);
    r->status = reply.status;
    (void)snprintf(r->body, sizeof(r->body), "%.*s", (int)reply.body.n, reply.body.p);
    (void)snprintf(r->headers, sizeof(r->headers), "%.*s", (int)reply.headers.n, reply.headers.p);
    host_call_fini(&call);
    return 0;
}

static void wait_requests(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_requests);
}

/* Answers the first request of each of n connections with what it was sent: method, X-Test, body. */
static void *serve(void *ctx)
{
    int listener = *(int *)ctx, fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        char got[2048], answer[2400], *test, *end;
        ssize_t n = read(fd, got, sizeof(got) - 1);

        got[n > 0 ? n : 0] = 0;
        test = strstr(got, "X-Test: ");
        end = strstr(got, "\r\n\r\n");
        n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 201 Made\r\nConnection: close\r\n\r\n%.4s|%.3s|%s", got,
                     test ? test + 8 : "-", end ? end + 4 : "-");
        if (write(fd, answer, (size_t)n) != n)
            abort();
        (void)close(fd);
    }
    return NULL;
}

static void test_a_request_goes_where_egress_allows(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char url[64], https_url[64];
    pthread_t thread;
    struct {
        const char *name, *method, *url, *headers, *body;
        enum host_egress egress;
        uint64_t body_max;
        int verdict;
        const char *want;
    } rows[] = {
        { "GET", "GET", url, "", "", HOST_EGRESS_ANY, 0, 0, "GET |-|" },
        { "POST", "POST", url, "X-Test: abc\nX-More: d\n", "hi", HOST_EGRESS_ANY, 0, 0,
          "POST|abc|hi" },
        { "an answer over the limit is none", "GET", url, "", "", HOST_EGRESS_ANY, 3, RV_USER, "" },
        { "plain http is never sent to the internet", "GET", "http://1.1.1.1/", "", "",
          HOST_EGRESS_PUBLIC, 0, RV_USER, "" },
        { "this machine is not the internet", "GET", https_url, "", "", HOST_EGRESS_PUBLIC, 0,
          RV_USER, "" },
        { "nobody listens", "GET", "http://127.0.0.1:1/", "", "", HOST_EGRESS_ANY, 0, RV_RETRY,
          "" },
        { "a header of two lines", "GET", url, "X: 1\r\nbad", "", HOST_EGRESS_ANY, 0, RV_USER, "" },
    };

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    (void)snprintf(https_url, sizeof(https_url), "https://127.0.0.1:%d/", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r = { .egress = rows[i].egress };

        given_real_loop(&f, NULL);
        r.in = (struct rv_http){ .size = sizeof(r.in),
                                 .method = text(rows[i].method),
                                 .url = text(rows[i].url),
                                 .headers = text(rows[i].headers),
                                 .body = text(rows[i].body),
                                 .body_max = rows[i].body_max };
        given_probe(&r.probe, &f, wait_requests);
        loop_run(f.loop);
        if (r.verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].name, kit_verdict_name((uint32_t)r.verdict));
        assert_string_equal(r.body, rows[i].want);
        assert_int_equal(r.status, rows[i].verdict ? 0 : 201);
        fixture_fini(&f);
    }
    (void)shutdown(listener, SHUT_RDWR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(listener);
}

/* RV_USER: refused before anything was sent. RV_RETRY: the connection was made, and was no TLS. */
static void test_an_address_is_the_same_however_it_is_spelled(void **state)
{
    static const struct {
        const char *sentence, *host, *allowed;
        int verdict;
    } rows[] = {
        { "by name", "localhost", NULL, RV_USER },
        { "in short", "127.1", NULL, RV_USER },
        { "as one number", "2130706433", NULL, RV_USER },
        { "in hexadecimal", "0x7f000001", NULL, RV_USER },
        { "in octal", "0177.0.0.1", NULL, RV_USER },
        { "all of this machine", "0.0.0.0", NULL, RV_USER },
        { "in IPv6", "[::1]", NULL, RV_USER },
        { "mapped", "[::ffff:127.0.0.1]", NULL, RV_USER },
        { "mapped, in hexadecimal", "[::ffff:7f00:1]", NULL, RV_USER },
        { "compatible", "[::127.0.0.1]", NULL, RV_USER },
        { "by NAT64", "[64:ff9b::7f00:1]", NULL, RV_USER },
        { "by 6to4", "[2002:7f00:1::]", NULL, RV_USER },
        { "behind a user", "example.org@127.0.0.1", NULL, RV_USER },
        { "where clouds keep their secrets", "169.254.169.254", NULL, RV_USER },
        { "a private one", "10.0.0.1", NULL, RV_USER },
        { "a local one", "[fd00::1]", NULL, RV_USER },
        { "one of a link", "[fe80::1]", NULL, RV_USER },
        { "of many", "224.0.0.1", NULL, RV_USER },
        { "named", "127.0.0.1", "127.0.0.1", RV_RETRY },
        { "named with others", "localhost", "127.0.0.0/8", RV_RETRY },
        { "named, in another spelling", "[::ffff:127.0.0.1]", "127.0.0.0/8", RV_RETRY },
        { "another one is named", "127.0.0.1", "127.0.0.2", RV_USER },
        { "another kind is named", "127.0.0.1", "::/0", RV_USER },
    };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct request r = { .egress = HOST_EGRESS_PUBLIC };
        struct fixture f;
        char url[128];

        (void)snprintf(url, sizeof(url), "https://%s:%d/", rows[i].host, ntohs(at.sin_port));
        if (rows[i].allowed)
            assert_int_equal(network_parse(str_from_c(rows[i].allowed), &r.allowed), 0);
        given_real_loop(&f, NULL);
        r.in = (struct rv_http){ .size = sizeof(r.in), .method = text("GET"), .url = text(url) };
        given_probe(&r.probe, &f, wait_requests);
        loop_run(f.loop);
        if (r.verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].sentence, kit_verdict_name((uint32_t)r.verdict));
        fixture_fini(&f);
    }
    (void)shutdown(listener, SHUT_RDWR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(listener);
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
        cmocka_unit_test(test_values_are_handed_out_and_hidden),
        cmocka_unit_test(test_what_an_earlier_call_was_given_is_hidden),
        cmocka_unit_test(test_a_log_line_holds_no_value),
        cmocka_unit_test(test_every_call_ends_when_the_task_is_cancelled),
        cmocka_unit_test(test_identified_says_what_the_engine_says),
        cmocka_unit_test(test_a_request_goes_where_egress_allows),
        cmocka_unit_test(test_an_address_is_the_same_however_it_is_spelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
