/* engine: how far the two files of an output were read, whatever becomes of them. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "reconciler/engine/drain_file.h"

struct world {
    char base[64], run[96], gone[96];
    struct drain_place place;
    struct drain_mark mark;
    struct arena a;
};

static void path_of(const struct world *w, const char *dir, const char *name, char *ret, size_t n)
{
    (void)w;
    assert_true(snprintf(ret, n, "%s/%s", dir, name) < (int)n);
}

static int given_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    (void)snprintf(w->base, sizeof(w->base), "/tmp/test_drain_file.XXXXXX");
    assert_non_null(mkdtemp(w->base));
    (void)snprintf(w->run, sizeof(w->run), "%s/run", w->base);
    (void)snprintf(w->gone, sizeof(w->gone), "%s/gone", w->base);
    assert_int_equal(mkdir(w->run, 0700), 0);
    w->place = (struct drain_place){ w->run, w->gone };
    arena_init(&w->a, 0);
    *state = w;
    return 0;
}

static int end_world(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;

    assert_int_equal(sys_remove_all(w->base, &err), 0);
    arena_fini(&w->a);
    free(w);
    return 0;
}

static void given_text(const struct world *w, const char *text)
{
    char path[128];
    FILE *f;

    path_of(w, w->run, "log", path, sizeof(path));
    f = fopen(path, "a");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* As a keeper does it. */
static void given_turn(const struct world *w)
{
    char from[128], to[128];

    path_of(w, w->run, "log", from, sizeof(from));
    path_of(w, w->run, "log.1", to, sizeof(to));
    assert_int_equal(rename(from, to), 0);
}

/* As the driver does it. */
static void given_end(const struct world *w)
{
    struct err err = ERR_INIT;
    char from[128], to[128];

    assert_int_equal(mkdir(w->gone, 0700), 0);
    path_of(w, w->run, "log", from, sizeof(from));
    path_of(w, w->gone, "log", to, sizeof(to));
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(sys_remove_all(w->run, &err), 0);
}

static void expect_read(struct world *w, const char *want)
{
    struct drain_read r;

    (void)drain_file_look(&w->place, &w->mark);
    drain_file_read(&w->place, &w->mark.at, &w->a, &r);
    assert_int_equal(r.text.n, strlen(want));
    assert_memory_equal(r.text.p ? r.text.p : "", want, r.text.n);
    for (size_t i = 0; i < r.text.n; i++)
        w->mark.waiting -= r.text.p[i] == '\n';
    w->mark.at = drain_file_after(&r);
}

static void test_whole_lines_once(void **state)
{
    struct world *w = *state;

    expect_read(w, "");
    given_text(w, "one\ntw");
    expect_read(w, "one\n");
    expect_read(w, "");
    given_text(w, "o\nthree\n");
    expect_read(w, "two\nthree\n");
    assert_false(drain_file_look(&w->place, &w->mark));
    assert_int_equal(w->mark.waiting, 0);
    assert_int_equal(w->mark.lost, 0);
}

static void test_a_line_over_both_files(void **state)
{
    struct world *w = *state;

    given_text(w, "one\nhalf ");
    expect_read(w, "one\n");
    given_turn(w);
    expect_read(w, "");
    given_text(w, "line\ntwo\n");
    expect_read(w, "half line\ntwo\n");
    given_text(w, "three\n");
    expect_read(w, "three\n");
    assert_int_equal(w->mark.lost, 0);
}

static void test_what_went_before_it_was_read_is_counted(void **state)
{
    struct world *w = *state;

    given_text(w, "one\n");
    expect_read(w, "one\n");
    given_text(w, "two\nthree\n");
    assert_true(drain_file_look(&w->place, &w->mark));
    given_turn(w);
    given_text(w, "four\n");
    assert_true(drain_file_look(&w->place, &w->mark));
    assert_int_equal(w->mark.waiting, 3);
    assert_int_equal(w->mark.lost, 0);
    given_turn(w); /* two and three are gone now */
    given_text(w, "five\n");
    assert_true(drain_file_look(&w->place, &w->mark));
    assert_int_equal(w->mark.lost, 2);
    assert_int_equal(w->mark.waiting, 2);
    expect_read(w, "four\nfive\n");
}

/* Nobody saw what stood there: one line at least. */
static void test_a_gap_that_nobody_saw(void **state)
{
    struct world *w = *state;

    given_text(w, "one\n");
    expect_read(w, "one\n");
    for (int i = 0; i < 3; i++) {
        given_turn(w);
        given_text(w, "more\n");
    }
    assert_true(drain_file_look(&w->place, &w->mark));
    assert_int_equal(w->mark.lost, 1);
    expect_read(w, "more\nmore\n");
}

/* A file that is made anew may have the number of the one that went. */
static void test_a_new_file_is_not_the_old_one(void **state)
{
    struct world *w = *state;
    char path[128];

    given_text(w, "one\ntwo\n");
    expect_read(w, "one\ntwo\n");
    path_of(w, w->run, "log", path, sizeof(path));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(unlink(path), 0);
        given_text(w, "a line that is longer than those before\n");
        expect_read(w, "a line that is longer than those before\n");
    }
}

static void test_the_end_of_an_instance(void **state)
{
    struct world *w = *state;

    given_text(w, "one\n");
    expect_read(w, "one\n");
    given_text(w, "two\nlast words");
    assert_true(drain_file_look(&w->place, &w->mark));
    given_end(w);
    expect_read(w, "two\n");
    expect_read(w, "last words"); /* nobody will end this line */
    expect_read(w, "");
    assert_false(drain_file_look(&w->place, &w->mark));
    assert_int_equal(w->mark.lost, 0);
}

/* Its begin is read, what comes after it is the next line. */
static void test_a_line_without_end(void **state)
{
    struct world *w = *state;
    static char text[2 * DRAIN_READ_MAX + 100];
    struct drain_read r;

    memset(text, 'x', sizeof(text) - 1);
    given_text(w, text);
    assert_true(drain_file_look(&w->place, &w->mark));
    for (int i = 0; i < 2; i++) {
        drain_file_read(&w->place, &w->mark.at, &w->a, &r);
        assert_int_equal(r.text.n, DRAIN_READ_MAX);
        assert_true(r.is_part);
        assert_int_equal(r.was_skipping, i);
        w->mark.at = drain_file_after(&r);
    }
    given_text(w, "\nnext\n");
    (void)drain_file_look(&w->place, &w->mark);
    drain_file_read(&w->place, &w->mark.at, &w->a, &r);
    assert_true(r.was_skipping);
    assert_false(r.is_part);
    assert_true(str_ends(r.text, S("x\nnext\n")));
    w->mark.at = drain_file_after(&r);
    assert_false(w->mark.at.skips);
}

/* Somebody else's file in its place is not read. */
static void test_a_link_is_no_log(void **state)
{
    struct world *w = *state;
    char path[128];

    path_of(w, w->run, "log", path, sizeof(path));
    assert_int_equal(symlink("/etc/passwd", path), 0);
    expect_read(w, "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_read(w, ""); /* and does not wait for a writer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_lines_once, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_a_line_over_both_files, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_what_went_before_it_was_read_is_counted, given_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(test_a_gap_that_nobody_saw, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_a_new_file_is_not_the_old_one, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_the_end_of_an_instance, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_a_line_without_end, given_world, end_world),
        cmocka_unit_test_setup_teardown(test_a_link_is_no_log, given_world, end_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
