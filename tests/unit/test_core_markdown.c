/* core/markdown: what came from outside never leaves its code span. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/markdown.h"
#include "tests/unit/test_core_given.h"

static const struct {
    const char *sentence, *in, *out;
} rows[] = {
    { "plain text", "v2", "` v2 `" },
    { "nothing", "", "(empty)" },
    { "a mention", "@all", "` @all `" },
    { "a link", "[x](https://evil.test)", "` [x](https://evil.test) `" },
    { "a picture", "![x](https://evil.test/p.png)", "` ![x](https://evil.test/p.png) `" },
    { "an address", "https://evil.test", "` https://evil.test `" },
    { "an issue", "closes #1", "` closes #1 `" },
    { "HTML", "<img src=x onerror=alert(1)>", "` <img src=x onerror=alert(1)> `" },
    { "a comment of HTML", "<!-- hidden -->", "` <!-- hidden --> `" },
    { "an entity", "&lt;b&gt;", "` &lt;b&gt; `" },
    { "a heading on a line of its own", "x\n# approved", "` x\\u{a}# approved `" },
    { "the end of the paragraph", "x\r\n\r\n---", "` x\\u{d}\\u{a}\\u{d}\\u{a}--- `" },
    { "a fence", "```", "```` ``` ````" },
    { "the fence of its own span", "x` @all `y", "`` x` @all `y ``" },
    { "runs of several lengths", "` `` ```` ```", "````` ` `` ```` ``` `````" },
    { "the longest run that a fence goes around", "````````````````",
      "````````````````` ```````````````` `````````````````" },
    { "a run that is longer than fences are", "````````````````` @all",
      "` "
      "\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}\\u{60}"
      "\\u{60}\\u{60}\\u{60}\\u{60} @all `" },
    { "a backtick at its end", "x`", "`` x` ``" },
    { "blanks", "  ", "`    `" },
    { "a backslash before the fence", "x\\", "` x\\ `" },
    { "a table", "a | b", "` a | b `" },
    { "a terminal's escape", "\033[2J", "` \\u{1b}[2J `" },
    { "a line turned around",
      "a\xe2\x80\xae"
      "b",
      "` a\\u{202e}b `" },
    { "a blank nobody sees",
      "a\xe2\x80\x8b"
      "b",
      "` a\\u{200b}b `" },
    { "no UTF-8", "a\xff", "` a\\x{ff} `" },
};

static void test_a_value_is_one_span(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct sb b;

        arena_init(&a, 0);
        sb_init(&b, &a);
        markdown_foreign(&b, str_from_c(rows[i].in));
        if (!str_eq_c(sb_str(&b), rows[i].out))
            fail_msg("%s: '%s'", rows[i].sentence, sb_str(&b).p);
    }
}

static void test_a_long_value_is_cut_at_a_character(void **state)
{
    char text[MARKDOWN_VALUE_MAX + 100];
    AUTO_ARENA struct arena a;
    struct sb b;

    (void)state;
    arena_init(&a, 0);
    sb_init(&b, &a);
    memset(text, 'x', sizeof(text));
    memcpy(text + MARKDOWN_VALUE_MAX - 1, "\xe6\x97\xa5", 3);
    markdown_foreign(&b, (struct str){ text, sizeof(text) });
    assert_true(str_ends(sb_str(&b), S("x ` and 101 bytes more")));
}

/* What is left of it without its code spans, as CommonMark ends them. */
static struct str without_spans(struct arena *a, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n;) {
        size_t n_open = 0, end = STR_NPOS;

        while (i + n_open < text.n && text.p[i + n_open] == '`')
            n_open++;
        assert_true(n_open <= 80); /* or cmark and comrak see none */
        for (size_t j = i + n_open; n_open && j < text.n && end == STR_NPOS;) {
            size_t n = 0;

            while (j + n < text.n && text.p[j + n] == '`')
                n++;
            if (n == n_open)
                end = j + n;
            j += n ? n : 1;
        }
        if (end == STR_NPOS) {
            sb_add(&b, str_slice(text, i, n_open ? n_open : 1));
            i += n_open ? n_open : 1;
        } else {
            sb_add_c(&b, "SPAN");
            i = end;
        }
    }
    return sb_str(&b);
}

static struct str given_comment(struct arena *a, struct str foreign, size_t n_lines)
{
    struct value *about = value_map(a), *target = value_map(a), *commits = value_list(a);
    struct value *commit = value_map(a);
    struct plan plan = { .env_uid = foreign };
    struct sb b;

    value_set_text(a, commit, S("commit"), foreign);
    value_set_text(a, commit, S("summary"), foreign);
    value_add(a, commits, commit);
    value_set(a, target, S("commits"), commits);
    value_set(a, about, S("target"), target);
    value_set_text(a, about, S("environment"), foreign);
    value_set_text(a, about, S("reason"), foreign);
    value_set_text(a, about, S("state"), foreign);
    for (size_t i = 0; i < 20; i++) {
        *(struct str *)vec_push(a, &plan.notes) = foreign;
        *(struct str *)vec_push(a, &plan.remarks) = foreign;
    }
    for (size_t i = 0; i < n_lines; i++) {
        struct plan_line *line = vec_push(a, &plan.lines);
        struct plan_change *change;

        *line = (struct plan_line){ .action = PLAN_UPDATE,
                                    .kind = foreign,
                                    .name = foreign,
                                    .disruption = foreign,
                                    .reason = foreign,
                                    .place = foreign };
        change = vec_push(a, &line->changes);
        *change = (struct plan_change){ foreign, foreign, foreign };
    }
    sb_init(&b, a);
    markdown_plan(&b, &plan, about);
    return sb_str(&b);
}

/* Around the spans stands the same, whatever is in them. */
static void test_a_comment_is_ours_but_for_its_spans(void **state)
{
    AUTO_ARENA struct arena a;
    struct str plain;

    (void)state;
    arena_init(&a, 0);
    plain = without_spans(&a, given_comment(&a, S("x"), 3));
    assert_true(
        str_starts(plain, S("**nothing is destroyed, nothing is interrupted; 3 to update**")));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].in[0] &&
            !str_eq(without_spans(&a, given_comment(&a, str_from_c(rows[i].in), 3)), plain))
            fail_msg("%s: %s", rows[i].sentence,
                     without_spans(&a, given_comment(&a, str_from_c(rows[i].in), 3)).p);
}

static void test_a_comment_has_its_length(void **state)
{
    char ticks[MARKDOWN_VALUE_MAX];
    AUTO_ARENA struct arena a;
    struct str comment;

    (void)state;
    arena_init(&a, 0);
    comment = given_comment(&a, S("a value of some length, and ` backticks"), 2000);
    assert_true(comment.n <= MARKDOWN_BYTES_MAX);
    assert_true(comment.n > MARKDOWN_BYTES_MAX - 2000);
    assert_true(str_find(comment, S(" of 2000 changes are not shown: `reeve plan ")) != STR_NPOS);
    memset(ticks, '`', sizeof(ticks));
    comment = given_comment(&a, (struct str){ ticks, sizeof(ticks) }, 2000);
    assert_true(comment.n <= MARKDOWN_BYTES_MAX);
    comment = given_comment(&a, S("x"), 20);
    assert_true(str_find(comment, S("not shown")) == STR_NPOS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_one_span),
        cmocka_unit_test(test_a_long_value_is_cut_at_a_character),
        cmocka_unit_test(test_a_comment_is_ours_but_for_its_spans),
        cmocka_unit_test(test_a_comment_has_its_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
