/* Builds and releases: once per key, their end is kept. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "rv1bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define THIRD "rv1cccccccccccccccccccccccccc"
#define KEY "0123456789abcdef"

#define BUILD(script, more)                                                                        \
    "{\"key\":\"" KEY "\",\"argv\":[\"/bin/sh\",\"-c\",\"" script "\"],\"context\":\"app\"" more "}"
#define RELEASE(script) "{\"command\":[\"/bin/sh\",\"-c\",\"" script "\"],\"timeout_ms\":20000}"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    world_init(w, 1);
    world_write(w, "exports/" KEY "/app/in.txt", "source\n");
    world_write(w, "exports/" KEY "/other.txt", "x\n");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}

static struct rv_result drive(struct world *w, const char *type, uint32_t action, const char *owner,
                              const char *key, const char *desired)
{
    struct rv_op op = test_op(action, type, "x@k", owner, key, desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    return ret;
}

static struct rv_result look(struct world *w, const char *type, const char *owner,
                             const char *desired)
{
    struct rv_op op = test_op(RV_NONE, type, "x@k", owner, "", desired);
    struct rv_result ret = { .size = sizeof(ret) };

    w->driver->find_by_owner(w->self, &w->t.host, &op, &ret);
    return ret;
}

static void test_build_makes_a_sealed_tree(void **state)
{
    struct world *w = *state;
    const char *build = BUILD("tr a-z A-Z < in.txt > out.txt; mkdir d; ln -s ../out.txt d/l", "");
    struct rv_result ret = drive(w, "artifact", RV_CREATE, OWNER, "k1", build);
    struct stat st;
    char path[128];

    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.outputs, "\"digest\":\""));
    assert_string_equal(world_file(w, "artifacts/" KEY "/tree/app/out.txt"), "SOURCE\n");
    assert_non_null(strstr(world_file(w, "artifacts/" KEY "/manifest"), " - 7 app/out.txt\n"));
    assert_non_null(
        strstr(world_file(w, "artifacts/" KEY "/manifest"), "link app/d/l -> ../out.txt\n"));
    (void)snprintf(path, sizeof(path), "%s/artifacts/" KEY "/tree/app", w->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0222, 0);
    assert_false(world_has(w, "run/" OWNER "/scratch"));
    assert_string_equal(world_file(w, "exports/" KEY "/app/in.txt"), "source\n");

    assert_false(world_has(w, "run/" OWNER "/home"));

    assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k1", build).verdict, RV_DONE);
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 1);
    assert_true(test_rv_has(look(w, "artifact", OWNER, build).observed, "\"state\":\"built\""));
}

static void test_two_owners_share_a_tree(void **state)
{
    struct world *w = *state;
    const char *build = BUILD("cp in.txt out.txt", "");

    assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k1", build).verdict, RV_DONE);
    assert_int_equal(look(w, "artifact", OTHER, build).verdict, RV_ABSENT);
    assert_int_equal(drive(w, "artifact", RV_CREATE, OTHER, "k2", build).verdict, RV_DONE);
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 1);
    assert_int_equal(drive(w, "artifact", RV_DELETE, OWNER, "k3", "").verdict, RV_DONE);
    assert_true(world_has(w, "artifacts/" KEY "/tree/app/out.txt"));
    assert_int_equal(drive(w, "artifact", RV_DELETE, OTHER, "k4", "").verdict, RV_DONE);
    assert_false(world_has(w, "artifacts/" KEY));
    assert_int_equal(look(w, "artifact", OTHER, build).verdict, RV_ABSENT);
}

static void test_who_runs_in_the_tree_protects_it(void **state)
{
    struct world *w = *state;
    struct rv_result ret;

    (void)drive(w, "artifact", RV_CREATE, OWNER, "k1", BUILD("echo made > out.txt", ""));
    ret = drive(w, "release", RV_RUN, OTHER, "k2",
                "{\"artifact\":\"" KEY
                "\",\"context\":\"app\",\"command\":[\"grep\",\"made\",\"out.txt\"]}");
    assert_int_equal(ret.verdict, RV_DONE);
    ret = drive(w, "instance", RV_CREATE, THIRD, "k3",
                "{\"artifact\":\"" KEY "\",\"command\":[\"sleep\",\"600\"]}");
    assert_int_equal(ret.verdict, RV_DONE);
    ret = drive(w, "artifact", RV_DELETE, OWNER, "k4", "");
    assert_int_equal(ret.verdict, RV_WAIT);
    assert_true(test_rv_has(ret.message, "instance '" THIRD "' still uses"));
    assert_int_equal(drive(w, "instance", RV_DELETE, THIRD, "k5", "").verdict, RV_DONE);
    ret = drive(w, "artifact", RV_DELETE, OWNER, "k4", ""); /* the release has ended */
    assert_int_equal(ret.verdict, RV_DONE);
    assert_false(world_has(w, "artifacts/" KEY));
    assert_int_equal(look(w, "release", OTHER, "{}").verdict, RV_DONE);
}

