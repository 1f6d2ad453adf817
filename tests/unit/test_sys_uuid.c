/* Names that nobody has given before, in the order of time. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"

static void test_a_name_begins_with_its_time_and_is_its_own(void **state)
{
    AUTO_ARENA struct arena a;
    struct str first, second;

    (void)state;
    arena_init(&a, 0);
    first = sys_uuid7(&a, 0x0123456789ab);
    second = sys_uuid7(&a, 0x0123456789ab);
    assert_int_equal(first.n, 36);
    assert_true(str_starts(first, S("01234567-89ab-7")));
    assert_true(first.p[18] == '-' && first.p[23] == '-' && strchr("89ab", first.p[19]));
    assert_int_equal(strspn(str_to_c(&a, first), "0123456789abcdef-"), 36);
    assert_false(str_eq(first, second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_begins_with_its_time_and_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
