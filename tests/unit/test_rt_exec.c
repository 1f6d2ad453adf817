/* rt: children run with what they are given, and end with all that they started. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct child {
    struct probe probe;
    struct exec_request in;
    struct exec_result result;
    const char *argv[4];
};

static const char *const no_env[] = { "GREETING=hello", NULL };

static void wait_child(struct probe *p)
{
    struct child *c = container_of(p, struct child, probe);

    wait_exec_start(&p->task, &c->in, &p->fixture->arena, &c->result);
}

static void given_shell(struct child *c, const char *script)
{
    *c = (struct child){ .argv = { "/bin/sh", "-c", script, NULL } };
    c->in = (struct exec_request){ .env = no_env, .out_max = 1000, .err_max = 1000 };
    c->in.argv = c->argv;
}

static void run_child(struct fixture *f, struct child *c)
{
    c->in.argv = c->argv;
    given_probe(&c->probe, f, wait_child);
    loop_run(f->loop);
    assert_int_equal(c->probe.n_ended, 1);
}

static void test_a_child_gets_and_gives_what_was_asked(void **state)
{
    static const struct {
        const char *name, *script, *dir, *input, *out, *err;
        int status, signal;
    } rows[] = {
        { "its output comes back", "echo out; echo err >&2", NULL, NULL, "out\n", "err\n", 0, 0 },
        { "its exit status comes back", "exit 7", NULL, NULL, "", "", 7, 0 },
        { "the signal that ended it comes back", "kill -TERM $$", NULL, NULL, "", "", 0, SIGTERM },
        { "its input is written and closed", "cat; echo end", NULL, "some text\n",
          "some text\nend\n", "", 0, 0 },
        { "input it does not read hurts nobody", "exec 0<&-; exit 3", NULL, "text", "", "", 3, 0 },
        { "its environment is what was given", "env | grep -v ^PWD | grep -v ^_=", NULL, NULL,
          "GREETING=hello\n", "", 0, 0 },
        { "it runs in the directory given", "pwd", "/usr", NULL, "/usr\n", "", 0, 0 },
        { "without one it runs in the root", "pwd", NULL, NULL, "/\n", "", 0, 0 },
        { "it leads a session of its own",
          "set -- $(cut -d' ' -f1,5,6 /proc/self/stat); "
          "[ $2 = $$ ] && [ $3 = $$ ] && echo yes",
          NULL, NULL, "yes\n", "", 0, 0 },
        { "only three descriptors are inherited",
          "for i in 0 1 2 3 4 5 6 7 8 9 10 20 30; do if [ -e /proc/$$/fd/$i ]; then printf $i; fi; "
          "done",
          NULL, NULL, "012", "", 0, 0 },
        /* 32 and 33 are libc's own: whoever was started by posix_spawn, as by make, ignores them. */
        { "signals are as after boot",
          "set -- $(grep -E 'Sig(Ign|Blk)' /proc/self/status); "
          "echo $1 $((0x$2)) $3 $((0x$4 & ~0x180000000))",
          NULL, NULL, "SigBlk: 0 SigIgn: 0\n", "", 0, 0 },
    };

    (void)state;
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        struct fixture f;
        struct child c;

        given_real_loop(&f, NULL);
        given_shell(&c, rows[r].script);
        c.in.dir = rows[r].dir;
        c.in.input = str_from_c(rows[r].input);
        run_child(&f, &c);
        expect_end(&c.probe, "WAIT AFTER ", 0);
        assert_string_equal(str_to_c(&f.arena, c.result.out), rows[r].out);
        assert_string_equal(str_to_c(&f.arena, c.result.err_tail), rows[r].err);
        assert_int_equal(c.result.status, rows[r].status);
        assert_int_equal(c.result.signal, rows[r].signal);
        fixture_fini(&f);
    }
}

static void test_a_program_that_cannot_start_is_an_error(void **state)
{
    static const struct {
        const char *name, *path, *dir;
        int rc;
    } rows[] = {
        { "no such program", "/nonexistent/program", NULL, ERR_NOT_FOUND },
        { "no such directory", "/bin/sh", "/nonexistent", ERR_NOT_FOUND },
        { "not a program", "/etc/passwd", NULL, ERR_IO },
    };

    (void)state;
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        struct fixture f;
        struct child c;

        given_real_loop(&f, NULL);
        given_shell(&c, "exit 0");
        c.argv[0] = rows[r].path;
        c.in.dir = rows[r].dir;
        run_child(&f, &c);
        expect_end(&c.probe, "WAIT FAILED ", rows[r].rc);
        assert_true(str_find(str_from_c(c.probe.task.err.text), str_from_c(rows[r].path)) == 5);
        fixture_fini(&f);
    }
}

static void test_output_over_the_limit_is_dropped_and_counted(void **state)
{
    struct fixture f;
    struct child c;

    (void)state;
    given_real_loop(&f, NULL);
    given_shell(&c, "i=0; while [ $i -lt 5000 ]; do echo 0123456789; i=$((i+1)); done;"
                    "printf '%s' abcdefghijklmnopqrstuvwxyz >&2");
    c.in.out_max = 14;
    c.in.err_max = 10;
    run_child(&f, &c);
    expect_end(&c.probe, "WAIT AFTER ", 0);
    assert_string_equal(str_to_c(&f.arena, c.result.out), "0123456789\n012"); /* the beginning */
    assert_string_equal(str_to_c(&f.arena, c.result.err_tail), "qrstuvwxyz"); /* the end */
    assert_int_equal(c.result.out_dropped, 5000 * 11 - 14);
    assert_int_equal(c.result.err_dropped, 16);
    fixture_fini(&f);
}

