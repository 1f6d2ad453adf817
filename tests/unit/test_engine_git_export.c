/* engine: what the git worker writes out, and what it says about histories. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"

#define EXPORT                                                                                     \
    "{'op':'export','mirror':'%s/src/.git','commit':'%s','spec_path':'.reeve','dest':'%s/out',"    \
    "'path':'%s'%s}"

static const struct value *export_commit(struct bench *b, const char *commit, const char *path,
                                         const char *more)
{
    return ask(b, EXPORT, b->dir, commit, b->dir, path, more);
}

static const char *given_tip(struct bench *b)
{
    bench_run(b, GIT "-C src add -A . && " GIT "-C src commit -q --allow-empty -m x");
    return bench_run(b, GIT "-C src rev-parse HEAD");
}

static void test_an_export_is_the_tree_without_the_specs(void **state)
{
    struct bench *b = bench_open();
    const struct value *answer;
    struct stat st;

    (void)state;
    given_repository(b);
    bench_run(
        b,
        "ln -s ../run.sh src/apps/run && ln -s api/./main.py src/apps/main && chmod 600 src/run.sh"
        " && chmod 700 src/run.sh");
    answer = export_commit(b, given_tip(b), ".", "");
    expect_ok(answer);
    assert_int_equal(value_get_int(answer, S("bytes"), 0), 9 + 10);
    bench_run(b, "cmp out/apps/api/main.py src/apps/api/main.py && cmp out/run.sh src/run.sh");
    bench_run(b, "test ! -e out/.reeve && test ! -e out/.git && test ! -e out.tmp");
    assert_string_equal(bench_run(b, "readlink out/apps/run"), "../run.sh");
    assert_int_equal(stat(bench_path(b, "out/run.sh"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(bench_path(b, "out/apps/api/main.py"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(stat(bench_path(b, "out/apps"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    bench_close(b);
}

static void test_a_part_can_be_exported(void **state)
{
    struct bench *b = bench_open();
    const char *commit = given_repository(b);

    (void)state;
    expect_ok(export_commit(b, commit, "apps/api", ""));
    assert_string_equal(bench_run(b, "ls -A out | tr '\\n' ' '"), "main.py ");
    expect_error(export_commit(b, commit, "apps/api", ""), "CONFLICT", "exists");
    bench_close(b);
}

static void test_what_a_killed_export_left_is_replaced(void **state)
{
    struct bench *b = bench_open();
    const char *commit = given_repository(b);

    (void)state;
    bench_run(b, "mkdir -p out.tmp/apps && echo old > out.tmp/old && ln -s /etc out.tmp/etc");
    expect_ok(export_commit(b, commit, ".", ""));
    bench_run(b, "test ! -e out/old && test ! -e out/etc && test -e /etc/passwd");
    bench_close(b);
}

/* Two services that are built of the same tree ask at the same time. */
static void test_exports_to_one_place_do_not_meet(void **state)
{
    struct bench *b = bench_open();
    const char *commit = given_repository(b);
    pid_t pids[4];
    int status;

    (void)state;
    for (int round = 0; round < 10; round++) {
        bench_run(b, "rm -rf out");
        for (size_t i = 0; i < N_ELEMENTS(pids); i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                const struct value *answer = export_commit(b, commit, ".", "");
                struct str code = value_get_text(value_get(answer, S("error")), S("code"), S(""));

                _exit(code.n && !str_eq_c(code, "CONFLICT"));
            }
        }
        for (size_t i = 0; i < N_ELEMENTS(pids); i++) {
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        bench_run(b, "test -e out/run.sh && test -e out/apps/api/main.py && test ! -e out.tmp");
    }
    bench_close(b);
}

static void test_exports_that_are_refused_leave_nothing(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *make, *path, *more, *code, *text; } rows[] = {
        { "an absolute link",        "ln -s /etc/passwd src/l", ".", "", "INVALID", "'l' may lead out" },
        { "a link above the root",   "ln -s ../../x src/apps/l", ".", "", "INVALID", "'apps/l' may lead out" },
        { "a link out of the part",  "ln -s ../../run.sh src/apps/api/l", "apps", "", "INVALID", "'api/l' may lead out" },
        { "down and up again",       "ln -s api/../../.. src/apps/l", ".", "", "INVALID", "'apps/l' may lead out" },
        { "up behind a name, which may be a link", "ln -s api/../api src/apps/l", ".", "", "INVALID", "'apps/l' may lead out" },
        { "a submodule",             GIT "init -q src/sub && " GIT "-C src/sub commit -q --allow-empty -m x",
                                     ".", "", "INVALID", "'sub' is a submodule" },
        { "one byte too many",       "true", ".", ",'limit_bytes':18", "LIMIT", "over its 18 bytes" },
        { "one entry too many",      "true", ".", ",'limit_files':4", "LIMIT", "limit of 4" },
        { "a path that is no tree",  "true", "run.sh", "", "INVALID", "'run.sh' is a file" },
        { "a path that is not there", "true", "none", "", "NOT_FOUND", "has no 'none'" },
        { "a path that is a way out", "true", "apps/../..", "", "USAGE", "another directory" },
    };
    /* clang-format on */
    struct bench *b = bench_open();

    (void)state;
    given_repository(b);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        bench_run(b, GIT "-C src checkout -q -B row main && " GIT "-C src clean -dffq && %s",
                  rows[i].make);
        expect_error(export_commit(b, given_tip(b), rows[i].path, rows[i].more), rows[i].code,
                     rows[i].text);
        bench_run(b, "test ! -e out && test ! -e out.tmp");
    }
    bench_close(b);
}

