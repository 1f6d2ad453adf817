/* Isolated commands: what they see, what they may, and that they end as they end. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/keeper_proc.h"
#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY "0123456789abcdef"

/* The headers of this system may be older than its kernel. */
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_ASKS_VERSION 1u
#define LANDLOCK_HAS_SCOPES 6

struct isolated_row {
    const char *sentence, *script;
    const char *says; /* NULL: it succeeds; else what its failure says */
};

struct isolated {
    struct world world;
    const struct isolated_row *row;
};

static int setup(void **state)
{
    struct isolated *i = calloc(1, sizeof(*i));

    i->row = *state;
    world_init(&i->world, 1);
    world_write(&i->world, "exports/" KEY "/in.txt", "source\n");
    *state = i;
    return 0;
}

static int teardown(void **state)
{
    struct isolated *i = *state;

    world_fini(&i->world);
    free(i);
    return 0;
}

static struct rv_result drive(struct world *w, const char *type, uint32_t action,
                              const char *desired)
{
    struct rv_op op = test_op(action, type, "x@k", OWNER, "k1", desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    world_skip_where_impossible(&ret);
    return ret;
}

static const struct isolated_row isolated_rows[] = {
    { "it is who we are", "test $(id -u) = $OUR_UID", NULL },
    { "its home can be written", "cd $HOME && echo x > f && test -s f", NULL },
    { "nothing else of our directory is there",
      "test ! -e $HOME/../spec.json && test ! -e $HOME/../../../exports", NULL },
    { "what lies beside it stays away", "! cat $HOME/../state; echo x > $HOME/../f || true", NULL },
    { "the machine cannot be written", "! touch /etc/reeve-isolated /usr/reeve-isolated", NULL },
    { "it has a /tmp of its own", "test -z \"$(ls -A /tmp | grep -v rvp)\" && touch /tmp/x", NULL },
    { "it sees its own processes alone", "set -- /proc/[0-9]*; test $# -lt 5", NULL },
    { "no kernel setting can be written", "! echo x > /proc/sys/kernel/core_pattern", NULL },
    { "devices are the harmless ones",
      "test -c /dev/null && set -- /dev/[a-z]d[a-z]* && ! test -b $1", NULL },
    { "it has no capability", "grep -q 'CapEff:.0000000000000000' /proc/self/status", NULL },
    { "and gets none", "grep -q 'NoNewPrivs:.1' /proc/self/status", NULL },
    { "it writes no core file", "test $(ulimit -c) = 0", NULL },
    { "its processes are limited", "test $(ulimit -u) -le 1024", NULL },
    { "a cover stays on", "! umount $HOME/../../..", NULL },
    { "it makes no namespace, in which it would have rights", "! unshare -U true", NULL },
    { "no socket of the machine is there", "! find /run -type s | grep -q .", NULL },
    { "names are still looked up", "test ! -e /etc/resolv.conf || cat /etc/resolv.conf", NULL },
    { "terminals are not without end", "grep -q 'devpts.*max=64' /proc/self/mounts", NULL },
    { "nor are files in its memory", "test $(df --output=itotal /tmp | tail -1) -le 102400", NULL },
    { "what it sends to its group stays there", "trap '' TERM; kill -TERM 0; exit 0", NULL },
    { "its exit status is told", "exit 7", "release: exit 7" },
    { "and its signal", "kill -TERM $$", "release: ended by signal 15" },
};

static void test_row(void **state)
{
    struct isolated *isolated = *state;
    const struct isolated_row *row = isolated->row;
    struct world *w = &isolated->world;
    char desired[1024], script[512] = "", *at = script;
    struct rv_result ret;

    for (const char *c = row->script; *c; c++) {
        if (*c == '"' || *c == '\\')
            *at++ = '\\';
        *at++ = *c;
    }
    (void)snprintf(
        desired, sizeof(desired),
        "{\"command\":[\"/bin/bash\",\"-c\",\"%s\"],\"environment\":{\"OUR_UID\":\"%u\"},"
        "\"isolation\":\"namespace\",\"timeout_ms\":20000}",
        script, (unsigned)getuid());
    ret = drive(w, "release", RV_RUN, desired);
    if (row->says)
        assert_true(test_rv_has(ret.message, row->says));
    else if (ret.verdict != RV_DONE)
        fail_msg("%.*s", (int)ret.message.n, ret.message.p);
    assert_false(world_has(w, "run/" OWNER "/f"));
}

static void test_a_build_writes_its_tree_and_has_no_network(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret = drive(
        w, "artifact", RV_CREATE,
        "{\"key\":\"" KEY "\",\"argv\":[\"/bin/bash\",\"-c\",\"tr a-z A-Z < in.txt > out.txt; "
        "cat /proc/net/dev > net.txt\"],\"context\":\".\",\"isolation\":\"namespace\"}");
    const char *net;

    assert_int_equal(ret.verdict, RV_DONE);
    assert_string_equal(world_file(w, "artifacts/" KEY "/tree/out.txt"), "SOURCE\n");
    net = world_file(w, "artifacts/" KEY "/tree/net.txt");
    assert_non_null(strstr(net, "lo:"));
    assert_null(strstr(strstr(net, "lo:") + 3, ":")); /* and no other device */
}

static void test_a_build_that_may_has_the_network(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret = drive(
        w, "artifact", RV_CREATE,
        "{\"key\":\"" KEY "\",\"argv\":[\"/bin/bash\",\"-c\",\"readlink /proc/self/ns/net > "
        "net.txt\"],\"context\":\".\",\"isolation\":\"namespace\",\"network\":true}");
    char ours[64] = "";

    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 2) > 0);
    (void)strcat(ours, "\n");
    assert_string_equal(world_file(w, "artifacts/" KEY "/tree/net.txt"), ours);
}

