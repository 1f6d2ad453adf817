/* Starting programs: what they inherit, how they end. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "tests/support/test_host.h"

struct spawn_row {
    const char *sentence, *script, *input;
    uint32_t timeout_ms;
    int verdict;
    int32_t status, signal;
    const char *out, *err;
};

static const struct spawn_row spawn_rows[] = {
    { "output and status come back", "printf hi; exit 3", NULL, 0, 0, 3, 0, "hi", "" },
    { "input arrives on 0", "cat", "hello", 0, 0, 0, 0, "hello", "" },
    { "the end of 2 is kept", "printf oops >&2; exit 1", NULL, 0, 0, 1, 0, "", "oops" },
    { "a signal is told apart from a status", "kill -9 $$", NULL, 0, 0, -1, 9, "", "" },
    { "the environment is only what was given", "env | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD",
      NULL, 0, 0, 0, 0, "GIVEN=1\n", "" },
    { "no other descriptor is open", "ls /proc/self/fd | tr '\\n' ' '", NULL, 0, 0, 0, 0,
      "0 1 2 3 ", "" },
    { "one that closes its outputs and stays is ended in time", "exec <&- >&- 2>&-; sleep 100",
      NULL, 200, RV_RETRY, -1, 9, "", "" },
    { "one that closes its outputs first is waited for", "exec >&- 2>&-; kill -9 $$", NULL, 0, 0,
      -1, 9, "", "" },
    { "whoever it leaves behind with its outputs is ended in time", "sleep 100 & exit 0", NULL, 200,
      RV_RETRY, 0, 0, "", "" },
    { "over its time the whole group is killed", "sleep 100 & sleep 100", NULL, 50, RV_RETRY, -1, 9,
      "", "" },
};

static void test_run(void **state)
{
    const struct spawn_row *row = *state;
    struct test_host t;
    struct rv_exit ret = { .size = sizeof(ret) };
    struct rv_str argv[] = { test_rv("/bin/sh"), test_rv("-c"), test_rv(row->script) };
    struct rv_str env = test_rv("GIVEN=1");
    struct rv_exec in = { .size = sizeof(in),
                          .timeout_ms = row->timeout_ms,
                          .n_argv = 3,
                          .argv = argv,
                          .n_env = 1,
                          .env = &env,
                          .input = test_rv(row->input) };
    int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec */

    test_host_init(&t);
    assert_int_equal(t.host.exec(t.host.ctx, &in, &ret), row->verdict);
    assert_int_equal(ret.status, row->status);
    assert_int_equal(ret.signal, row->signal);
    if (!row->verdict) {
        assert_string_equal(ret.out.p, row->out);
        assert_string_equal(ret.err_tail.p, row->err);
    }
    test_host_fini(&t);
    close(leaked);
}

static void test_missing_program(void **state)
{
    struct test_host t;
    struct rv_exit ret = { .size = sizeof(ret) };
    struct rv_str argv = test_rv("/does/not/exist");
    struct rv_exec in = { .size = sizeof(in), .n_argv = 1, .argv = &argv };

    (void)state;
    test_host_init(&t);
    assert_int_equal(t.host.exec(t.host.ctx, &in, &ret), RV_USER);
    assert_int_equal(t.host.spawn(t.host.ctx, &in, &ret), RV_USER);
    test_host_fini(&t);
}

/* A detached program is no child of ours, leads its session and has the descriptor it was given. */
static void test_detached(void **state)
{
    struct test_host t;
    struct rv_exit ret = { .size = sizeof(ret) };
    struct rv_str argv[] = { test_rv("/bin/sh"), test_rv("-c"),
                             test_rv("cut -d' ' -f4,6 /proc/$$/stat >&3; read x <&4") };
    struct rv_str env = test_rv("PATH=/usr/bin:/bin");
    int out[2], in[2], fds[2], ppid = 0, sid = 0;
    char text[64] = "";
    struct rv_exec what = { .size = sizeof(what),
                            .n_argv = 3,
                            .argv = argv,
                            .n_env = 1,
                            .env = &env,
                            .n_fds = 2,
                            .fds = fds };

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    fds[0] = out[1];
    fds[1] = in[0];
    test_host_init(&t);
    assert_int_equal(t.host.spawn(t.host.ctx, &what, &ret), 0);
    close(out[1]);
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    assert_int_equal(sscanf(text, "%d %d", &ppid, &sid), 2);
    assert_int_not_equal(ppid, getpid());
    assert_int_equal(sid, ret.pid);
    close(in[1]); /* lets it go */
    close(in[0]);
    assert_int_equal(read(out[0], text, sizeof(text)), 0);
    close(out[0]);
    test_host_fini(&t);
}

/* A daemon has many connections; who it starts may be one that selects. */
static void test_limit_of_before(void **state)
{
    const struct rlimit few = { 100, 300 };
    struct test_host t;
    struct rv_exit ret = { .size = sizeof(ret) };
    struct rv_str argv[] = { test_rv("/bin/sh"), test_rv("-c"), test_rv("ulimit -Sn; ulimit -Hn") };
    struct rv_exec in = { .size = sizeof(in), .n_argv = 3, .argv = argv };
    struct rlimit now;

    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    sys_raise_files();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, 300);
    test_host_init(&t);
    assert_int_equal(t.host.exec(t.host.ctx, &in, &ret), 0);
    assert_string_equal(ret.out.p, "100\n300\n");
    test_host_fini(&t);
}

static void test_faults(void **state)
{
    struct test_host t;

    (void)state;
    test_host_init(&t);
    test_host_fail(&t, TEST_HOST_IDENTIFIED, 2, RV_RETRY);
    assert_int_equal(t.host.identified(t.host.ctx, test_rv("a")), 0);
    assert_int_equal(t.host.identified(t.host.ctx, test_rv("b")), RV_RETRY);
    assert_int_equal(t.host.identified(t.host.ctx, test_rv("c")), 0);
    assert_int_equal(t.n_ids, 2);
    t.cancelled = 1;
    assert_int_equal(t.host.wait_fd(t.host.ctx, -1, 0, 60000), RV_CANCELLED);
    test_host_fini(&t);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(spawn_rows) + 4];
    size_t n = 0;

    for (; n < N_ELEMENTS(spawn_rows); n++)
        tests[n] = (struct CMUnitTest){ .name = spawn_rows[n].sentence,
                                        .test_func = test_run,
                                        .initial_state = (void *)(uintptr_t)&spawn_rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_missing_program);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_detached);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_limit_of_before); /* stays low */
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_faults);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
