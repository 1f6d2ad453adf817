/* Instances: started once, found again, kept alive, stopped. SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "providers/keeper_proc.h"
#include "tests/unit/test_driver_process_given.h"

static int is_listening(struct world *w, void *owner)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", owner, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    w->driver->health(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    return test_rv_has(ret.observed, "\"listening\":true");
}

static int is_not_listening(struct world *w, void *owner)
{
    return !is_listening(w, owner);
}

static void test_lives_once_and_is_removed(void **state)
{
    struct world *w = *state;
    struct rv_result first, again, seen;
    int64_t pid;

    first = apply(w, RV_CREATE, OWNER, "k1", INSTANCE(LISTEN, ""));
    assert_int_equal(first.verdict, RV_DONE);
    assert_true(test_rv_has(first.outputs, "\"address\":\"127.0.0.1:"));
    assert_int_equal(w->t.n_ids, 1);
    assert_string_equal(w->t.ids[0].p, OWNER);
    pid = world_state(w, OWNER, "pid");
    world_wait(w, is_listening, OWNER, "it listens");

    again = apply(w, RV_CREATE, OWNER, "k1", INSTANCE(LISTEN, ""));
    assert_int_equal(again.verdict, RV_DONE);
    assert_int_equal(again.acted, RV_ACTED_NO);
    assert_int_equal(world_state(w, OWNER, "pid"), pid);
    seen = look(w, OWNER);
    assert_int_equal(seen.verdict, RV_DONE);
    assert_true(test_rv_has(seen.observed, "\"state\":\"running\""));

    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);
    assert_int_equal(look(w, OWNER).verdict, RV_ABSENT);
    assert_false(world_has(w, "run/" OWNER));
    assert_true(world_is_dead(w, &(pid_t){ (pid_t)pid }));
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);
}

static void test_dead_keeper_takes_its_program_along(void **state)
{
    struct world *w = *state;
    struct rv_result first = apply(w, RV_CREATE, OWNER, "k1", INSTANCE(LISTEN, "")), seen;
    struct str outputs = { first.outputs.p, first.outputs.n };
    pid_t keeper, pid;
    char port[16];

    assert_int_equal(first.verdict, RV_DONE);
    world_wait(w, is_listening, OWNER, "it listens");
    world_wait(w, has_log, "up", "it has nothing more to say");
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    pid = (pid_t)world_state(w, OWNER, "pid");
    (void)snprintf(port, sizeof(port), "%.*s", 5,
                   outputs.p + str_find(outputs, S("127.0.0.1:")) + 10);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &pid, "the program is dead");
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    seen = look(w, OWNER);
    assert_int_equal(seen.verdict, RV_DONE);
    assert_true(test_rv_has(seen.observed, "\"state\":\"lost\""));

    seen = apply(w, RV_UPDATE, OWNER, "k2", INSTANCE(LISTEN, ""));
    assert_int_equal(seen.verdict, RV_DONE);
    assert_true(test_rv_has(seen.outputs, port));
    world_wait(w, is_listening, OWNER, "it listens again");
}

/* What the program started must go too, even when it left the process group. */
static void test_grandchildren_go_with_a_dead_keeper(void **state)
{
    struct world *w = *state;
    pid_t child, keeper;
    const char *log;

    (void)apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sleep 1000 & echo pid=$! ; wait"), ""));
    world_wait(w, has_log, "pid=", "the grandchild's number is known");
    log = strstr(world_file(w, "run/" OWNER "/log"), "pid=");
    child = (pid_t)atoi(log + 4);
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);
    world_wait(w, world_is_dead, &child, "the grandchild is dead");
}

