/* What instances print: bounded, and kept for a while. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/test_driver_process_given.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        ROW(test_log_is_bounded),
        ROW(test_log_is_kept_as_asked),
        ROW(test_what_is_gone_is_kept_for_a_while),
#undef ROW
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
