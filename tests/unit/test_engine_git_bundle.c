/* engine/git_bundle: headers of bundles, good ones and others. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "reconciler/engine/git_bundle.h"

#define V2 "# v2 git bundle\n"
#define V3 "# v3 git bundle\n"
#define A "0123456789abcdef0123456789abcdef01234567"
#define B "89abcdef0123456789abcdef0123456789abcdef"

static void test_rows(void **state)
{
    static const struct {
        const char *sentence, *text;
        int rc;
        size_t n_needs, n_refs;
    } rows[] = {
        { "one reference", V2 A " refs/heads/main\n\nPACK", 0, 0, 1 },
        { "with a prerequisite", V2 "-" B " a summary\n" A " refs/heads/main\n\nPACK", 0, 1, 1 },
        { "a prerequisite without a word", V2 "-" B "\n" A " HEAD\n\nPACK", 0, 1, 1 },
        { "version 3", V3 "@object-format=sha1\n" A " refs/heads/main\n\nPACK", 0, 0, 1 },
        { "another hash", V3 "@object-format=sha256\n" A " refs/heads/main\n\nPACK", ERR_INVALID, 0,
          0 },
        { "objects left out", V3 "@filter=blob:none\n" A " refs/heads/main\n\n", ERR_INVALID, 0,
          0 },
        { "a capability in version 2", V2 "@object-format=sha1\n" A " r\n\n", ERR_INVALID, 0, 0 },
        { "a capability behind a reference", V3 A " r\n@object-format=sha1\n\n", ERR_INVALID, 0,
          0 },
        { "a prerequisite behind a reference", V2 A " r\n-" B " x\n\n", ERR_INVALID, 0, 0 },
        { "no bundle", "PACK", ERR_INVALID, 0, 0 },
        { "version 1", "# v1 git bundle\n" A " r\n\n", ERR_INVALID, 0, 0 },
        { "nothing", "", ERR_INVALID, 0, 0 },
        { "no reference", V2 "\nPACK", ERR_INVALID, 0, 0 },
        { "no end", V2 A " refs/heads/main\n", ERR_LIMIT, 0, 0 },
        { "an id that is short", V2 "0123 refs/heads/main\n\n", ERR_INVALID, 0, 0 },
        { "an id in capitals", V2 "0123456789ABCDEF0123456789abcdef01234567 r\n\n", ERR_INVALID, 0,
          0 },
        { "an id that goes on", V2 A "0 r\n\n", ERR_INVALID, 0, 0 },
        { "a prerequisite that goes on", V2 "-" B "0\n" A " r\n\n", ERR_INVALID, 0, 0 },
        { "no name", V2 A " \n\n", ERR_INVALID, 0, 0 },
        { "a name with a space", V2 A " refs/heads/a b\n\n", ERR_INVALID, 0, 0 },
        { "a name with an escape", V2 A " refs/heads/\033[2J\n\n", ERR_INVALID, 0, 0 },
        { "a name with a carriage return", V2 A " refs/heads/a\r\n\n", ERR_INVALID, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct git_bundle b = { 0 };
        int rc;

        arena_init(&a, 0);
        rc = git_bundle_parse(&a, str_from_c(rows[i].text), &b, &err);
        if (rc != rows[i].rc || b.needs.n != rows[i].n_needs || b.refs.n != rows[i].n_refs)
            fail_msg("%s: %d, '%s'", rows[i].sentence, rc, err.text);
        if (!rc && !str_eq_c(b.pack, "PACK"))
            fail_msg("%s: the pack is '%.*s'", rows[i].sentence, STR_ARG(b.pack));
    }
}

/* "refs/heads/main" once more, so often. */
static int parse_many(size_t n_needs, size_t n_refs, size_t n_name)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct git_bundle b;
    struct sb text;

    arena_init(&a, 0);
    sb_init(&text, &a);
    sb_add_c(&text, V2);
    for (size_t i = 0; i < n_needs; i++)
        sb_add_c(&text, "-" B "\n");
    for (size_t i = 0; i < n_refs; i++) {
        sb_add_c(&text, A " ");
        for (size_t c = 0; c < n_name; c++)
            sb_add_char(&text, 'x');
        sb_add_char(&text, '\n');
    }
    sb_add_c(&text, "\nPACK");
    return git_bundle_parse(&a, sb_str(&text), &b, &err);
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_many(GIT_BUNDLE_NAMES_MAX, GIT_BUNDLE_NAMES_MAX, 1), 0);
    assert_int_equal(parse_many(GIT_BUNDLE_NAMES_MAX + 1, 1, 1), ERR_LIMIT);
    assert_int_equal(parse_many(0, GIT_BUNDLE_NAMES_MAX + 1, 1), ERR_LIMIT);
    assert_int_equal(parse_many(0, 1, GIT_BUNDLE_NAME_MAX), 0);
    assert_int_equal(parse_many(0, 1, GIT_BUNDLE_NAME_MAX + 1), ERR_INVALID);
    assert_int_equal(parse_many(0, 1, GIT_BUNDLE_HEADER_MAX), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests_name("git bundle", tests, NULL, NULL);
}