static void test_deaf_program_is_killed_after_its_grace(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_DELETE, "instance", "api@s.1", OWNER, "k2", "");
    struct rv_result ret = { .size = sizeof(ret) };
    pid_t pid;

    (void)apply(w, RV_CREATE, OWNER, "k1",
                INSTANCE(SH("trap '' TERM; echo deaf; while :; do sleep 1; done"), GRACE(300)));
    world_wait(w, has_log, "deaf", "it is deaf");
    pid = (pid_t)world_state(w, OWNER, "pid");
    w->driver->apply(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    assert_true(ret.token.n > 0);
    test_drive(w->driver, w->self, &w->t, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(world_is_dead(w, &pid));
}

static int is_stopped(struct world *w, void *pid)
{
    struct keeper_proc p;

    (void)w;
    return !keeper_proc_read(*(pid_t *)pid, &p) && p.state == 'T';
}

static int runs_on(struct world *w, void *pid)
{
    return !is_stopped(w, pid);
}

#define FROZEN(b) "{\"frozen\":" b "}"

/* With all that it started, also what left its session; it hears its stop signal all the same. */
static void test_a_frozen_one_rests_until_it_is_woken(void **state)
{
    struct world *w = *state;
    struct rv_result ret;
    pid_t pid, child;

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1",
                           INSTANCE(SH("setsid sleep 1000 & echo child $! end; wait"), ""))
                         .verdict,
                     RV_DONE);
    world_wait(w, has_log, "end", "it has started another");
    pid = (pid_t)world_state(w, OWNER, "pid");
    child = (pid_t)atoi(strstr(world_file(w, "run/" OWNER "/log"), "child ") + strlen("child "));
    ret = apply(w, RV_UPDATE, OWNER, "k2", FROZEN("true"));
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.observed, "\"state\":\"frozen\""));
    world_wait(w, is_stopped, &pid, "it rests");
    world_wait(w, is_stopped, &child, "what it started rests");
    assert_int_equal(apply(w, RV_UPDATE, OWNER, "k2", FROZEN("true")).verdict, RV_DONE);
    assert_true(test_rv_has(look(w, OWNER).observed, "\"state\":\"frozen\""));
    assert_int_equal(world_state(w, OWNER, "restarts"), 0);

    ret = apply(w, RV_UPDATE, OWNER, "k3", FROZEN("false"));
    assert_true(test_rv_has(ret.observed, "\"state\":\"running\""));
    world_wait(w, runs_on, &pid, "it runs");
    world_wait(w, runs_on, &child, "what it started runs");
    assert_int_equal(world_state(w, OWNER, "pid"), pid);

    assert_int_equal(apply(w, RV_UPDATE, OWNER, "k4", FROZEN("true")).verdict, RV_DONE);
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k5", "").verdict, RV_DONE);
    assert_true(world_is_dead(w, &pid));
    assert_true(world_is_dead(w, &child));
}

/* Whoever asks for the signal gets it, and nobody else ends by it. */
static void test_one_that_drains_is_told(void **state)
{
    struct world *w = *state;
    struct rv_result ret;

    assert_int_equal(
        apply(w, RV_CREATE, OWNER, "k1",
              INSTANCE(SH("trap 'echo told' WINCH; echo begun; while :; do sleep 1000 & "
                          "wait $!; done"),
                       ""))
            .verdict,
        RV_DONE);
    world_wait(w, has_log, "begun", "it runs");
    ret = apply(w, RV_UPDATE, OWNER, "k2", "{\"draining\":true}");
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.observed, "\"state\":\"running\""));
    world_wait(w, has_log, "told", "it is told");
    assert_int_equal(world_state(w, OWNER, "restarts"), 0);

    assert_int_equal(apply(w, RV_CREATE, OTHER, "k3", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_DONE);
    assert_int_equal(apply(w, RV_UPDATE, OTHER, "k4", "{\"draining\":true}").verdict, RV_DONE);
    assert_int_equal(world_state(w, OTHER, "restarts"), 0);
}

static void test_missing_command_is_named(void **state)
{
    struct world *w = *state;
    struct rv_result ret = apply(w, RV_CREATE, OWNER, "k1", INSTANCE("[\"/no/such\"]", ""));

    assert_int_equal(ret.verdict, RV_USER);
    assert_int_equal(ret.acted, RV_ACTED_YES);
    assert_true(test_rv_has(ret.message, "command '/no/such' does not exist"));
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);
}

