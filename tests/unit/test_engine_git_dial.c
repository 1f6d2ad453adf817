/* engine/git_dial: connections of a process that may open none itself. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git_server.h"

#include <errno.h>
#include <sys/prctl.h>

#include "base/guard.h"
#include "reconciler/engine/git_cage.h"
#include "reconciler/engine/git_dial.h"

#define TIMEOUT_MS 20000

static int peer_port(int fd)
{
    struct sockaddr_in at;
    socklen_t n = sizeof(at);

    return getpeername(fd, (struct sockaddr *)&at, &n) ? -1 : ntohs(at.sin_port);
}

static void test_connections_lead_to_the_host(void **state)
{
    static const char *const names[] = { "127.0.0.1", "localhost" };
    struct err err = ERR_INIT;
    int port, listener = server_mute(&port);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        struct git_dial d = { 0 };
        int first = -1, second = -1;

        assert_int_equal(git_dial_open(&d, str_from_c(names[i]), port, &err), 0);
        assert_int_equal(git_dial_connect(&d, TIMEOUT_MS, &first, &err), 0);
        assert_int_equal(git_dial_connect(&d, TIMEOUT_MS, &second, &err), 0);
        assert_int_equal(peer_port(first), port);
        assert_int_equal(peer_port(second), port);
        assert_int_not_equal(first, second);
        (void)close(first);
        (void)close(second);
        git_dial_close(&d);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
        assert_int_equal(errno, ECHILD);
    }
    (void)close(listener);
}

static void test_what_fails_says_why(void **state)
{
    static const struct {
        const char *sentence, *host;
        int64_t timeout_ms;
        int code;
        const char *text;
    } rows[] = {
        { "nobody listens", "127.0.0.1", TIMEOUT_MS, ERR_UNREACHABLE, "Connection refused" },
        { "no such name", "nobody.invalid", TIMEOUT_MS, ERR_UNREACHABLE, "the host's name: " },
        { "no address", "::ffff:", TIMEOUT_MS, ERR_UNREACHABLE, "the host's name: " },
        { "no time", "127.0.0.1", 0, ERR_TIMEOUT, "timed out" },
    };
    int port = server_free_port();

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct git_dial d = { 0 };
        struct err err = ERR_INIT;
        int fd = -1;

        assert_int_equal(git_dial_open(&d, str_from_c(rows[i].host), port, &err), 0);
        if (git_dial_connect(&d, rows[i].timeout_ms, &fd, &err) != rows[i].code ||
            !strstr(err.text, rows[i].text) || fd != -1)
            fail_msg("%s: %s", rows[i].sentence, err.text);
        git_dial_close(&d);
    }
}

/* 0: what is shut up gets connections to the host, and makes none. */
static int shut_up(int port)
{
    struct err err = ERR_INIT;
    struct git_dial d = { 0 };
    int fd = -1;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || git_dial_open(&d, S("localhost"), port, &err) ||
        git_cage_close(GIT_CAGE_SHUT, &err))
        return 2;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES)
        return 3;
    if (git_dial_connect(&d, TIMEOUT_MS, &fd, &err) || peer_port(fd) != port)
        return 4;
    git_dial_close(&d);
    return 0;
}

static void test_who_is_shut_up_gets_them_all_the_same(void **state)
{
    int port, listener = server_mute(&port), status = 0;
    pid_t child = fork();

    (void)state;
    if (!child)
        _exit(shut_up(port));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(listener);
}

static void test_it_goes_with_its_parent(void **state)
{
    int ends[2];
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (!child) {
        struct err err = ERR_INIT;
        struct git_dial d = { 0 };

        (void)git_dial_open(&d, S("localhost"), 1, &err); /* judged by the end of the pipe */
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody holds the other end */
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_lead_to_the_host),
        cmocka_unit_test(test_what_fails_says_why),
        cmocka_unit_test(test_who_is_shut_up_gets_them_all_the_same),
        cmocka_unit_test(test_it_goes_with_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
