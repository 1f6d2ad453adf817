/* engine: heads of a history, appended to a repository that git itself made. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#define AT_MS "1790000000000" /* 2026-09-21 14:13:20 */
#define FILE_THEN "inst/2026/09/21/14"

static int open_bench(void **state)
{
    struct bench *b = bench_open();

    bench_run(b, GIT "init -q --bare place");
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    bench_close(*state);
    return 0;
}

static const struct value *look(struct bench *b, const char *known)
{
    return ask(b,
               "{'op':'anchor_read','mirror':'%s/mirror','url':'file://%s/place','branch':'main',"
               "'folder':'inst','known':'%s'}",
               b->dir, b->dir, known);
}

static const struct value *push(struct bench *b, const char *tip, const char *line,
                                const char *time_ms)
{
    return ask(b,
               "{'op':'anchor_push','mirror':'%s/mirror','url':'file://%s/place','branch':'main',"
               "'folder':'inst','tip':'%s','line':'%s','time_ms':%s}",
               b->dir, b->dir, tip, line, time_ms);
}

/* What git says the branch is. */
static const char *there(struct bench *b)
{
    return bench_run(b, GIT "-C place rev-parse main");
}

static const char *push_one(struct bench *b, const char *tip, const char *line)
{
    const struct value *answer = push(b, tip, line, AT_MS);

    expect_ok(answer);
    expect_text(answer, "commit", there(b));
    return str_to_c(&b->a, value_get_text(answer, S("commit"), S("")));
}

static void test_lines_are_appended(void **state)
{
    struct bench *b = *state;
    const struct value *answer = look(b, "");
    const char *first, *second;

    expect_ok(answer);
    assert_null(value_get(answer, S("tip")));
    first = push_one(b, "", "one");
    second = push_one(b, first, "two");
    answer = look(b, second);
    expect_ok(answer);
    expect_text(answer, "tip", second);
    expect_text(answer, "file", FILE_THEN);
    expect_text(answer, "text", "one\ntwo\n");
    assert_string_equal(bench_run(b, GIT "-C place log --format=%%s main | tr '\\n' ' '"),
                        "two one ");
    assert_string_equal(bench_run(b, GIT "-C place show main:" FILE_THEN " | tr '\\n' ' '"),
                        "one two ");
    bench_run(b, "test -z \"$(" GIT "-C place for-each-ref refs/reeve)\"");
    bench_run(b, "rm -rf mirror"); /* nothing is lost with it */
    expect_text(look(b, first), "tip", second);
}

static void test_another_hour_is_another_file(void **state)
{
    struct bench *b = *state;
    const char *first = push_one(b, "", "one"), *next;
    const struct value *answer = push(b, first, "later", "1790003600000");

    expect_ok(answer);
    next = str_to_c(&b->a, value_get_text(answer, S("commit"), S("")));
    expect_text(look(b, ""), "file", "inst/2026/09/21/15");
    expect_text(look(b, ""), "text", "later\n");
    /* a clock that went back: never before the last one */
    expect_ok(push(b, next, "back", AT_MS));
    expect_text(look(b, ""), "file", "inst/2026/09/21/15");
    expect_text(look(b, ""), "text", "later\nback\n");
}

static void test_a_branch_that_moved_is_not_overwritten(void **state)
{
    struct bench *b = *state;
    const char *first = push_one(b, "", "one"), *foreign;

    bench_run(b, GIT "clone -q place other && " GIT "-C other checkout -q main");
    bench_run(b,
              "mkdir -p other/else && echo theirs >other/else/file && " GIT "-C other add . && " GIT
              "-C other commit -qm theirs && " GIT "-C other push -q origin main");
    foreign = there(b);
    expect_error(push(b, first, "two", AT_MS), "STALE", "moved meanwhile");
    expect_error(push(b, "", "two", AT_MS), "STALE", "moved meanwhile");
    assert_string_equal(there(b), foreign);
    /* it only went on: ours goes on from there, and theirs stays */
    expect_text(look(b, first), "tip", foreign);
    expect_text(look(b, first), "text", "one\n");
    (void)push_one(b, foreign, "two");
    assert_string_equal(bench_run(b, GIT "-C place show main:else/file"), "theirs");
}

static void test_a_branch_that_was_rewritten_is_told(void **state)
{
    struct bench *b = *state;
    const char *first = push_one(b, "", "one"), *second = push_one(b, first, "two");

    bench_run(b, GIT "-C place update-ref refs/heads/main %s", first);
    expect_error(look(b, second), "CONFLICT", "was rewritten");
    expect_error(push(b, second, "three", AT_MS), "STALE", "moved meanwhile");
    bench_run(b, "rm -rf mirror");
    expect_error(look(b, second), "CONFLICT", "was rewritten");
    bench_run(b, GIT "-C place update-ref -d refs/heads/main");
    expect_error(look(b, second), "CONFLICT", "was rewritten");
    expect_error(look(b, "0000"), "CONFLICT", "was rewritten");
}

static void test_what_is_no_file_of_anchors(void **state)
{
    struct bench *b = *state;

    bench_run(b, GIT
              "clone -q place other && " GIT "-C other checkout -q -b main && ln -s /etc/passwd "
              "other/inst && " GIT "-C other add . && " GIT "-C other commit -qm link && " GIT
              "-C other push -q origin main");
    expect_error(look(b, ""), "INVALID", "symbolic link");
    expect_error(push(b, there(b), "one", AT_MS), "INVALID", "symbolic link");
    bench_run(b, "rm other/inst && mkdir -p other/inst/2026/09/21/14/deep && touch "
                 "other/inst/2026/09/21/14/deep/file && " GIT "-C other add . && " GIT
                 "-C other commit -qm deep && " GIT "-C other push -q origin main");
    expect_error(look(b, ""), "CONFLICT", "is no file of anchors");
}

static void test_requests_that_say_nothing(void **state)
{
    struct bench *b = *state;

    expect_error(push(b, "", "", AT_MS), "USAGE", "'line'");
    expect_error(push(b, "", "a\\nb", AT_MS), "USAGE", "is no line");
    expect_error(ask(b,
                     "{'op':'anchor_read','mirror':'%s/m','url':'file://%s/place','branch':'a..b',"
                     "'folder':'inst'}",
                     b->dir, b->dir),
                 "USAGE", "is no name");
    expect_error(ask(b,
                     "{'op':'anchor_read','mirror':'%s/m','url':'file://%s/place','branch':'main',"
                     "'folder':'../x'}",
                     b->dir, b->dir),
                 "USAGE", "is no name");
    expect_error(ask(b,
                     "{'op':'anchor_read','mirror':'%s/m','url':'http://x/y','branch':'main',"
                     "'folder':'inst'}",
                     b->dir),
                 "REFUSED", "use https://");
    expect_error(
        ask(b,
            "{'op':'anchor_read','mirror':'%s/m','url':'file://%s/nowhere','branch':'main',"
            "'folder':'inst'}",
            b->dir, b->dir),
        "UNREACHABLE", "connect");
    assert_null(value_get(look(b, ""), S("tip")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_are_appended, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_another_hour_is_another_file, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_branch_that_moved_is_not_overwritten, open_bench,
                                        close_bench),
        cmocka_unit_test_setup_teardown(test_a_branch_that_was_rewritten_is_told, open_bench,
                                        close_bench),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_of_anchors, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_requests_that_say_nothing, open_bench, close_bench),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
