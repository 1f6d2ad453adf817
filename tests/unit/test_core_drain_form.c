/* core: lines as receivers of logs read them, whatever an instance prints. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/drain_form.h"
#include "specs/json_io.h"

#define HEAD "<14>1 2026-01-02T03:04:05.678Z host web web@1.0 - "
#define TIME_MS INT64_C(1767323045678)

static struct drain_line given_line(struct str text)
{
    return (struct drain_line){ .host = S("host"),
                                .service = S("web"),
                                .instance = S("web@1.0"),
                                .text = text,
                                .time_ms = TIME_MS };
}

static const struct {
    const char *sentence;
    struct str text;
    const char *want; /* behind the structured data */
} texts[] = {
    { "plain", S_INIT("hello"), "hello" },
    { "nothing", S_INIT(""), "" },
    { "quotes, brackets and backslashes are text", S_INIT("a \"b\" [c] \\d"), "a \"b\" [c] \\d" },
    { "a tab stays", S_INIT("a\tb"), "a\tb" },
    { "an escape cannot steer a terminal", S_INIT("\x1b[31mred\x7f"), "\\u{1b}[31mred\\u{7f}" },
    { "a carriage return overwrites nothing", S_INIT("a\rb"), "a\\u{d}b" },
    { "UTF-8 is as it is", S_INIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
    { "what is not UTF-8", S_INIT("a\xff\xc3z"), "a??z" },
    { "a NUL", S_INIT("a\0b"), "a?b" },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct arena a = { 0 };
        const struct drain_line line = given_line(texts[i].text);
        struct str want = str_fmt(&a, "%s[reeve@32473 service=\"web\" instance=\"web@1.0\"] %s",
                                  HEAD, texts[i].want);
        struct sb b;

        print_message("  %s\n", texts[i].sentence);
        sb_init(&b, &a);
        drain_form_syslog(&b, &line, DRAIN_BARE);
        assert_string_equal(sb_str(&b).p, want.p);
        arena_fini(&a);
    }
}

/* A value ends where its own quote does. */
static void test_param_values(void **state)
{
    struct arena a = { 0 };
    struct drain_line line = given_line(S("x"));
    struct sb b;

    (void)state;
    line.env = S("a\"] b=\"c\\");
    line.colour = S("\n\xff");
    sb_init(&b, &a);
    drain_form_syslog(&b, &line, DRAIN_BARE);
    assert_non_null(strstr(sb_str(&b).p, " env=\"a\\\"\\] b=\\\"c\\\\\" service="));
    assert_non_null(strstr(sb_str(&b).p, " colour=\"\\\\u{a}?\"] x"));
    arena_fini(&a);
}

static void test_header_fields_are_words(void **state)
{
    struct arena a = { 0 };
    struct drain_line line = given_line(S("x"));
    char many[300];
    struct sb b;

    (void)state;
    memset(many, 'n', sizeof(many));
    line.host = S("a b\n");
    line.service = (struct str){ many, sizeof(many) };
    line.instance = STR_NONE;
    line.time_ms = 0;
    sb_init(&b, &a);
    drain_form_syslog(&b, &line, DRAIN_BARE);
    assert_true(str_starts(sb_str(&b), S("<14>1 - a?b? nnnnnnnn")));
    assert_int_equal(str_find(sb_str(&b), S(" - - [reeve@32473 service=")), 13 + 48);
    arena_fini(&a);
}

