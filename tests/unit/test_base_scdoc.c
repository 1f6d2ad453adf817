/* scdoc: text of ours in the source of a man page. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/scdoc.h"

static const struct scdoc_row {
    const char *name, *text, *want;
} rows[] = {
    { "plain text", "what runs, and how often", "what runs, and how often" },
    { "emphasis", "var/keys_old and *.dev", "var/keys\\_old and \\*.dev" },
    { "what escapes", "a\\b", "a\\\\b" },
    { "code and line ends", "`x` a++", "\\`x\\` a\\+\\+" },
    { "a title", "# one", "\\# one" },
    { "a list, a table, a comment", "- a\n| b\n; c", "\\- a\n\\| b\n\\; c" },
    { "only where a line begins", "a - b | c # d; .e", "a - b | c # d; .e" },
    { "a request of roff", ".so /etc/passwd", "\\.so /etc/passwd" },
    { "nothing", "", "" },
};

static void test_text(void **state)
{
    const struct scdoc_row *row = *state;
    AUTO_ARENA struct arena a;
    struct sb b;

    arena_init(&a, 0);
    sb_init(&b, &a);
    scdoc_text(&b, str_from_c(row->text));
    assert_string_equal(str_to_c(&a, sb_str(&b)), row->want);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows)];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                                        .test_func = test_text,
                                        .initial_state = (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests_name("scdoc", tests, NULL, NULL);
}
