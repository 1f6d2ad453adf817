/* Secrets of builds: files while it runs, then nowhere. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY "0123456789abcdef"
#define VALUE "hunter2-very-secret"

/* Of both classes; `more` is what stands behind. */
#define BUILD(script, more)                                                                        \
    "{\"key\":\"" KEY "\",\"argv\":[\"/bin/bash\",\"-c\",\"" script "\"],\"context\":\".\","       \
    "\"secrets\":{\"npm_token\":{\"secret\":\"npm_token@1\"},"                                     \
    "\"other\":{\"secret\":\"other@7\"}}" more "}"
#define ISOLATED ",\"isolation\":\"namespace\""

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    world_init(w, 1);
    world_write(w, "exports/" KEY "/in.txt", "source\n");
    test_host_secret(&w->t, "npm_token@1", VALUE "\n");
    test_host_secret(&w->t, "other@7", "short");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}

/* Files below our directory that hold the value. */
static int lies_somewhere(struct world *w)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "grep -rqaF '" VALUE "' '%s'", w->dir);
    return !system(command); /* a path of our own */
}

static struct rv_result build(struct world *w, const char *key, const char *desired)
{
    struct rv_op op = test_op(RV_CREATE, "artifact", "x@k", OWNER, key, desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    world_skip_where_impossible(&ret);
    return ret;
}

/* --- what it sees -------------------------------------------------------------------------------- */

struct row {
    const char *sentence, *desired;
    const char *says; /* NULL: it is built; else how it fails */
};

#define SEES                                                                                       \
    "set -e; cd $REEVE_SECRETS; test $(cat npm_token) = hunter2-very-'secret'; "                   \
    "test $(cat other) = short; test $(stat -c %a npm_token) = 400; "                              \
    "test $(stat -c %u npm_token) = $(id -u); test $(ls | wc -l) = 2"

#define LONG "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" /* 64 */

static const struct row rows[] = {
    { "it sees each as a file of its own", BUILD(SEES, ""), NULL },
    { "behind walls too", BUILD(SEES, ISOLATED), NULL },
    { "where it cannot change them", BUILD("! echo x >> $REEVE_SECRETS/new", ISOLATED), NULL },
    { "they are in no variable", BUILD("! env | grep -q hunter2", ""), NULL },
    { "one that fails leaves nothing", BUILD("cat $REEVE_SECRETS/other; exit 3", ""),
      "build: exit 3\nshort" },
    { "nor does one that fails behind walls", BUILD("exit 3", ISOLATED), "build: exit 3" },
    { "one over its time leaves nothing", BUILD("sleep 1000", ",\"timeout_ms\":100"),
      "build: took longer than 100 ms" },
    { "one that cannot be started leaves nothing",
      "{\"key\":\"" KEY "\",\"argv\":[\"no-such-tool\"],\"secrets\":{\"npm_token\":{\"secret\":"
      "\"npm_token@1\"}}}",
      "command 'no-such-tool' does not exist" },
    { "what it prints is not kept", BUILD("cat $REEVE_SECRETS/npm_token; echo end", ""), NULL },
    { "a value in what it made is refused", BUILD("mkdir d; cp $REEVE_SECRETS/npm_token d/x", ""),
      "holds the value of secret 'npm_token': d/x" },
    { "behind walls too", BUILD("cp $REEVE_SECRETS/npm_token .npmrc", ISOLATED),
      "holds the value of secret 'npm_token': .npmrc" },
    { "and in the middle of a line that is longer than what is read at once",
      BUILD("(head -c 65530 /dev/zero; cat $REEVE_SECRETS/npm_token; echo x) > bundle.js", ""),
      "holds the value of secret 'npm_token': bundle.js" },
    { "and in a name, which is not told", BUILD("touch x-$(cat $REEVE_SECRETS/npm_token)-x", ""),
      "holds the value of secret 'npm_token': in a name" },
    { "and where a link leads to", BUILD("ln -s $(cat $REEVE_SECRETS/npm_token) link", ""),
      "holds the value of secret 'npm_token': link" },
    { "and deep down, of a long name",
      "{\"key\":\"" KEY "\",\"argv\":[\"/bin/bash\",\"-c\",\"n=$(printf %0255d 0); "
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do mkdir $n; cd $n; done; "
      "cp $REEVE_SECRETS/" LONG " $(printf %0150d 0)\"],\"secrets\":{\"" LONG
      "\":{\"secret\":\"npm_token@1\"}}}",
      "holds the value of secret '" LONG "': 0000" },
    { "what is larger than may be kept is not read",
      BUILD("cat $REEVE_SECRETS/npm_token; truncate -s 1T x", ""),
      "the artifact has more than 4294967296 bytes" },
    { "what is shorter than eight stands anywhere", BUILD("cp $REEVE_SECRETS/other x", ""), NULL },
    { "what its owner may not read is read",
      BUILD("mkdir d; echo x > d/f; chmod 000 d/f; chmod 000 d", ISOLATED), NULL },
    { "and searched",
      BUILD("mkdir d; cp $REEVE_SECRETS/npm_token d/f; chmod 000 d/f; chmod 000 d", ""), "d/f" },
    { "a name that is a path is none",
      "{\"key\":\"" KEY "\",\"argv\":[\"true\"],\"secrets\":{\"../x\":{\"secret\":\"other@7\"}}}",
      "'../x' is no name of a secret" },
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct rv_result ret;
    struct world *w;

    assert_int_equal(setup((void **)&w), 0);
    for (int i = 0; i < 2; i++) { /* asked again it is the same */
        ret = build(w, "k1", row->desired);
        assert_int_equal(ret.verdict, row->says ? RV_USER : RV_DONE);
        if (row->says && !test_rv_has(ret.message, row->says))
            assert_string_equal(ret.message.p, row->says);
        assert_false(test_rv_has(ret.message, VALUE));
    }
    assert_false(world_has(w, "run/" OWNER "/secrets"));
    assert_int_equal(world_has(w, "artifacts/" KEY), !row->says);
    assert_false(lies_somewhere(w));
    (void)teardown((void **)&w);
}

/* --- who dies meanwhile -------------------------------------------------------------------------- */

static void begin(struct world *w, struct rv_op *op, const char *desired)
{
    struct rv_result ret = { .size = sizeof(ret) };

    *op = test_op(RV_CREATE, "artifact", "x@k", OWNER, "k1", desired);
    w->driver->apply(w->self, &w->t.host, op, &ret);
    world_skip_where_impossible(&ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    op->token = ret.token;
    assert_true(lies_somewhere(w));
}

/* The daemon is not there any more, and asks nobody. */
static void test_they_go_with_the_build(void **state)
{
    struct world *w = *state;
    pid_t keeper;
    struct rv_op op;

    begin(w, &op, BUILD("sleep 1000", ""));
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    assert_int_equal(kill((pid_t)world_state(w, OWNER, "pid"), SIGKILL), 0);
    world_wait(w, world_is_dead, &keeper, "the keeper is gone");
    assert_false(world_has(w, "run/" OWNER "/secrets"));
    assert_false(lies_somewhere(w));
}

static int has_begun(struct world *w, void *unused)
{
    (void)unused;
    return world_has(w, "run/" OWNER "/home/left");
}

/* What is built again begins with nothing of before. */
static void test_they_go_when_its_keeper_is_killed(void **state)
{
    struct world *w = *state;
    struct rv_result ret = { .size = sizeof(ret) };
    pid_t keeper;
    struct rv_op op;

    begin(w, &op, BUILD("touch $HOME/left; sleep 1000", ISOLATED));
    world_wait(w, has_begun, NULL, "it has begun");
    keeper = (pid_t)world_state(w, OWNER, "keeper");
    assert_int_equal(kill(keeper, SIGKILL), 0);
    world_wait(w, world_is_dead, &keeper, "the keeper is dead");
    w->driver->resume(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_RETRY);
    assert_false(lies_somewhere(w));
    ret = build(w, "k1", BUILD("test ! -e $HOME/left || exit 9; " SEES, ISOLATED));
    assert_int_equal(ret.verdict, RV_DONE);
    assert_false(lies_somewhere(w));
}

/* A daemon that dies before there is a keeper leaves them to the next one that looks. */
static void test_what_was_left_goes_at_a_look(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_NONE, "artifact", "x@k", OWNER, "", "{}");
    struct rv_result ret = { .size = sizeof(ret) };

    assert_int_equal(build(w, "k1", BUILD("true", "")).verdict, RV_DONE);
    world_write(w, "run/" OWNER "/secrets/npm_token", VALUE);
    w->driver->find_by_owner(w->self, &w->t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_false(lies_somewhere(w));
}

/* --- what is asked again ------------------------------------------------------------------------- */

static void test_what_was_refused_stays_refused(void **state)
{
    struct world *w = *state;
    const char *leaks = BUILD("cp $REEVE_SECRETS/npm_token x", ",\"export\":\".\"");
    struct rv_op op = test_op(RV_NONE, "artifact", "x@k", OWNER, "", leaks);
    struct rv_result ret = { .size = sizeof(ret) };

    for (int i = 0; i < 2; i++) {
        assert_int_equal(build(w, "k1", leaks).verdict, RV_USER);
        assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 1);
        assert_false(lies_somewhere(w));
        assert_false(world_has(w, "exports/" KEY));
    }
    w->driver->find_by_owner(w->self, &w->t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"state\":\"failed\""));
    world_write(w, "exports/" KEY "/in.txt", "source\n");
    assert_int_equal(build(w, "k2", BUILD("true", "")).verdict, RV_DONE);
}