static void test_what_cannot_be_started_says_so(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret = drive(w, "instance", RV_CREATE,
                                 "{\"command\":[\"nowhere\"],\"isolation\":\"namespace\"}");

    assert_int_equal(ret.verdict, RV_USER);
    assert_true(test_rv_has(ret.message, "command 'nowhere' does not exist"));
}

static void test_it_dies_with_its_keeper(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret = drive(
        w, "instance", RV_CREATE,
        "{\"command\":[\"/bin/bash\",\"-c\",\"setsid sleep 1000 & echo $$; exec sleep 1000\"],"
        "\"isolation\":\"namespace\"}");
    pid_t keeper = (pid_t)world_state(w, OWNER, "keeper");
    pid_t pid = (pid_t)world_state(w, OWNER, "pid");
    struct keeper_procs before, after;

    assert_int_equal(ret.verdict, RV_DONE);
    keeper_proc_family(&w->t.arena, keeper, &before);
    assert_true(before.list.n >= 3);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &pid, "the program is dead");
    for (size_t i = 0; i < before.list.n; i++)
        world_wait(w, world_is_dead, &before.list.p[i].pid, "all of it is dead");
    keeper_proc_family(&w->t.arena, keeper, &after);
    assert_int_equal(after.list.n, 0);
}

/* The command that asks how it is runs where it runs. */
static void test_its_probe_is_isolated_too(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_op op = test_op(
        RV_NONE, "instance", "x@k", OWNER, "",
        "{\"command\":[\"/bin/bash\",\"-c\",\"test ! -e $HOME/../spec.json && test "
        "-e $HOME && exit 5\"],\"timeout_ms\":20000}");
    struct rv_result ret = { .size = sizeof(ret) };

    assert_int_equal(drive(w, "instance", RV_CREATE,
                           "{\"command\":[\"sleep\",\"1000\"],\"isolation\":\"namespace\"}")
                         .verdict,
                     RV_DONE);
    w->driver->health(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.observed, "\"exit\":5"));
}

/* Only a kernel that knows scopes can keep them away. */
static void test_no_abstract_socket_of_others(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char desired[512];

    if (syscall(LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_ASKS_VERSION) < LANDLOCK_HAS_SCOPES) {
        print_message("SKIPPED: this kernel scopes no abstract sockets\n");
        skip();
    }
    (void)snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s", w->dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    (void)snprintf(desired, sizeof(desired),
                   "{\"command\":[\"/usr/bin/python3\",\"-c\",\"import socket; "
                   "socket.socket(socket.AF_UNIX).connect(('\\\\0%s' + '\\\\0' * 108)[:108])\"],"
                   "\"isolation\":\"namespace\",\"timeout_ms\":20000}",
                   w->dir);
    assert_true(test_rv_has(drive(w, "release", RV_RUN, desired).message, "PermissionError"));
}

