/* Instances: started once, found again, kept alive, stopped. SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/keeper_proc.h"
#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "rv1bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define THIRD "rv1cccccccccccccccccccccccccc"

/* A server in one line: listens on PORT, answers nothing. */
#define LISTEN                                                                                     \
    "[\"/usr/bin/python3\",\"-c\",\"import socket,time,os\\ns=socket.socket()\\n"                  \
    "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\\ns.bind(('127.0.0.1',int(os.environ['" \
    "PORT'])))\\n"                                                                                 \
    "s.listen()\\nprint('up',flush=True)\\ntime.sleep(1000)\"]"
#define SH(script) "[\"/bin/sh\",\"-c\",\"" script "\"]"
#define LABEL(env)                                                                                 \
    "\"label\":{\"env_uid\":\"" env "\",\"installation\":\"i1\",\"resource\":\"instance/api\"}"
#define INSTANCE(command, more)                                                                    \
    "{\"command\":" command ",\"environment\":{\"A\":\"1\"},\"port\":8080," LABEL("env1") more "}"
#define GRACE(ms) ",\"termination\":{\"stop_grace_period_ms\":" #ms ",\"stop_signal\":\"TERM\"}"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    world_init(w, 3);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}

static struct rv_result apply(struct world *w, uint32_t action, const char *owner, const char *key,
                              const char *desired)
{
    struct rv_op op = test_op(action, "instance", "api@s.1", owner, key, desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    return ret;
}

static struct rv_result look(struct world *w, const char *owner)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", owner, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    op.id = test_rv(owner);
    w->driver->read(w->self, &w->t.host, &op, 1, &ret);
    return ret;
}

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

static int has_restarted_twice(struct world *w, void *owner)
{
    return world_state(w, owner, "restarts") >= 2;
}

static int has_log(struct world *w, void *text)
{
    return strstr(world_file(w, "run/" OWNER "/log"), text) != NULL;
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

static void test_restarts_are_counted(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", OWNER, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("exit 3"), "")).verdict, RV_DONE);
    world_wait(w, has_restarted_twice, OWNER, "it was started again twice");
    assert_true(test_rv_has(look(w, OWNER).observed, "\"exit\":3"));
    w->driver->counters(w->self, &w->t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"restarts\":"));
    assert_false(test_rv_has(ret.observed, "\"restarts\":0"));
}

/* Microseconds; -1: it does not say. */
static long long used_by(struct world *w, const char *owner)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", owner, "", "");
    struct rv_result ret = { .size = sizeof(ret) };
    char text[256];
    const char *at;

    w->driver->counters(w->self, &w->t.host, &op, &ret);
    (void)snprintf(text, sizeof(text), "%.*s", (int)ret.observed.n, ret.observed.p);
    at = strstr(text, "\"cpu_us\":");
    return at ? atoll(at + strlen("\"cpu_us\":")) : -1;
}

static int has_used_enough(struct world *w, void *ctx)
{
    (void)ctx;
    return used_by(w, OWNER) >= 300000;
}

static int has_used_as_much(struct world *w, void *before)
{
    return used_by(w, OWNER) >= *(const long long *)before;
}

static int has_restarted(struct world *w, void *ctx)
{
    (void)ctx;
    return world_state(w, OWNER, "restarts") >= 1;
}