struct failing_row {
    const char *sentence, *desired, *message;
};

static const struct failing_row failing_rows[] = {
    { "a failing build shows the end of its output",
      BUILD("echo first; echo it broke >&2; exit 4", ""), "build: exit 4\nfirst\nit broke" },
    { "a build over its time is stopped", BUILD("sleep 1000", ",\"timeout_ms\":100"),
      "build: took longer than 100 ms" },
    { "a build command that is missing is named",
      "{\"key\":\"" KEY "\",\"argv\":[\"no-such-tool\"]}",
      "command 'no-such-tool' does not exist" },
    { "a context outside of the source is refused",
      "{\"key\":\"" KEY "\",\"argv\":[\"true\"],\"context\":\"../..\"}", "leaves the source" },
    { "a key that is a path is refused", "{\"key\":\"../x\",\"argv\":[\"true\"]}", "needs a key" },
    { "output that is no text cannot spoil the message",
      BUILD("printf '\\\\377bad\\\\001'; exit 1", ""), "exit 1\n?bad?" },
};

static void test_build_fails(void **state)
{
    const struct failing_row *row = *state;
    struct rv_result ret;
    struct world *w;

    assert_int_equal(setup((void **)&w), 0);
    ret = drive(w, "artifact", RV_CREATE, OWNER, "k1", row->desired);
    assert_int_equal(ret.verdict, RV_USER);
    if (!test_rv_has(ret.message, row->message))
        assert_string_equal(ret.message.p, row->message);
    assert_false(world_has(w, "artifacts/" KEY));
    (void)teardown((void **)&w);
}

static void test_failed_build_is_repeated_by_a_new_key_only(void **state)
{
    struct world *w = *state;
    const char *build = BUILD("test -e /nonexistent && exit 0; exit 1", "");

    assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k1", build).verdict, RV_USER);
    assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k1", build).verdict, RV_USER);
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 1);
    assert_true(test_rv_has(look(w, "artifact", OWNER, build).observed, "\"state\":\"failed\""));
    assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k2", BUILD("true", "")).verdict,
                     RV_DONE);
}

/* Whatever comes of it: a repository that is built again and again fills no disk. */
static void test_what_a_build_was_made_of_goes(void **state)
{
    static const struct {
        const char *desired;
        enum rv_verdict verdict;
    } rows[] = {
        { BUILD("echo x > $HOME/cache; exit 3", ",\"export\":\".\""), RV_USER },
        { BUILD("echo x > $HOME/cache", ",\"export\":\".\""), RV_DONE },
        { "{\"key\":\"" KEY "\",\"argv\":[],\"export\":\".\"}", RV_DONE },
    };
    static const char *const gone[] = { "exports/" KEY, "run/" OWNER "/scratch",
                                        "run/" OWNER "/home" };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct world *w;

        assert_int_equal(setup((void **)&w), 0);
        assert_int_equal(drive(w, "artifact", RV_CREATE, OWNER, "k1", rows[i].desired).verdict,
                         rows[i].verdict);
        for (size_t j = 0; j < N_ELEMENTS(gone); j++)
            if (world_has(w, gone[j]))
                fail_msg("row %zu: '%s' is there", i, gone[j]);
        (void)teardown((void **)&w);
    }
}

static void test_nothing_to_run_is_a_copy(void **state)
{
    struct world *w = *state;
    struct rv_result ret = drive(w, "artifact", RV_CREATE, OWNER, "k1",
                                 "{\"key\":\"" KEY "\",\"argv\":[]}");

    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(world_has(w, "artifacts/" KEY "/tree/other.txt"));
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 0);
}

static void test_release_runs_once(void **state)
{
    struct world *w = *state;
    struct rv_result ret;
    const char *count;

    ret = drive(w, "release", RV_RUN, OWNER, "k1", RELEASE("echo ran >> ../log2"));
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.outputs, "\"exit\":0"));
    ret = drive(w, "release", RV_RUN, OWNER, "k1", RELEASE("echo ran >> ../log2"));
    assert_int_equal(ret.verdict, RV_DONE);
    count = world_file(w, "run/" OWNER "/log2");
    assert_string_equal(count, "ran\n");
    ret = drive(w, "release", RV_RUN, OTHER, "k1", RELEASE("echo broken; exit 9"));
    assert_int_equal(ret.verdict, RV_USER);
    assert_int_equal(ret.acted, RV_ACTED_YES);
    assert_true(test_rv_has(ret.outputs, "\"exit\":9"));
    assert_true(test_rv_has(ret.message, "release: exit 9\nbroken"));
}

