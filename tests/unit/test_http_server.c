/* http/server: what it takes, what it refuses, and how it stops. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/stat.h>

#include "tests/unit/test_http_server_given.h"

/* --- requests ------------------------------------------------------------------------------------ */

static void talk_requests(struct fixture *f)
{
    static const struct {
        const char *sentence, *request, *answer;
    } rows[] = {
        { "a plain GET is answered", "GET /a?q=x%20y HTTP/1.1\r\nHost: l\r\n\r\n",
          "GET /a q=x y n=0" },
        { "what is no escape stays", "GET /a%zz%4 HTTP/1.1\r\nHost: l\r\n\r\n",
          "GET /a%zz%4 q=- n=0" },
        { "a body is read whole", "POST /b HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nabcde",
          "POST /b q=- n=5" },
        { "a chunked body is read whole",
          "POST /b HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
          "n=3" },
        { "a body over the limit is refused before it comes",
          "POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 9999999\r\n\r\n", " 413 " },
        { "errors are problem+json", "GET /refused HTTP/1.1\r\nHost: l\r\n\r\n",
          "application/problem+json" },
        { "errors carry code and detail without controls",
          "GET /refused HTTP/1.1\r\nHost: l\r\n\r\n",
          "{\"code\":\"REFUSED\",\"detail\":\"not \\\\u{1b} you\",\"request\":\"" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_CLOSE int fd = dial(f);
        char buf[4096];

        say(fd, rows[i].request);
        expect_answer(rows[i].sentence, hear(fd, buf, sizeof(buf), rows[i].answer), rows[i].answer);
    }
}

static void test_requests_are_taken_or_refused(void **state)
{
    (void)state;
    run(talk_requests);
    expect_no_failure();
}

/* The tag of an answer as its next If-None-Match; "" where there is none. */
static void take_tag(const char *heard, char *ret)
{
    const char *at = strstr(heard, "ETag: ");

    ret[0] = 0;
    if (at)
        (void)sscanf(at, "ETag: %63[^\r]", ret);
}

static void talk_tags(struct fixture *f)
{
    AUTO_CLOSE int fd = dial(f);
    char buf[4096], request[256], tag[64];

    say(fd, "GET /who HTTP/1.1\r\nHost: l\r\n\r\n");
    take_tag(hear(fd, buf, sizeof(buf), "}"), tag);
    (void)snprintf(request, sizeof(request),
                   "GET /who HTTP/1.1\r\nHost: l\r\nIf-None-Match: \"x\", W/%s\r\n\r\n", tag);
    say(fd, request);
    expect_answer("what is known is not said again", hear(fd, buf, sizeof(buf), "\r\n\r\n"),
                  " 304 ");
    expect_answer("and has its tag", buf, tag);
    say(fd, "GET /who HTTP/1.1\r\nHost: l\r\nIf-None-Match: \"x\"\r\n\r\n");
    expect_answer("another is", hear(fd, buf, sizeof(buf), "}"), " 200 ");
    say(fd, "GET /refused HTTP/1.1\r\nHost: l\r\nIf-None-Match: *\r\n\r\n");
    expect_answer("an error is said always", hear(fd, buf, sizeof(buf), "}"), " 403 ");
}

static void test_an_answer_that_is_known_is_not_said_again(void **state)
{
    (void)state;
    run(talk_tags);
    expect_no_failure();
}

static void talk_large(struct fixture *f)
{
    AUTO_CLOSE int fd = dial(f);
    char buf[4096], *chunk = malloc(65536 + 16);

    say(fd, "POST / HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        int n = snprintf(chunk, 16, "10000\r\n");

        memset(chunk + n, 'x', 65536);
        memcpy(chunk + n + 65536, "\r\n", 2);
        for (size_t at = 0, all = (size_t)n + 65538; at < all;) {
            ssize_t sent = send(fd, chunk + at, all - at, MSG_NOSIGNAL);

            if (sent <= 0)
                break;
            at += (size_t)sent;
        }
    }
    say(fd, "0\r\n\r\n");
    expect_answer("a chunked body over the limit", hear(fd, buf, sizeof(buf), " 413 "), " 413 ");
    free(chunk);
}

static void test_a_large_chunked_body_is_refused_at_its_end(void **state)
{
    (void)state;
    run(talk_large);
    expect_no_failure();
}

static void talk_drips(struct fixture *f)
{
    static const struct {
        const char *sentence, *first;
    } rows[] = {
        { "headers that drip are cut", "GET / HTTP/1.1\r\nHost: l\r\n" },
        { "bodies that drip are cut", "POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 100\r\n\r\n" },
        { "silence is cut", "" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_CLOSE int fd = dial(f);
        int64_t end_ms = sys_mono_ms() + WAIT_MS;
        struct pollfd p = { fd, POLLIN, 0 };
        char buf[512];

        say(fd, rows[i].first);
        while (sys_mono_ms() < end_ms && poll(&p, 1, 20) == 0)
            if (rows[i].first[0])
                say(fd, "x");
        if (sys_mono_ms() >= end_ms)
            expect_answer(rows[i].sentence, "(still open)", "cut");
        else
            (void)hear(fd, buf, sizeof(buf), NULL);
    }
}

static void test_drips_are_cut_at_their_deadline(void **state)
{
    (void)state;
    run(talk_drips);
    expect_no_failure();
}

static void talk_who(struct fixture *f)
{
    AUTO_CLOSE int fd = dial(f);
    char buf[1024], wanted[128];

    (void)snprintf(wanted, sizeof(wanted), "{\"pid\":%d,\"uid\":%u}", (int)getpid(), getuid());
    say(fd, "GET /who HTTP/1.1\r\nHost: l\r\n\r\n");
    expect_answer("the peer is known", hear(fd, buf, sizeof(buf), "}"), wanted);
    say(fd, "GET /again HTTP/1.1\r\nHost: l\r\n\r\n");
    expect_answer("a connection serves more than one", hear(fd, buf, sizeof(buf), "GET /again"),
                  "GET /again");
}

static void test_the_peer_is_known_and_connections_are_kept(void **state)
{
    (void)state;
    run(talk_who);
    expect_no_failure();
}

static void *talk_late(void *arg)
{
    struct fixture *f = arg;
    AUTO_CLOSE int fd = dial(f);
    char buf[1024];

    say(fd, "GET /later HTTP/1.1\r\nHost: l\r\n\r\n");
    expect_answer("a late answer arrives", hear(fd, buf, sizeof(buf), "late"), "late");
    expect_answer("and closes while we stop", buf, "Connection: close");
    return NULL;
}

static void talk_drain(struct fixture *f)
{
    AUTO_CLOSE int idle = dial(f);
    struct err err = ERR_INIT;
    char buf[1024];
    pthread_t thread;
    int fd = -1;

    say(idle, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
    (void)hear(idle, buf, sizeof(buf), "GET /x");
    (void)pthread_create(&thread, NULL, talk_late, f);
    while (!f->kept)
        (void)sched_yield();
    loop_post(f->loop, stop_server, f);
    (void)hear(idle, buf, sizeof(buf), NULL); /* an idle one is closed at once */
    if (listen_connect(f->path, &fd, &err) != ERR_UNREACHABLE)
        expect_answer("nobody can connect any more", "connected", "refused");
    loop_post(f->loop, answer_kept, f);
    (void)pthread_join(thread, NULL);
}

static void *talk_drain_main(void *arg)
{
    talk_drain(arg);
    return NULL;
}

static void test_stopping_waits_for_what_is_being_handled(void **state)
{
    struct fixture f = { 0 };
    struct err err = ERR_INIT;
    pthread_t thread;

    (void)state;
    strcpy(f.dir, "/tmp/rv-http-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.path, sizeof(f.path), "%s/sock", f.dir);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f.loop, &err), 0);
    assert_int_equal(http_server_start(
                         &(struct http_server_options){
                             .loop = f.loop, .socket_path = f.path, .handle = handle, .ctx = &f },
                         &f.server, &err),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, talk_drain_main, &f), 0);
    loop_run(f.loop);
    (void)pthread_join(thread, NULL);
    assert_true(f.is_stopped);
    loop_free(f.loop);
    (void)sys_remove_all(f.dir, &err);
    expect_no_failure();
}

/* --- shares -------------------------------------------------------------------------------------- */

/* 1: the other side has closed it. */
static int is_cut(int fd, int wait_ms)
{
    struct pollfd p = { fd, POLLIN, 0 };
    char byte;

    return poll(&p, 1, wait_ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void talk_many(struct fixture *f)
{
    int fds[HTTP_CONNECTIONS_USER_MAX + 1];
    char buf[1024];

    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        fds[i] = dial(f);
        if (i < HTTP_CONNECTIONS_USER_MAX) { /* it is known when it was answered */
            say(fds[i], "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
            expect_answer("one of many", hear(fds[i], buf, sizeof(buf), "GET /x"), "GET /x");
        }
    }
    if (!is_cut(fds[HTTP_CONNECTIONS_USER_MAX], WAIT_MS))
        expect_answer("one connection too many", "(open)", "cut");
    (void)close(fds[0]);
    for (int64_t end_ms = sys_mono_ms() + WAIT_MS; sys_mono_ms() < end_ms;) {
        AUTO_CLOSE int fd = dial(f);

        say(fd, "GET /again HTTP/1.1\r\nHost: l\r\n\r\n");
        if (strstr(hear(fd, buf, sizeof(buf), "GET /again"), "GET /again"))
            break;
        buf[0] = 0;
    }
    expect_answer("when one has left, another may come", buf, "GET /again");
    for (size_t i = 1; i < N_ELEMENTS(fds); i++)
        (void)close(fds[i]);
}

static void test_a_user_has_a_share_of_the_connections(void **state)
{
    (void)state;
    run(talk_many);
    expect_no_failure();
}

static void talk_unread(struct fixture *f)
{
    static const char *const wanted[] = { " 200 ", " 200 ", " 503 ", " 200 " };
    int fds[N_ELEMENTS(wanted)];
    char buf[512];

    for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
        fds[i] = dial(f);
        say(fds[i], i == 3 ? "GET /small HTTP/1.1\r\nHost: l\r\n\r\n"
                           : "GET /large HTTP/1.1\r\nHost: l\r\n\r\n");
        expect_answer("answers that nobody reads", hear(fds[i], buf, 64, "\r\n"), wanted[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
        (void)close(fds[i]);
}

static void test_a_user_has_a_share_of_the_memory_for_answers(void **state)
{
    (void)state;
    run(talk_unread);
    expect_no_failure();
}

/* What is answered at once is not found by the sweep, twice a second, alone: each would come half a second after the one before.
 * On a busy machine some are late anyway. */
static void talk_at_once(struct fixture *f)
{
    int n_soon = 0;
    char buf[512];

    for (int i = 0; i < 20; i++) {
        int64_t began_ms = sys_mono_ms();
        AUTO_CLOSE int fd = dial(f);

        say(fd, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
        (void)hear(fd, buf, sizeof(buf), "GET /x");
        n_soon += sys_mono_ms() - began_ms < 250;
    }
    if (n_soon < 5)
        expect_answer("twenty answers", "(late)", "at once");
}

static void test_an_answer_is_sent_at_once(void **state)
{
    (void)state;
    run(talk_at_once);
    expect_no_failure();
}

/* --- the socket file ----------------------------------------------------------------------------- */

static void test_the_socket_belongs_to_one_living_daemon(void **state)
{
    char dir[] = "/tmp/rv-http-XXXXXX", path[64], file[64], deep[512];
    struct err err = ERR_INIT;
    struct stat st;
    int fd = -1, other = -1, n;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/new/sock", dir);
    (void)snprintf(file, sizeof(file), "%s/file", dir);
    n = snprintf(deep, sizeof(deep), "%s/", dir);
    memset(deep + n, 'd', 200);
    strcpy(deep + n + 200, "/sock");

    assert_int_equal(listen_open(path, &fd, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(listen_open(path, &other, &err), ERR_LOCKED);
    (void)close(fd);
    assert_int_equal(listen_connect(path, &other, &err), ERR_UNREACHABLE);
    assert_int_equal(listen_open(path, &fd, &err), 0); /* what a dead one left is removed */
    (void)close(fd);
    assert_int_equal(sys_write_file(file, 0600, S("x"), &err), 0);
    assert_int_equal(listen_open(file, &fd, &err), ERR_CONFLICT);
    assert_int_equal(listen_open(deep, &fd, &err), 0); /* longer than an address can be */
    assert_int_equal(listen_connect(deep, &other, &err), 0);
    (void)close(fd);
    (void)close(other);
    (void)sys_remove_all(dir, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_taken_or_refused),
        cmocka_unit_test(test_an_answer_that_is_known_is_not_said_again),
        cmocka_unit_test(test_a_large_chunked_body_is_refused_at_its_end),
        cmocka_unit_test(test_drips_are_cut_at_their_deadline),
        cmocka_unit_test(test_the_peer_is_known_and_connections_are_kept),
        cmocka_unit_test(test_stopping_waits_for_what_is_being_handled),
        cmocka_unit_test(test_a_user_has_a_share_of_the_connections),
        cmocka_unit_test(test_a_user_has_a_share_of_the_memory_for_answers),
        cmocka_unit_test(test_an_answer_is_sent_at_once),
        cmocka_unit_test(test_the_socket_belongs_to_one_living_daemon),
    };

    return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