/* Stopped, it answers nothing: that is told, and after its time it is killed with its program. */
static void test_a_keeper_that_hangs_is_killed(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_DELETE, "instance", "api@s.1", OWNER, "k2", "");
    struct rv_result ret = { .size = sizeof(ret) };
    pid_t keeper, program;

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_DONE);
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    program = (pid_t)world_state(w, OWNER, "pid");
    assert_int_equal(kill(keeper, SIGSTOP), 0);
    w->driver->apply(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    assert_true(test_rv_has(ret.message, "does not answer"));
    assert_true(test_rv_has(ret.token, OWNER " "));

    op.token = test_rv(OWNER " 1"); /* since the machine came up */
    ret = (struct rv_result){ .size = sizeof(ret) };
    w->driver->resume(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    assert_true(test_rv_has(ret.message, "s: killed"));
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    world_wait(w, world_is_dead, &program, "its program too");
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);
    assert_int_equal(look(w, OWNER).verdict, RV_ABSENT);
}

static void test_ports_run_out_and_rest(void **state)
{
    struct world *w = *state;
    const char *sleep1 = INSTANCE(SH("sleep 1000"), "");
    const char *foreign = "{\"command\":" SH("sleep 1000") ",\"port\":1," LABEL("env2") "}";
    struct rv_result ret;

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", sleep1).verdict, RV_DONE);
    assert_int_equal(apply(w, RV_CREATE, OTHER, "k2", sleep1).verdict, RV_DONE);
    assert_int_equal(apply(w, RV_CREATE, THIRD, "k3", sleep1).verdict, RV_DONE);
    ret = apply(w, RV_CREATE, "rv1dd", "k4", sleep1);
    assert_int_equal(ret.verdict, RV_WAIT);
    assert_true(test_rv_has(ret.message, "no free port in"));
    assert_true(test_rv_has(ret.message, "3 used"));

    assert_int_equal(apply(w, RV_DELETE, THIRD, "k5", "").verdict, RV_DONE);
    ret = apply(w, RV_CREATE, "rv1ee", "k6", foreign);
    assert_int_equal(ret.verdict, RV_WAIT);
    assert_true(test_rv_has(ret.message, "1 rest for 24 h"));
    assert_int_equal(apply(w, RV_CREATE, "rv1dd", "k4", sleep1).verdict, RV_DONE);
}

/* grep -r for the value in everything we wrote, and in the argument vectors of both processes. */
static void test_secrets_touch_no_file(void **state)
{
    struct world *w = *state;
    char command[256], path[64], text[4096];
    struct rv_result ret;
    pid_t pids[2];

    test_host_secret(&w->t, "db", "hunter2-very-secret");
    ret = apply(
        w, RV_CREATE, OWNER, "k1",
        "{\"command\":" SH(
            "case $DB in x-hunt*secret) echo right;; esac; sleep 1000") ","
                                                                        "\"environment\":{\"DB\":{"
                                                                        "\"join\":[\"x-\",{"
                                                                        "\"secret\":\"db\"}]}},"
                                                                        "\"port\":1}");
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(w->t.calls[TEST_HOST_SECRET] > 0);
    world_wait(w, has_log, "right", "the program has it");
    (void)snprintf(command, sizeof(command), "grep -rqs --devices=skip -e hunter2-very %s", w->dir);
    assert_int_equal(WEXITSTATUS(system(command)), 1);
    pids[0] = (pid_t)world_state(w, OWNER, "keeper");
    pids[1] = (pid_t)world_state(w, OWNER, "pid");
    for (int i = 0; i < 2; i++) {
        FILE *f;
        size_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pids[i]);
        f = fopen(path, "re");
        assert_non_null(f);
        n = fread(text, 1, sizeof(text), f);
        fclose(f);
        assert_true(n > 0);
        assert_null(memmem(text, n, "hunter2-very-secret", 19));
    }
}