/* A failure is told with the end of the log, which the host hides it in. */
static void test_a_log_keeps_all_but_values(void **state)
{
    struct world *w = *state;
    const char *prints = BUILD("echo before; cat $REEVE_SECRETS/npm_token; echo behind; exit 3",
                               "");

    assert_int_equal(build(w, "k1", prints).verdict, RV_USER);
    assert_false(lies_somewhere(w));
    assert_string_equal(world_file(w, "run/" OWNER "/log"),
                        "before\n*******************\nbehind\n");
    assert_true(test_rv_has(build(w, "k1", prints).message, "build: exit 3\nbefore\n***"));
    test_host_fail(&w->t, TEST_HOST_SECRET, 1, RV_WAIT);
    assert_int_equal(build(w, "k1", prints).verdict, RV_USER);
    assert_false(world_has(w, "run/" OWNER "/log"));
}

/* Its file is turned when it is full, wherever it stands. */
static void test_a_value_is_cut_where_the_log_turns(void **state)
{
    struct world *w = *state;

    assert_int_equal(build(w, "k1",
                           BUILD("cd $HOME/..; printf 'a hunter2-ve' > log.1; "
                                 "printf 'ry-secret b' > log",
                                 ""))
                         .verdict,
                     RV_DONE);
    assert_string_equal(world_file(w, "run/" OWNER "/log.1"), "a **********");
    assert_string_equal(world_file(w, "run/" OWNER "/log"), "********* b");
}