static void test_limits_hold_what_they_name(void **state)
{
    struct bench *b = bench_open();
    const char *commit = given_repository(b);

    (void)state;
    expect_ok(export_commit(b, commit, ".", ",'limit_bytes':19,'limit_files':5"));
    bench_close(b);
}

static int ask_ancestry(struct bench *b, const char *ancestor, const char *descendant)
{
    const struct value *answer = ask(
        b, "{'op':'ancestry','mirror':'%s/src/.git','ancestor':'%s','descendant':'%s'}", b->dir,
        ancestor, descendant);

    expect_ok(answer);
    return value_get_bool(answer, S("is_descendant"), -1);
}

static void test_ancestry_tells_rewound_from_ahead(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second, *other;

    (void)state;
    second = given_commit(b, "run.sh", S("2\n"));
    bench_run(b, GIT "-C src checkout -q -b other %s", first);
    other = given_commit(b, "run.sh", S("3\n"));
    assert_int_equal(ask_ancestry(b, first, second), 1);
    assert_int_equal(ask_ancestry(b, second, second), 1);
    assert_int_equal(ask_ancestry(b, second, first), 0);
    assert_int_equal(ask_ancestry(b, second, other), 0);
    assert_int_equal(ask_ancestry(b, "1111111111111111111111111111111111111111", other), 0);
    expect_error(ask(b,
                     "{'op':'ancestry','mirror':'%s/src/.git','ancestor':'%s',"
                     "'descendant':'1111111111111111111111111111111111111111'}",
                     b->dir, first),
                 "NOT_FOUND", "has no commit");
    bench_close(b);
}

static void test_log_lists_what_is_new(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second, *third;
    const struct value *answer, *commits;

    (void)state;
    second = given_commit(b, "run.sh", S("2\n"));
    bench_write(b, "src/run.sh", S("3\n"));
    bench_run(
        b, GIT
        "-C src -c i18n.commitEncoding=ISO-8859-1 commit -qam \"$(printf 'caf\\351 \\033[31m')\"");
    third = bench_run(b, GIT "-C src rev-parse HEAD");
    answer = ask(b, "{'op':'log','mirror':'%s/src/.git','from':'%s','to':'%s','limit':10}", b->dir,
                 first, third);
    expect_ok(answer);
    commits = value_get(answer, S("commits"));
    assert_int_equal(value_count(commits), 2);
    expect_text(value_item(commits, 0), "id", third);
    expect_text(value_item(commits, 0), "summary", "caf\xef\xbf\xbd \x1b[31m");
    expect_text(value_item(commits, 1), "id", second);
    assert_false(value_get_bool(answer, S("truncated"), 1));
    answer = ask(b, "{'op':'log','mirror':'%s/src/.git','to':'%s','limit':2}", b->dir, third);
    assert_int_equal(value_count(value_get(answer, S("commits"))), 2);
    assert_true(value_get_bool(answer, S("truncated"), 0));
    bench_close(b);
}

static void test_who_else_made_a_commit_is_told(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second;
    const struct value *answer, *mails;

    (void)state;
    bench_write(b, "src/run.sh", S("2\n"));
    bench_run(b,
              GIT "-C src commit -qam \"$(printf 'words\\n\\nco-authored-by: Ann <ann@acme.test>\\n"
                  "Co-Authored-By: nobody\\nReviewed-by: Eve <eve@acme.test>')\"");
    second = bench_run(b, GIT "-C src rev-parse HEAD");
    answer = ask(b, "{'op':'log','mirror':'%s/src/.git','from':'%s','to':'%s'}", b->dir, first,
                 second);
    expect_ok(answer);
    mails = value_get(value_item(value_get(answer, S("commits")), 0), S("co_authors"));
    assert_int_equal(value_count(mails), 2);
    assert_true(str_eq_c(value_item(mails, 0)->u.text, "ann@acme.test"));
    assert_true(str_eq_c(value_item(mails, 1)->u.text, "nobody"));
    bench_close(b);
}

static void test_requests_that_are_no_requests(void **state)
{
    struct bench *b = bench_open();

    (void)state;
    expect_error(ask(b, "{'op':'push'}"), "USAGE", "knows no 'push'");
    expect_error(ask(b, "{"), "INVALID", "json");
    expect_error(ask(b, "[]"), "USAGE", "knows no ''");
    expect_error(ask(b, "{'op':'read','commit':'x'}"), "USAGE", "lacks 'mirror'");
    expect_error(ask(b, "{'op':'read','commit':'x','mirror':'m'}"), "USAGE", "absolute");
    expect_error(ask(b, "{'op':'log','to':'x','mirror':'%s/none'}", b->dir), "NOT_FOUND",
                 "no mirror");
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_export_is_the_tree_without_the_specs),
        cmocka_unit_test(test_a_part_can_be_exported),
        cmocka_unit_test(test_what_a_killed_export_left_is_replaced),
        cmocka_unit_test(test_exports_to_one_place_do_not_meet),
        cmocka_unit_test(test_exports_that_are_refused_leave_nothing),
        cmocka_unit_test(test_limits_hold_what_they_name),
        cmocka_unit_test(test_ancestry_tells_rewound_from_ahead),
        cmocka_unit_test(test_log_lists_what_is_new),
        cmocka_unit_test(test_who_else_made_a_commit_is_told),
        cmocka_unit_test(test_requests_that_are_no_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