static void test_missing_secret_starts_nothing(void **state)
{
    struct world *w = *state;
    struct rv_result ret = apply(
        w, RV_CREATE, OWNER, "k1",
        "{\"command\":[\"/bin/true\"],\"environment\":{\"DB\":{\"secret\":\"db\"}}}");

    assert_int_equal(ret.verdict, RV_USER);
    assert_true(test_rv_has(ret.message, "secret 'db'"));
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 0);
}

static void test_older_epoch_is_refused(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_CREATE, "instance", "api@s.1", OWNER, "k1",
                              INSTANCE(SH("sleep 1000"), ""));
    struct rv_result ret;
    pid_t pid, keeper;

    op.epoch = 5;
    test_drive(w->driver, w->self, &w->t, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    pid = (pid_t)world_state(w, OWNER, "pid");
    op.action = RV_DELETE;
    op.epoch = 4;
    test_drive(w->driver, w->self, &w->t, &op, &ret);
    assert_int_equal(ret.verdict, RV_FATAL);
    assert_true(test_rv_has(ret.message, "epoch"));
    assert_false(world_is_dead(w, &pid));

    keeper = (pid_t)world_state(w, OWNER, "keeper"); /* and when nobody lives there */
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    test_drive(w->driver, w->self, &w->t, &op, &ret);
    assert_int_equal(ret.verdict, RV_FATAL);
}

static void test_port_of_another_program_is_not_listening(void **state)
{
    struct world *w = *state;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct rv_result ret = apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sleep 1000"), ""));
    struct str outputs = { ret.outputs.p, ret.outputs.n };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_port = htons((uint16_t)atoi(outputs.p + str_find(outputs, S("127.0.0.1:")) + 10));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_false(is_listening(w, OWNER));
    close(fd);
}

static void test_update_changes_what_runs(void **state)
{
    struct world *w = *state;
    struct rv_result ret;
    int64_t keeper;

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(LISTEN, "")).verdict, RV_DONE);
    world_wait(w, is_listening, OWNER, "it listens");
    keeper = world_state(w, OWNER, "keeper");
    ret = apply(w, RV_UPDATE, OWNER, "k2", INSTANCE(SH("echo second $A; sleep 1000"), ""));
    assert_int_equal(ret.verdict, RV_DONE);
    world_wait(w, has_log, "second 1", "the second command runs");
    world_wait(w, is_not_listening, OWNER, "the first one is gone");
    assert_int_equal(world_state(w, OWNER, "keeper"), keeper);
    assert_int_equal(world_state(w, OWNER, "restarts"), 0);
}

static void test_daemon_may_die_after_any_host_call(void **state)
{
    struct world *w = *state;

    test_host_fail(&w->t, TEST_HOST_IDENTIFIED, 1, RV_RETRY);
    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_RETRY);
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 0); /* no further effect */
    assert_true(test_rv_has(look(w, OWNER).observed, "\"state\":\"lost\""));
    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        ROW(test_lives_once_and_is_removed),
        ROW(test_dead_keeper_takes_its_program_along),
        ROW(test_grandchildren_go_with_a_dead_keeper),
        ROW(test_deaf_program_is_killed_after_its_grace),
        ROW(test_a_frozen_one_rests_until_it_is_woken),
        ROW(test_one_that_drains_is_told),
        ROW(test_missing_command_is_named),
        ROW(test_a_keeper_that_hangs_is_killed),
        ROW(test_ports_run_out_and_rest),
        ROW(test_secrets_touch_no_file),
        ROW(test_missing_secret_starts_nothing),
        ROW(test_older_epoch_is_refused),
        ROW(test_port_of_another_program_is_not_listening),
        ROW(test_update_changes_what_runs),
        ROW(test_daemon_may_die_after_any_host_call),
#undef ROW
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
