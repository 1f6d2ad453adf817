/* engine: values that a driver was given leave its call in no spelling. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_host_given.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/secret_hide.h"

static void test_values_are_handed_out(void **state)
{
    struct given g;
    struct rv_str value = { NULL, 0 };

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->secret(g.h->ctx, text("gone@f:1"), &value), RV_WAIT);
    assert_int_equal(g.h->secret(g.h->ctx, text("other@f:1"), &value), RV_USER);
    assert_int_equal(g.h->secret(g.h->ctx, text("empty@f:1"), &value), 0);
    assert_int_equal(value.n, 0);
    assert_int_equal(g.h->secret(g.h->ctx, text("pw@f:1"), &value), 0);
    assert_memory_equal(value.p, "hunter2", 7);
    given_fini(&g);
}

#define KEY_LINE "MIIEvQIBADANBgkqhkiG9w0BAQEF"

static const struct str values[] = {
    S_INIT("hunter2"),
    S_INIT("hunter2-and-more"),
    S_INIT("1"),
    S_INIT("-----BEGIN KEY-----\n" KEY_LINE "\n-----END KEY-----"),
    S_INIT("pa\"ss/w\303\266rds"),
    S_INIT("127.0.0.1"),
};

struct hidden {
    const char *name, *text, *want;
};

static void expect_hidden(const struct hidden *rows, size_t n,
                          struct str (*hide)(const struct str *values, size_t n, struct arena *a,
                                             struct str text))
{
    for (size_t i = 0; i < n; i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct str shown = hide(values, N_ELEMENTS(values), &a, str_from_c(rows[i].text));

        if (!str_eq_c(shown, rows[i].want))
            fail_msg("%s: %.*s", rows[i].name, STR_ARG(shown));
    }
}

static void test_words_hold_no_value_in_any_spelling(void **state)
{
    static const struct hidden rows[] = {
        { "nothing to hide", "all is well", "all is well" },
        { "a value", "login with hunter2 failed", "login with *** failed" },
        { "twice, at both ends", "hunter2 and hunter2", "*** and ***" },
        { "the longer of two that begin alike", "x=hunter2-and-more", "x=***" },
        { "almost a value", "hunter", "hunter" },
        { "nothing", "", "" },
        { "one that is a letter", "exit 1", "exit ***" },
        { "its beginning, the rest was cut", "said: hunter2-and-m", "said: ***" },
        { "its end, the rest was cut", "er2-and-more is wrong", "*** is wrong" },
        { "a line of several", "read: " KEY_LINE, "read: ***" },
        { "its lines, where a control became a letter", KEY_LINE "?-----END KEY-----", "***?***" },
        { "a piece of a line", "... IBADANBgkqhkiG ...", "... *** ..." },
        { "as JSON has it", "{\"p\":\"pa\\\"ss/w\303\266rds\"}", "{\"p\":\"***\"}" },
        { "as a URL has it", "u:pa%22ss%2Fw%C3%B6rds@h", "u:***@h" },
        { "in hex", "68756e746572322d616e642d6d6f7265", "***" },
        { "in hex, in capitals", "68756E746572322D616E642D6D6F7265", "***" },
        { "in base64", "aHVudGVyMi1hbmQtbW9yZQ==", "***Q==" },
        { "in base64 behind one more byte", "Omh1bnRlcjItYW5kLW1vcmU=", "Om***U=" },
        { "in base64, behind a name", "b3BzOmh1bnRlcjItYW5kLW1vcmU=", "b3BzOm***U=" },
    };

    (void)state;
    expect_hidden(rows, N_ELEMENTS(rows), secret_hide_words);
}

/* What was made must be found again, whatever somebody keeps as a secret. */
static void test_a_field_is_not_broken_by_a_short_value(void **state)
{
    static const struct hidden rows[] = {
        { "an id", "rv1a1b1c", "rv1a1b1c" },
        { "an address", "{\"address\":\"127.0.0.1:2001\"}", "{\"address\":\"127.0.0.1:2001\"}" },
        { "a value", "{\"said\":\"hunter2-and-more\"}", "{\"said\":\"***\"}" },
        { "as JSON has it", "{\"p\":\"pa\\\"ss/w\303\266rds\"}", "{\"p\":\"***\"}" },
        { "on several lines", "\"-----BEGIN KEY-----\\n" KEY_LINE "\\n-----END KEY-----\"",
          "\"***\\n***\\n***\"" },
    };

    (void)state;
    expect_hidden(rows, N_ELEMENTS(rows), secret_hide_field);
}

static void test_a_message_as_long_as_a_value_may_be(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    char *value = arena_alloc(&a, 65536), *said = arena_alloc(&a, HOST_SAID_MAX);
    struct str one, shown;

    (void)state;
    for (size_t i = 0; i < 65536; i++)
        value[i] = (char)('a' + (i * i + i / 26) % 26);
    memcpy(said, value + 30000, HOST_SAID_MAX);
    one = (struct str){ value, 65536 };
    shown = secret_hide_words(&one, 1, &a, (struct str){ said, HOST_SAID_MAX });
    assert_true(str_eq_c(shown, "***"));
}

static void test_what_an_earlier_call_was_given_is_hidden(void **state)
{
    struct given g;
    struct str shown;

    (void)state;
    given_host(&g);
    assert_int_equal(host_call_hide(&g.call, text("gone@f:1")), RV_WAIT);
    assert_int_equal(host_call_hide(&g.call, text("pw@f:1")), 0);
    shown = host_call_words(&g.call, &g.fixture.arena, S("login with hunter2 failed"));
    assert_true(str_eq_c(shown, "login with *** failed"));
    shown = host_call_words(
        &g.call, &g.fixture.arena,
        (struct str){ arena_alloc(&g.fixture.arena, HOST_SAID_MAX + 1), HOST_SAID_MAX + 1 });
    assert_int_equal(shown.n, HOST_SAID_MAX);
    given_fini(&g);
}

static void test_a_log_line_holds_no_value(void **state)
{
    struct given g;
    struct rv_str value;
    struct str line;
    struct err err = ERR_INIT;
    char path[] = "/tmp/rt-host-log-XXXXXX";
    int file = mkstemp(path), old = dup(2);

    (void)state;
    given_host(&g);
    assert_int_equal(g.h->secret(g.h->ctx, text("pw@f:1"), &value), 0);
    assert_true(dup2(file, 2) == 2);
    g.h->log(g.h->ctx, LOG_WARN, text("cannot log in with hunter2"));
    g.h->log(g.h->ctx, 99, text("level 99 with hunter2"));
    assert_true(dup2(old, 2) == 2);
    assert_int_equal(sys_read_file(&g.fixture.arena, path, 10000, &line, &err), 0);
    assert_non_null(strstr(line.p, "cannot log in with ***"));
    assert_non_null(strstr(line.p, "\"level\":\"warn\""));
    assert_non_null(strstr(line.p, "level 99 with ***"));
    assert_non_null(strstr(line.p, "\"level\":\"error\""));
    assert_null(strstr(line.p, "hunter2"));
    (void)close(file);
    (void)close(old);
    (void)unlink(path);
    given_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_handed_out),
        cmocka_unit_test(test_words_hold_no_value_in_any_spelling),
        cmocka_unit_test(test_a_field_is_not_broken_by_a_short_value),
        cmocka_unit_test(test_a_message_as_long_as_a_value_may_be),
        cmocka_unit_test(test_what_an_earlier_call_was_given_is_hidden),
        cmocka_unit_test(test_a_log_line_holds_no_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