/* A shell that waits for what uses the processor: when both are gone that is still counted. */
static void test_what_it_uses_is_counted(void **state)
{
    struct world *w = *state;
    long long before;

    assert_int_equal(apply(w, RV_CREATE, OTHER, "k1", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_DONE);
    assert_int_equal(
        apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sh -c 'while :; do :; done'; exit 1"), ""))
            .verdict,
        RV_DONE);
    world_wait(w, has_used_enough, NULL, "it used a third of a second");
    before = used_by(w, OWNER);
    assert_int_equal(kill((pid_t)world_state(w, OWNER, "pid"), SIGKILL), 0);
    world_wait(w, has_restarted, NULL, "it was started again");
    world_wait(w, has_used_as_much, &before, "what ended is counted");
    assert_in_range(used_by(w, OTHER), 0, 200000);
    assert_int_equal(used_by(w, THIRD), -1);
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

static void test_log_is_bounded(void **state)
{
    struct world *w = *state;
    struct stat one, two;
    char path[128];

    (void)apply(w, RV_CREATE, OWNER, "k1",
                INSTANCE(SH("yes reeve | head -c 6000000; echo finished; sleep 1000"), ""));
    world_wait(w, has_log, "finished", "it has said everything");
    (void)snprintf(path, sizeof(path), "%s/run/" OWNER "/log", w->dir);
    assert_int_equal(stat(path, &one), 0);
    (void)snprintf(path, sizeof(path), "%s/run/" OWNER "/log.1", w->dir);
    assert_int_equal(stat(path, &two), 0);
    assert_true(one.st_size <= 4 << 20 && two.st_size <= 4 << 20);
}

#define LOGS ",\"logs\":{\"max\":131072,\"keep_ms\":4000}"

static int is_forgotten(struct world *w, void *unused)
{
    (void)unused;
    return !world_has(w, "run/" OWNER "/log") && !world_has(w, "run/" OWNER "/log.1");
}

static int is_remembered(struct world *w, void *unused)
{
    return !is_forgotten(w, unused);
}

/* In bytes, of both files together; and in time, though nothing more is said. */
static void test_log_is_kept_as_asked(void **state)
{
    struct world *w = *state;
    struct stat one = { 0 }, two = { 0 };
    char path[128];

    (void)apply(w, RV_CREATE, OWNER, "k1",
                INSTANCE(SH("yes reeve | head -c 600000; echo finished; sleep 1000"),
                         ",\"logs\":{\"max\":131072}"));
    world_wait(w, has_log, "finished", "it has said everything");
    (void)snprintf(path, sizeof(path), "%s/run/" OWNER "/log", w->dir);
    assert_int_equal(stat(path, &one), 0);
    (void)snprintf(path, sizeof(path), "%s/run/" OWNER "/log.1", w->dir);
    assert_int_equal(stat(path, &two), 0);
    assert_true(one.st_size + two.st_size <= 131072);
    assert_int_equal(apply(w, RV_DELETE, OWNER, "k2", "").verdict, RV_DONE);

    (void)apply(w, RV_CREATE, OWNER, "k3", INSTANCE(SH("echo once; sleep 1000"), LOGS));
    world_wait(w, is_remembered, NULL, "it has said something");
    world_wait(w, is_forgotten, NULL, "what it said is too old");
}

/* As if something of so many bytes was printed, which goes so many seconds from now. */
static void given_gone(const struct world *w, int i, long bytes, long until_s)
{
    struct timespec until[2] = { { 0 } };
    char path[160];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/gone", w->dir);
    (void)mkdir(path, 0700); /* may be there */
    (void)snprintf(path, sizeof(path), "%s/gone/rv1x%04d", w->dir, i);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/gone/rv1x%04d/log", w->dir, i);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
    until[0].tv_sec = until[1].tv_sec = time(NULL) + until_s;
    (void)snprintf(path, sizeof(path), "%s/gone/rv1x%04d", w->dir, i);
    assert_int_equal(utimensat(AT_FDCWD, path, until, 0), 0);
}

static int is_kept(const struct world *w, const char *owner)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/gone/%s/log", w->dir, owner);
    return access(path, F_OK) == 0;
}

/* One that has printed, and is deleted then. */
static void given_finished(struct world *w, const char *create_key, const char *delete_key)
{
    (void)apply(w, RV_CREATE, OWNER, create_key, INSTANCE(SH("echo finished; sleep 1000"), ""));
    world_wait(w, has_log, "finished", "it has said everything");
    assert_int_equal(apply(w, RV_DELETE, OWNER, delete_key, "").verdict, RV_DONE);
}

/* What it printed last is kept; of all of them so many, so much, and none whose time is over. */
static void test_what_is_gone_is_kept_for_a_while(void **state)
{
    struct world *w = *state;

    given_gone(w, 0, 1, -60);
    given_gone(w, 1, 200L << 20, 60);
    given_gone(w, 2, 200L << 20, 120);
    given_finished(w, "k1", "k2");
    assert_true(is_kept(w, OWNER));
    assert_false(is_kept(w, "rv1x0000"));
    assert_false(is_kept(w, "rv1x0001"));
    assert_true(is_kept(w, "rv1x0002"));

    for (int i = 3; i < 1003; i++)
        given_gone(w, i, 1, 200 + i);
    given_finished(w, "k3", "k4");
    assert_true(is_kept(w, OWNER));
    assert_false(is_kept(w, "rv1x0002"));
    assert_false(is_kept(w, "rv1x0003"));
    assert_true(is_kept(w, "rv1x0004"));
    assert_true(is_kept(w, "rv1x1002"));
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
        ROW(test_restarts_are_counted),
        ROW(test_what_it_uses_is_counted),
        ROW(test_missing_command_is_named),
        ROW(test_a_keeper_that_hangs_is_killed),
        ROW(test_log_is_bounded),
        ROW(test_log_is_kept_as_asked),
        ROW(test_what_is_gone_is_kept_for_a_while),
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