static void test_its_stop_signal_is_handed_on(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret = drive(
        w, "release", RV_RUN,
        "{\"command\":[\"/bin/bash\",\"-c\",\"trap 'echo it was told; exit' TERM; sleep 1000 & "
        "wait\"],\"isolation\":\"namespace\",\"timeout_ms\":3000}");

    assert_true(test_rv_has(ret.message, "took longer than 3000 ms"));
    assert_true(test_rv_has(ret.message, "it was told"));
}

static void given_quota(struct world *w)
{
    struct rv_result ret = { .size = sizeof(ret) };
    char config[600];

    w->driver->close(w->self);
    (void)snprintf(config, sizeof(config), "{\"quota\":1048576,%s", w->config + 1);
    assert_int_equal(w->driver->open(&w->t.host, test_rv(config), 1, &w->self, &ret), 0);
}

static int was_ended(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/log"), "reeve: ended, its files") != NULL;
}

/* However it hides what it has, it is ended for it. */
static const struct isolated_row hiding_rows[] = {
    { "a file that has no name any more counts",
      "exec 9>big; rm big; head -c 3000000 /dev/zero >&9; sleep 1000", NULL },
    { "a directory too deep to be counted counts",
      "for i in {1..300}; do mkdir d; cd d; done; sleep 1000", NULL },
    { "who stops its own group stops nobody who counts",
      "setsid bash -c ': > ready; head -c 3000000 /dev/zero > big; sleep 1000' & "
      "until test -e ready; do :; done; kill -STOP 0",
      NULL },
};

static void test_hiding(void **state)
{
    struct isolated *isolated = *state;
    struct world *w = &isolated->world;
    char desired[1024];

    given_quota(w);
    (void)snprintf(desired, sizeof(desired),
                   "{\"command\":[\"/bin/bash\",\"-c\",\"cd; %s\"],\"isolation\":\"namespace\"}",
                   isolated->row->script);
    assert_int_equal(drive(w, "instance", RV_CREATE, desired).verdict, RV_DONE);
    world_wait(w, was_ended, NULL, "it is ended");
}

static int is_held(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/log"), "refused") != NULL;
}

static int is_back(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/log"), "again") != NULL;
}

/* A little over: it may not write, goes on, and may when it has made room. */
static void test_a_little_over_its_quota_it_is_held(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;

    given_quota(w);
    assert_int_equal(
        drive(w, "instance", RV_CREATE,
              "{\"command\":[\"/bin/bash\",\"-c\",\"cd; head -c 1060000 /dev/zero > big; while "
              "echo x > f; do :; done 2>&-; echo refused; rm big; until echo x > f; do :; done "
              "2>&-; echo again; sleep 1000\"],\"isolation\":\"namespace\"}")
            .verdict,
        RV_DONE);
    world_wait(w, is_held, NULL, "it may not write");
    world_wait(w, is_back, NULL, "it may write again");
    assert_int_equal(world_state(w, OWNER, "restarts"), 0);
}

static int is_listening(struct world *w, void *ctx)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", OWNER, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    (void)ctx;
    w->driver->health(w->self, &w->t.host, &op, &ret);
    return ret.verdict == RV_DONE && test_rv_has(ret.observed, "\"listening\":true");
}

/* Our program that serves it lies where nothing else is seen. */
static void test_a_site_is_served(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;

    assert_int_equal(drive(w, "instance", RV_CREATE,
                           "{\"static\":{\"directory\":\".\"},\"port\":80,"
                           "\"isolation\":\"namespace\"}")
                         .verdict,
                     RV_DONE);
    world_wait(w, is_listening, NULL, "it listens");
}

static int has_begun(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/log"), "begun") != NULL;
}

/* How many processes of it rest. */
static int rests(struct world *w, void *ctx)
{
    AUTO_ARENA struct arena a;
    struct keeper_procs procs;
    int n = 0;

    arena_init(&a, 0);
    keeper_proc_family(&a, (pid_t)world_state(w, OWNER, "keeper"), &procs);
    for (size_t i = 0; i < procs.list.n; i++)
        n += procs.list.p[i].state == 'T';
    return n == *(int *)ctx;
}