static void test_what_is_no_log_is_removed(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        build(w, "k1", BUILD("mkfifo $HOME/../log.1; cat $REEVE_SECRETS/npm_token", "")).verdict,
        RV_DONE);
    assert_false(world_has(w, "run/" OWNER "/log.1"));
    assert_false(world_has(w, "run/" OWNER "/log"));
}

static void test_without_a_value_nothing_starts(void **state)
{
    struct world *w = *state;

    test_host_fail(&w->t, TEST_HOST_SECRET, 2, RV_WAIT);
    assert_int_equal(build(w, "k1", BUILD("true", "")).verdict, RV_WAIT);
    assert_int_equal(w->t.calls[TEST_HOST_SPAWN], 0);
    assert_false(lies_somewhere(w));
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction fn;
    } plain[] = {
        { "they go with the build", test_they_go_with_the_build },
        { "they go when its keeper is killed", test_they_go_when_its_keeper_is_killed },
        { "what was left goes at a look", test_what_was_left_goes_at_a_look },
        { "what was refused stays refused", test_what_was_refused_stays_refused },
        { "a log keeps all but values", test_a_log_keeps_all_but_values },
        { "a value is cut where the log turns", test_a_value_is_cut_where_the_log_turns },
        { "what is no log is removed", test_what_is_no_log_is_removed },
        { "without a value nothing starts", test_without_a_value_nothing_starts },
    };
    struct CMUnitTest tests[N_ELEMENTS(rows) + N_ELEMENTS(plain)];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[n++] = (struct CMUnitTest){ rows[i].sentence, test_row, NULL, NULL,
                                          (void *)(uintptr_t)&rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(plain); i++)
        tests[n++] = (struct CMUnitTest){ plain[i].name, plain[i].fn, setup, teardown, NULL };
    return _cmocka_run_group_tests("process: secrets", tests, n, NULL, NULL);
}