/* Each count leads to the next frame, and the last one to the end; none is over the limit. */
static void test_octets_are_counted(void **state)
{
    static char text[100000];
    const struct str lines[] = {
        S("first"), S("zw\xc3\xb6lf"), { text, sizeof(text) }, S(""), S("1 2 3")
    };
    struct arena a = { 0 };
    struct str rest;
    struct sb b;
    size_t n = 0;

    (void)state;
    memset(text, '\x1b', sizeof(text));
    memcpy(text + 2000, "\xe2\x82\xac", 3);
    sb_init(&b, &a);
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        const struct drain_line line = given_line(lines[i]);

        drain_form_syslog(&b, &line, DRAIN_COUNTED);
    }
    for (rest = sb_str(&b); rest.n; n++) {
        struct str count;
        int64_t octets;

        assert_true(str_next(&rest, ' ', &count));
        assert_int_equal(str_to_i64(count, &octets), 0);
        assert_true(octets > 0 && octets <= DRAIN_FRAME_MAX && (size_t)octets <= rest.n);
        assert_true(str_starts(rest, S(HEAD)));
        if (n == 2)
            assert_true(str_ends(str_slice(rest, 0, (size_t)octets), S(" [cut]")));
        rest = str_slice(rest, (size_t)octets, rest.n);
    }
    assert_int_equal(n, N_ELEMENTS(lines));
    arena_fini(&a);
}

/* A long line ends with a whole character, wherever it is cut. */
static void test_a_cut_leaves_no_half(void **state)
{
    (void)state;
    for (size_t before = 0; before < 4; before++) {
        static char text[4 * DRAIN_TEXT_MAX];
        const struct drain_line line = given_line((struct str){ text, sizeof(text) });
        struct arena a = { 0 };
        struct sb b;

        memset(text, 'a', sizeof(text));
        for (size_t i = before; i + 3 <= sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        sb_init(&b, &a);
        drain_form_syslog(&b, &line, DRAIN_BARE);
        assert_true(b.n <= DRAIN_FRAME_MAX);
        assert_ptr_equal(str_clean(&a, sb_str(&b)).p, sb_str(&b).p);
        sb_init(&b, &a);
        drain_form_json(&b, &line);
        assert_ptr_equal(str_clean(&a, sb_str(&b)).p, sb_str(&b).p);
        arena_fini(&a);
    }
}

static void test_json(void **state)
{
    struct arena a = { 0 };
    struct drain_line line = given_line(S("a\"\n\x1b\xff"));
    struct err err = ERR_INIT;
    struct value *v;
    struct sb b;

    (void)state;
    line.env = S("prod");
    sb_init(&b, &a);
    drain_form_json(&b, &line);
    assert_int_equal(str_find_char(sb_str(&b), '\n'), b.n - 1); /* one line, whatever it says */
    assert_int_equal(json_parse(&a, sb_str(&b), 1u << 16, &v, &err), 0);
    assert_true(str_eq_c(value_get_text(v, S("message"), S("")), "a\"\n\x1b?"));
    assert_true(str_eq_c(value_get_text(v, S("environment"), S("")), "prod"));
    assert_true(str_eq_c(value_get_text(v, S("time"), S("")), "2026-01-02T03:04:05.678Z"));
    assert_true(str_eq_c(value_get_text(v, S("level"), S("")), "info"));
    assert_null(value_get(v, S("commit"))); /* what is not known is not said */
    arena_fini(&a);
}

static void test_lost_lines_are_told(void **state)
{
    struct arena a = { 0 };
    struct drain_line line = given_line(drain_form_lost(&a, 7));
    struct err err = ERR_INIT;
    struct value *v;
    struct sb b;

    (void)state;
    line.lost = 7;
    sb_init(&b, &a);
    drain_form_syslog(&b, &line, DRAIN_BARE);
    assert_string_equal(sb_str(&b).p,
                        "<12>1 2026-01-02T03:04:05.678Z host web web@1.0 lost [reeve@32473 "
                        "service=\"web\" instance=\"web@1.0\" lost=\"7\"] reeve: 7 lines dropped: "
                        "they were gone before they could be sent");
    sb_init(&b, &a);
    drain_form_json(&b, &line);
    assert_int_equal(json_parse(&a, sb_str(&b), 1u << 16, &v, &err), 0);
    assert_int_equal(value_get_int(v, S("lost"), 0), 7);
    assert_true(str_eq_c(value_get_text(v, S("level"), S("")), "warning"));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_param_values),
        cmocka_unit_test(test_header_fields_are_words),
        cmocka_unit_test(test_octets_are_counted),
        cmocka_unit_test(test_a_cut_leaves_no_half),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_lost_lines_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