/* What the launcher started is told by the init in there: signals of ours may not reach it. */
static void test_a_frozen_one_rests(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    int both = 2, none = 0;

    assert_int_equal(drive(w, "instance", RV_CREATE,
                           "{\"command\":[\"/bin/bash\",\"-c\",\"setsid sleep 1000 & echo begun; "
                           "wait\"],\"isolation\":\"namespace\"}")
                         .verdict,
                     RV_DONE);
    world_wait(w, has_begun, NULL, "it has begun");
    assert_int_equal(drive(w, "instance", RV_UPDATE, "{\"frozen\":true}").verdict, RV_DONE);
    world_wait(w, rests, &both, "both rest");
    assert_int_equal(drive(w, "instance", RV_UPDATE, "{\"frozen\":false}").verdict, RV_DONE);
    world_wait(w, rests, &none, "both run");
    assert_int_equal(world_state(w, OWNER, "restarts"), 0);
}

static int is_full(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/state"), "over the quota") != NULL;
}

static int may_write(struct world *w, void *ctx)
{
    return !is_full(w, ctx) && strstr(world_file(w, "run/" OWNER "/log"), "may write again");
}

/* Ended; started again without the right to write; with it again when it has made room. */
static void test_a_home_over_its_quota_is_not_written(void **state)
{
    struct world *w = &((struct isolated *)*state)->world;
    struct rv_result ret;
    char path[200];
    int go;

    given_quota(w);
    ret = drive(w, "instance", RV_CREATE,
                "{\"command\":[\"/bin/bash\",\"-c\",\"trap '' XFSZ; if test -e done; then echo may "
                "write again > said && cat said; elif test -e big; then echo x > small || echo "
                "refused; read < go; : > done; rm big; else mkfifo go; head -c 3000000 "
                "/dev/zero > big; fi; sleep 1000\"],\"isolation\":\"namespace\"}");
    assert_int_equal(ret.verdict, RV_DONE);
    world_wait(w, is_full, NULL, "it was started without the right to write");
    assert_true(world_state(w, OWNER, "restarts") >= 1);
    (void)snprintf(path, sizeof(path), "%s/run/" OWNER "/home/go", w->dir);
    go = open(path, O_WRONLY | O_CLOEXEC); /* a pipe: when it reads */
    assert_int_equal(write(go, "\n", 1), 1);
    close(go);
    world_wait(w, may_write, NULL, "it may write again");
    assert_non_null(strstr(world_file(w, "run/" OWNER "/log"), "refused"));
    assert_non_null(strstr(world_file(w, "run/" OWNER "/log"), "reeve: ended, its files"));
}

#define ISOLATED_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void add_rows(struct CMUnitTest *tests, size_t *n, const struct isolated_row *rows,
                     size_t n_rows, CMUnitTestFunction fn)
{
    for (size_t i = 0; i < n_rows; i++)
        tests[(*n)++] = (struct CMUnitTest){ .name = rows[i].sentence,
                                             .test_func = fn,
                                             .setup_func = setup,
                                             .teardown_func = teardown,
                                             .initial_state = (void *)(uintptr_t)&rows[i] };
}

int main(void)
{
    struct CMUnitTest tests[11 + N_ELEMENTS(isolated_rows) + N_ELEMENTS(hiding_rows)] = {
        ISOLATED_TEST(test_a_build_writes_its_tree_and_has_no_network),
        ISOLATED_TEST(test_a_build_that_may_has_the_network),
        ISOLATED_TEST(test_what_cannot_be_started_says_so),
        ISOLATED_TEST(test_it_dies_with_its_keeper),
        ISOLATED_TEST(test_its_probe_is_isolated_too),
        ISOLATED_TEST(test_no_abstract_socket_of_others),
        ISOLATED_TEST(test_its_stop_signal_is_handed_on),
        ISOLATED_TEST(test_a_little_over_its_quota_it_is_held),
        ISOLATED_TEST(test_a_frozen_one_rests),
        ISOLATED_TEST(test_a_site_is_served),
        ISOLATED_TEST(test_a_home_over_its_quota_is_not_written),
    };
    size_t n = 11;

    add_rows(tests, &n, isolated_rows, N_ELEMENTS(isolated_rows), test_row);
    add_rows(tests, &n, hiding_rows, N_ELEMENTS(hiding_rows), test_hiding);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