static void test_much_input_and_output_do_not_block_each_other(void **state)
{
    struct fixture f;
    struct child c;
    size_t n = 1 << 20;
    char *text = malloc(n);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    given_real_loop(&f, NULL);
    given_shell(&c, "cat");
    c.in.input = (struct str){ text, n };
    c.in.out_max = 2 * n;
    run_child(&f, &c);
    expect_end(&c.probe, "WAIT AFTER ", 0);
    assert_true(str_eq(c.result.out, c.in.input));
    free(text);
    fixture_fini(&f);
}

/* --- nothing of it stays */

/* A pipe whose write end only the child's group holds: it ends when the last of them has. */
struct trap {
    char path[64];
    int fd;
};

static void given_trap(struct trap *t)
{
    (void)snprintf(t->path, sizeof(t->path), "/tmp/rt-exec-%d", (int)getpid());
    (void)unlink(t->path);
    assert_int_equal(mkfifo(t->path, 0600), 0);
    t->fd = open(t->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(t->fd >= 0);
}

/* What was written into it, and that nobody holds it any more. */
static void expect_trap(struct trap *t, const char *text)
{
    struct pollfd p = { .fd = t->fd };
    char got[64] = "";

    assert_true(read(t->fd, got, sizeof(got) - 1) >= 0);
    assert_string_equal(got, text);
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_true(p.revents & POLLHUP);
    (void)close(t->fd);
    (void)unlink(t->path);
}

static void test_a_late_child_is_killed_with_its_whole_group(void **state)
{
    struct fixture f;
    struct child c;
    struct trap trap;
    char script[256];
    int64_t began_ms;

    (void)state;
    given_real_loop(&f, NULL);
    given_trap(&trap);
    (void)snprintf(script, sizeof(script),
                   "exec 3>%s; (trap '' TERM HUP INT; echo in >&3; sleep 100; echo x) & "
                   "echo before; sleep 100",
                   trap.path);
    given_shell(&c, script);
    c.in.timeout_ms = 3000; /* it has begun by then */
    began_ms = loop_mono_ms(f.loop);
    run_child(&f, &c);
    expect_end(&c.probe, "WAIT FAILED ", ERR_TIMEOUT);
    assert_string_equal(c.probe.task.err.text, "'/bin/sh' did not end within 3000 ms");
    assert_true(c.result.timed_out);
    assert_int_equal(c.result.signal, SIGKILL);
    assert_string_equal(str_to_c(&f.arena, c.result.out), "before\n");
    assert_true(loop_mono_ms(f.loop) - began_ms < 20000);
    expect_trap(&trap, "in\n");
    fixture_fini(&f);
}

static void test_what_a_child_leaves_in_its_group_is_killed_when_it_ends(void **state)
{
    struct fixture f;
    struct child c;
    struct trap trap;
    char script[256];

    (void)state;
    given_real_loop(&f, NULL);
    given_trap(&trap);
    (void)snprintf(script, sizeof(script), "exec 3>%s; sleep 100 & echo in >&3; echo out",
                   trap.path);
    given_shell(&c, script);
    run_child(&f, &c);
    expect_end(&c.probe, "WAIT AFTER ", 0);
    assert_string_equal(str_to_c(&f.arena, c.result.out), "out\n");
    expect_trap(&trap, "in\n");
    fixture_fini(&f);
}

static void test_limits_hold_for_the_child_alone(void **state)
{
    struct fixture f;
    struct child c;

    (void)state;
    given_real_loop(&f, NULL);
    given_shell(&c, "ulimit -v; ulimit -t");
    c.in.rlimit_as = 512 << 20;
    c.in.rlimit_cpu_s = 9;
    run_child(&f, &c);
    assert_string_equal(str_to_c(&f.arena, c.result.out), "524288\n9\n");
    given_shell(&c, "nice");
    run_child(&f, &c);
    assert_int_equal(atoi(str_to_c(&f.arena, c.result.out)), getpriority(PRIO_PROCESS, 0) + 5);
    given_shell(&c, "while :; do :; done");
    c.in.rlimit_cpu_s = 1;
    run_child(&f, &c);
    expect_end(&c.probe, "WAIT AFTER ", 0);
    assert_true(c.result.signal == SIGKILL || c.result.signal == SIGXCPU);
    fixture_fini(&f);
}

static void test_many_children_at_once_leave_no_descriptor(void **state)
{
    struct fixture f;
    static struct child children[50];
    int before, after;

    (void)state;
    given_real_loop(&f, NULL);
    before = dup(0);
    for (size_t i = 0; i < N_ELEMENTS(children); i++) {
        given_shell(&children[i], "echo $$");
        given_probe(&children[i].probe, &f, wait_child);
    }
    loop_run(f.loop);
    for (size_t i = 0; i < N_ELEMENTS(children); i++) {
        expect_end(&children[i].probe, "WAIT AFTER ", 0);
        assert_true(children[i].result.out.n > 1);
    }
    (void)close(before);
    after = dup(0);
    assert_int_equal(after, before);
    (void)close(after);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_gets_and_gives_what_was_asked),
        cmocka_unit_test(test_a_program_that_cannot_start_is_an_error),
        cmocka_unit_test(test_output_over_the_limit_is_dropped_and_counted),
        cmocka_unit_test(test_much_input_and_output_do_not_block_each_other),
        cmocka_unit_test(test_a_late_child_is_killed_with_its_whole_group),
        cmocka_unit_test(test_what_a_child_leaves_in_its_group_is_killed_when_it_ends),
        cmocka_unit_test(test_limits_hold_for_the_child_alone),
        cmocka_unit_test(test_many_children_at_once_leave_no_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
