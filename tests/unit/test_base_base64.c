/* base/base64. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/guard.h"

static const struct {
    const char *bytes, *text;
} rows[] = { { "", "" },
             { "f", "Zg==" },
             { "fo", "Zm8=" },
             { "foo", "Zm9v" },
             { "foob", "Zm9vYg==" },
             { "fooba", "Zm9vYmE=" },
             { "foobar", "Zm9vYmFy" },
             { "\xff\xfe\xfd", "//79" } };

static void test_there_and_back(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str text = base64_encode(&a, str_from_c(rows[i].bytes)), bytes;

        assert_true(str_eq_c(text, rows[i].text));
        assert_int_equal(base64_decode(&a, text, &bytes), 0);
        assert_true(str_eq_c(bytes, rows[i].bytes));
        while (str_ends(text, S("=")))
            text.n--;
        assert_int_equal(base64_decode(&a, text, &bytes), 0);
        assert_true(str_eq_c(bytes, rows[i].bytes));
    }
}

static void test_what_is_none(void **state)
{
    static const char *const none[] = { "Z", "Zg=g", "Zm9v Zm9v", "Zm9-", "Zm9vY", "\xff" };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(none); i++) {
        struct str bytes;

        assert_int_equal(base64_decode(&a, str_from_c(none[i]), &bytes), -1);
    }
}

static void test_of_urls(void **state)
{
    static const char *const none[] = { "Zg==", "Zh", "__+_", "_/79", "A", "Zg.", "Zg\n" };
    AUTO_ARENA struct arena a;
    struct str bytes;

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(base64_url_encode(&a, S("\xff\xfe\xfd\xfb")), "__79-w"));
    assert_int_equal(base64_url_decode(&a, S("__79-w"), &bytes), 0);
    assert_true(str_eq_c(bytes, "\xff\xfe\xfd\xfb"));
    assert_int_equal(base64_url_decode(&a, S(""), &bytes), 0);
    assert_int_equal(bytes.n, 0);
    for (size_t i = 0; i < N_ELEMENTS(none); i++)
        assert_int_equal(base64_url_decode(&a, str_from_c(none[i]), &bytes), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_of_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