/* The daemon died while it ran: the next one attaches, and learns the exit that was kept. */
/* Another key asks again, whatever the last one found. */
static void test_a_verification_runs_once_a_key(void **state)
{
    struct world *w = *state;
    struct rv_result ret = drive(w, "verify", RV_RUN, OWNER, "k1", RELEASE("echo no; exit 3"));

    assert_int_equal(ret.verdict, RV_USER);
    assert_true(test_rv_has(ret.message, "verify: exit 3\nno"));
    ret = drive(w, "verify", RV_RUN, OWNER, "k1", RELEASE("exit 0"));
    assert_int_equal(ret.verdict, RV_USER);
    ret = drive(w, "verify", RV_RUN, OWNER, "k2", RELEASE("exit 0"));
    assert_int_equal(ret.verdict, RV_DONE);
    assert_int_equal(drive(w, "verify", RV_DELETE, OWNER, "k3", "").verdict, RV_DONE);
    assert_int_equal(look(w, "verify", OWNER, "").verdict, RV_ABSENT);
}

static void test_release_outlives_who_asked(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_RUN, "release", "x@k", OWNER, "k1", RELEASE("sleep 0.2; exit 7"));
    struct rv_result ret = { .size = sizeof(ret) };

    w->driver->apply(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    test_host_forget(&w->t);
    ret = drive(w, "release", RV_RUN, OWNER, "k1", RELEASE("sleep 0.2; exit 7"));
    assert_int_equal(ret.verdict, RV_USER);
    assert_true(test_rv_has(ret.message, "exit 7"));
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 1);
}

static void test_release_whose_keeper_died_is_unknown(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_RUN, "release", "x@k", OWNER, "k1", RELEASE("sleep 1000"));
    struct rv_result ret = { .size = sizeof(ret) };
    pid_t keeper, pid;

    w->driver->apply(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    op.token = ret.token;
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    pid = (pid_t)world_state(w, OWNER, "pid");
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    world_wait(w, world_is_dead, &pid, "the release is dead");
    w->driver->resume(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_RETRY);
    assert_int_equal(ret.acted, RV_ACTED_MAYBE);
    assert_true(test_rv_has(look(w, "release", OWNER, "").observed, "\"state\":\"lost\""));
}

/* Its output holds NUL. */
static int log_says(struct world *w, const char *text)
{
    struct err err = ERR_INIT;
    struct str log;

    assert_int_equal(sys_read_file(&w->t.arena,
                                   str_fmt(&w->t.arena, "%s/run/" OWNER "/log", w->dir).p,
                                   16u << 20, &log, &err),
                     0);
    return str_find(log, str_from_c(text)) != STR_NPOS;
}

static void test_output_over_the_rate_is_lost_and_said(void **state)
{
    struct world *w = *state;
    struct rv_result ret = drive(w, "release", RV_RUN, OWNER, "k1",
                                 RELEASE("head -c 60000000 /dev/zero"));

    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(log_says(w, "bytes of output were lost"));
}

int main(void)
{
    static const CMUnitTestFunction plain[] = {
        test_build_makes_a_sealed_tree,
        test_two_owners_share_a_tree,
        test_who_runs_in_the_tree_protects_it,
        test_failed_build_is_repeated_by_a_new_key_only,
        test_what_a_build_was_made_of_goes,
        test_nothing_to_run_is_a_copy,
        test_release_runs_once,
        test_a_verification_runs_once_a_key,
        test_release_outlives_who_asked,
        test_release_whose_keeper_died_is_unknown,
        test_output_over_the_rate_is_lost_and_said,
    };
    static const char *const names[] = {
        "a build makes a sealed tree",
        "two owners share a tree",
        "who runs in a tree protects it",
        "a failed build is repeated by a new key only",
        "what a build was made of goes",
        "nothing to run is a copy",
        "a release runs once",
        "a verification runs once a key",
        "a release outlives who asked",
        "a release whose keeper died is unknown",
        "output over the rate is lost, and said",
    };
    struct CMUnitTest tests[N_ELEMENTS(plain) + N_ELEMENTS(failing_rows)];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(plain); i++)
        tests[n++] = (struct CMUnitTest){ names[i], plain[i], setup, teardown, NULL };
    for (size_t i = 0; i < N_ELEMENTS(failing_rows); i++)
        tests[n++] = (struct CMUnitTest){ failing_rows[i].sentence, test_build_fails, NULL, NULL,
                                          (void *)(uintptr_t)&failing_rows[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
