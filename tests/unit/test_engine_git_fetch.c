/* engine: a mirror follows a repository of this machine. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#include <sys/file.h>
#include <sys/stat.h>

#include "base/guard.h"

#define FETCH "{'op':'fetch','mirror':'%s/mirror','branches':[%s]%s"

static const struct value *fetch(struct bench *b, const char *branches, const char *more)
{
    if (strstr(more, "'url'"))
        return ask(b, FETCH "}", b->dir, branches, more);
    return ask(b, FETCH ",'url':'file://%s/src'}", b->dir, branches, more, b->dir);
}

static void expect_head(const struct value *answer, const char *name, const char *commit)
{
    const struct value *head = value_get(value_get(answer, S("heads")), str_from_c(name));

    expect_ok(answer);
    if (!head)
        fail_msg("no head '%s'", name);
    expect_text(head, "commit", commit);
}

static void expect_gone(const struct value *answer, const char *names)
{
    const struct value *gone = value_get(answer, S("gone"));
    char got[256] = "";

    expect_ok(answer);
    for (size_t i = 0; i < value_count(gone); i++)
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", i ? " " : "",
                       STR_ARG(value_item(gone, i)->u.text));
    assert_string_equal(got, names);
}

static void test_a_mirror_is_made_and_follows(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second;
    const struct value *answer = fetch(b, "'main'", "");
    struct stat st;

    (void)state;
    expect_head(answer, "main", first);
    expect_text(value_at(answer, S("heads.main")), "tree",
                bench_run(b, GIT "-C src rev-parse HEAD^{tree}"));
    expect_gone(answer, "");
    assert_int_equal(stat(bench_path(b, "mirror"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    expect_head(fetch(b, "'main'", ""), "main", first); /* nothing new */
    second = given_commit(b, "run.sh", S("2\n"));
    expect_head(fetch(b, "'main'", ""), "main", second);
    expect_ok(ask(b, "{'op':'read','mirror':'%s/mirror','commit':'%s','spec_path':'.reeve'}",
                  b->dir, second));
    expect_ok(
        ask(b, "{'op':'log','mirror':'%s/mirror','from':'%s','to':'%s'}", b->dir, first, second));
    bench_close(b);
}

static void test_a_branch_that_vanished_is_told_and_its_commits_stay(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *tip;

    (void)state;
    bench_run(b, GIT "-C src checkout -q -b feature");
    tip = given_commit(b, "run.sh", S("2\n"));
    expect_head(fetch(b, "'main','feature'", ""), "feature", tip);
    bench_run(b, GIT "-C src checkout -q main && " GIT "-C src branch -qD feature");
    expect_gone(fetch(b, "'main','feature'", ""), "feature");
    expect_ok(
        ask(b, "{'op':'log','mirror':'%s/mirror','from':'%s','to':'%s'}", b->dir, first, tip));
    bench_close(b);
}

static void test_a_rewound_branch_is_no_descendant(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second;
    const struct value *answer;

    (void)state;
    second = given_commit(b, "run.sh", S("2\n"));
    expect_head(fetch(b, "'main'", ""), "main", second);
    bench_run(b, GIT "-C src reset -q --hard %s", first);
    expect_head(fetch(b, "'main'", ""), "main", first);
    answer = ask(b, "{'op':'ancestry','mirror':'%s/mirror','ancestor':'%s','descendant':'%s'}",
                 b->dir, second, first);
    expect_ok(answer);
    assert_false(value_get_bool(answer, S("is_descendant"), 1));
    bench_close(b);
}

static void test_names_with_a_star_and_tags(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b);
    const struct value *answer;

    (void)state;
    bench_run(b, GIT "-C src branch feature/a && " GIT "-C src branch feature/b && " GIT
                     "-C src branch fix && " GIT "-C src tag -a -m v1 v1");
    answer = fetch(b, "'feature/*','refs/tags/v*','none'", "");
    expect_head(answer, "feature/a", first);
    expect_head(answer, "feature/b", first);
    expect_head(answer, "refs/tags/v1", first); /* the commit, not the tag's object */
    assert_int_equal(value_count(value_get(answer, S("heads"))), 3);
    expect_gone(answer, "none");
    bench_close(b);
}

static void test_a_branch_may_become_a_directory(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b);

    (void)state;
    bench_run(b, GIT "-C src branch a");
    expect_head(fetch(b, "'*'", ""), "a", first);
    bench_run(b, GIT "-C src branch -qD a && " GIT "-C src branch a/b");
    expect_head(fetch(b, "'*'", ""), "a/b", first);
    bench_close(b);
}

