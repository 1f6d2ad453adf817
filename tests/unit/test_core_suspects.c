/* core/suspects: who was in work at each of three deaths. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/suspects.h"
#include "specs/json_io.h"

#define S_MS 1000
#define M_MS (60 * 1000)

struct death {
    int64_t at_ms;
    const char *in_work; /* letters: one environment each */
};

static struct value *letters(struct arena *a, const char *text)
{
    struct value *list = value_list(a);

    for (; *text; text++)
        value_add(a, list, value_text(a, str_copy(a, (struct str){ text, 1 })));
    return list;
}

static void test_rows(void **state)
{
    static const struct {
        const char *sentence;
        struct death deaths[5];
        const char *suspects; /* of the last one */
    } rows[] = {
        { "one death tells nothing", { { 0, "a" } }, "[]" },
        { "two neither", { { 0, "a" }, { S_MS, "a" } }, "[]" },
        { "three do", { { 0, "a" }, { S_MS, "a" }, { 2 * S_MS, "a" } }, "[\"a\"]" },
        { "only who was there each time",
          { { 0, "abc" }, { S_MS, "ab" }, { 2 * S_MS, "bd" } },
          "[\"b\"]" },
        { "nobody was there each time", { { 0, "ab" }, { S_MS, "b" }, { 2 * S_MS, "a" } }, "[]" },
        { "the last three count",
          { { 0, "x" }, { S_MS, "a" }, { 2 * S_MS, "a" }, { 3 * S_MS, "a" } },
          "[\"a\"]" },
        { "not within five minutes", { { 0, "a" }, { S_MS, "a" }, { 5 * M_MS, "a" } }, "[]" },
        { "just within", { { 0, "a" }, { S_MS, "a" }, { 5 * M_MS - 1, "a" } }, "[\"a\"]" },
        { "it begins anew after a verdict",
          { { 0, "a" }, { S_MS, "a" }, { 2 * S_MS, "a" }, { 3 * S_MS, "ab" }, { 4 * S_MS, "b" } },
          "[]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value *deaths = NULL, *suspects = NULL;
        struct arena a;

        arena_init(&a, 0);
        for (size_t d = 0; d < 5 && rows[i].deaths[d].in_work; d++)
            deaths = suspects_note(&a, deaths, rows[i].deaths[d].at_ms,
                                   letters(&a, rows[i].deaths[d].in_work), &suspects);
        if (!str_eq_c(json_format(&a, suspects), rows[i].suspects))
            fail_msg("%s: %s", rows[i].sentence, json_format(&a, suspects).p);
        arena_fini(&a);
    }
}

static void test_a_death_makes_careful_for_a_while(void **state)
{
    struct value *deaths, *suspects;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_false(suspects_are_sought(NULL, 0));
    deaths = suspects_note(&a, NULL, S_MS, letters(&a, "a"), &suspects);
    assert_true(suspects_are_sought(deaths, 2 * S_MS));
    assert_false(suspects_are_sought(deaths, 6 * M_MS));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_a_death_makes_careful_for_a_while),
    };

    return cmocka_run_group_tests_name("suspects", tests, NULL, NULL);
}
