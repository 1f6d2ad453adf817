/* core: when no commit is applied. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/freeze.h"
#include "specs/json_io.h"

#define HOUR ((int64_t)3600 * 1000)
#define DAY (24 * HOUR)
#define MONDAY (4 * DAY) /* 5 January 1970 */
#define FRIDAY (MONDAY + 4 * DAY)
#define WORK "{\"days\":[\"mon\",\"fri\"],\"from\":960,\"to\":1439}"
#define NIGHT "{\"days\":[\"fri\"],\"from\":1320,\"to\":360}"

static const struct row {
    const char *sentence, *list;
    int64_t now_ms, end_ms; /* end_ms 0: it is not on */
} rows[] = {
    { "none is written", "[]", MONDAY, 0 },
    { "before it begins", "[" WORK "]", FRIDAY + 16 * HOUR - 1, 0 },
    { "as it begins", "[" WORK "]", FRIDAY + 16 * HOUR, FRIDAY + DAY - 60000 },
    { "as it ends", "[" WORK "]", FRIDAY + DAY - 60000, 0 },
    { "on another day", "[" WORK "]", FRIDAY - 1 * HOUR, 0 },
    { "on the other of its days", "[" WORK "]", MONDAY + 17 * HOUR, MONDAY + DAY - 60000 },
    { "over midnight", "[" NIGHT "]", FRIDAY + 23 * HOUR, FRIDAY + 30 * HOUR },
    { "behind midnight", "[" NIGHT "]", FRIDAY + 29 * HOUR, FRIDAY + 30 * HOUR },
    { "the night before is not of that day", "[" NIGHT "]", FRIDAY + 5 * HOUR, 0 },
    { "the later end holds", "[" NIGHT "," WORK "]", FRIDAY + 23 * HOUR, FRIDAY + 30 * HOUR },
    { "at the beginning of time", "[" NIGHT "]", HOUR, 0 },
};

static void test_a_freeze_is_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct value *list;
        int64_t end_ms = 0;
        int is_on;

        arena_init(&a, 0);
        assert_int_equal(json_parse(&a, str_from_c(rows[i].list), 4096, &list, &err), 0);
        is_on = freeze_is_on(list, rows[i].now_ms, &end_ms);
        if (is_on != (rows[i].end_ms != 0) || (is_on && end_ms != rows[i].end_ms))
            fail_msg("%s: %d, %lld", rows[i].sentence, is_on, (long long)end_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_freeze_is_on) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