static void test_fetches_that_fail(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *make, *branches, *more, *code, *text; } rows[] = {
        { "nothing there",       "rm -rf src", "'main'", "", "UNREACHABLE", "connect" },
        { "no commit yet",       "rm -rf src && " GIT "init -q src", "'main'", "",
                                 "UNREACHABLE", "no branch at all" },
        { "no repository",       "rm -rf src/.git", "'main'", "", "UNREACHABLE", "connect" },
        { "http://",             "true", "'main'", ",'url':'http://127.0.0.1/a'", "REFUSED", "http:// shows" },
        { "git://",              "true", "'main'", ",'url':'git://127.0.0.1/a'", "REFUSED", "git:// lets" },
        { "no name",             "true", "", "", "USAGE", "lacks 'branches'" },
        { "a tag of a tree",     GIT "-C src tag t HEAD^{tree}", "'refs/tags/t'", "",
                                 "UNREACHABLE", "'refs/tags/t' has no complete commit" },
        { "over its bytes",      "head -c 300000 /dev/urandom > src/big && " GIT "-C src add big && "
                                 GIT "-C src commit -qm big", "'main'", ",'max_bytes':200000",
                                 "LIMIT", "over its limit of 200000" },
        { "no time left",        "true", "'main'", ",'timeout_ms':0", "TIMEOUT", "deadline" },
        { "a link for a mirror", "echo > mirror", "'main'", "", "IO", "mirror" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct bench *b = bench_open();

        given_repository(b);
        bench_run(b, "%s", rows[i].make);
        expect_error(fetch(b, rows[i].branches, rows[i].more), rows[i].code, rows[i].text);
        bench_close(b);
    }
}

static void test_a_mirror_at_its_limit_keeps_what_it_has(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b);

    (void)state;
    expect_head(fetch(b, "'main'", ""), "main", first);
    bench_run(b, "head -c 300000 /dev/urandom > src/big && " GIT "-C src add big && " GIT
                 "-C src commit -qm big");
    expect_error(fetch(b, "'main'", ",'max_bytes':200000"), "LIMIT", "over its limit of 200000");
    expect_ok(ask(b, "{'op':'read','mirror':'%s/mirror','commit':'%s','spec_path':'.reeve'}",
                  b->dir, first));
    expect_ok(fetch(b, "'main'", ""));
    bench_close(b);
}

static void test_what_a_killed_fetch_left_is_removed(void **state)
{
    struct bench *b = bench_open();

    (void)state;
    given_repository(b);
    expect_ok(fetch(b, "'main'", ""));
    bench_run(b, "echo x > mirror/objects/pack/pack_git2_0123456789");
    expect_ok(fetch(b, "'main'", ""));
    assert_false(sys_exists(bench_path(b, "mirror/objects/pack/pack_git2_0123456789")));
    bench_run(b, "rm mirror/HEAD"); /* killed while it was made */
    expect_ok(fetch(b, "'main'", ""));
    bench_close(b);
}

static void test_a_lock_that_a_killed_fetch_left_is_no_obstacle(void **state)
{
    struct bench *b = bench_open();
    const char *second;

    (void)state;
    given_repository(b);
    expect_ok(fetch(b, "'main'", ""));
    bench_run(b,
              "for ref in %s/mirror/refs/reeve/*; do : >$ref.lock; done; : >%s/mirror/config.lock",
              b->dir, b->dir);
    second = given_commit(b, "run.sh", S("2\n"));
    expect_head(fetch(b, "'main'", ""), "main", second);
    bench_close(b);
}

static void test_one_fetch_at_a_time(void **state)
{
    struct bench *b = bench_open();
    struct err err = ERR_INIT;
    int fd = -1;

    (void)state;
    given_repository(b);
    expect_ok(fetch(b, "'main'", ""));
    assert_int_equal(sys_lock_file(bench_path(b, "mirror/reeve.lock"), S("another"), &fd, &err), 0);
    expect_error(fetch(b, "'main'", ""), "LOCKED", "another");
    (void)close(fd);
    expect_ok(fetch(b, "'main'", ""));
    bench_close(b);
}

static void test_the_configuration_of_a_user_has_no_say(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b);

    (void)state;
    bench_write(b, ".gitconfig", S("[url \"file:///nonexistent/\"]\n\tinsteadOf = file:///\n"));
    assert_int_equal(setenv("HOME", b->dir, 1), 0);
    expect_head(fetch(b, "'main'", ""), "main", first);
    bench_write(b, ".gitconfig", S("[no such line\n"));
    expect_head(fetch(b, "'main'", ""), "main", first);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mirror_is_made_and_follows),
        cmocka_unit_test(test_a_branch_that_vanished_is_told_and_its_commits_stay),
        cmocka_unit_test(test_a_rewound_branch_is_no_descendant),
        cmocka_unit_test(test_names_with_a_star_and_tags),
        cmocka_unit_test(test_a_branch_may_become_a_directory),
        cmocka_unit_test(test_fetches_that_fail),
        cmocka_unit_test(test_a_mirror_at_its_limit_keeps_what_it_has),
        cmocka_unit_test(test_what_a_killed_fetch_left_is_removed),
        cmocka_unit_test(test_a_lock_that_a_killed_fetch_left_is_no_obstacle),
        cmocka_unit_test(test_one_fetch_at_a_time),
        cmocka_unit_test(test_the_configuration_of_a_user_has_no_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
