/* core: when no commit is applied, and when what is down may be. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/windows.h"
#include "specs/json_io.h"

#define ZONES "/usr/share/zoneinfo/"
#define HOUR ((int64_t)3600 * 1000)
#define DAY (24 * HOUR)
#define MONDAY (4 * DAY) /* 5 January 1970 */
#define FRIDAY (MONDAY + 4 * DAY)
#define WORK "{\"days\":[\"mon\",\"fri\"],\"from\":960,\"to\":1439}"
#define NIGHT "{\"days\":[\"fri\"],\"from\":1320,\"to\":360}"
#define MORNING "{\"days\":[\"sat\"],\"from\":350,\"to\":480,\"tz\":\"UTC\"}"
#define ALWAYS                                                                                     \
    "{\"days\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"],\"from\":0,\"to\":0}"
#define STRANGE "{\"days\":[\"mon\"],\"from\":0,\"to\":1,\"tz\":\"Moon/Base\"}"

static const struct row { /* an independent referee's */
    const char *zone, *days;
    int from, to;
    const char *at;
    int is_inside;
    const char *flips;
} rows[] = {
#include "tests/unit/test_core_windows.rows"
};

static int64_t time_of(const char *text)
{
    struct tm tm = { 0 };

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void given_zone(struct arena *a, const char *name, struct map *zones)
{
    static char bytes[TZ_BYTES_MAX];
    struct str path = str_fmt(a, ZONES "%s", name);
    struct tz *tz = arena_new(a, struct tz);
    struct err err = ERR_INIT;
    FILE *f = fopen(path.p, "rb");
    size_t n;

    if (!f)
        skip(); /* the package tzdata is not installed */
    n = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    if (tz_parse(a, str_from_c(name), (struct str){ bytes, n }, tz, &err))
        fail_msg("%s", err.text);
    map_init(zones, a);
    map_put(zones, tz->name, tz);
}

static struct value *given_list(struct arena *a, struct str json)
{
    struct err err = ERR_INIT;
    struct value *list;

    if (json_parse(a, json, 4096, &list, &err))
        fail_msg("%s", err.text);
    return list;
}

static struct value *given_window(struct arena *a, const struct row *row)
{
    struct str days = str_from_c(row->days), day;
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b, "[{\"days\":[");
    for (int n = 0; str_next(&days, ' ', &day); n++)
        sb_addf(&b, "%s\"%.*s\"", n ? "," : "", STR_ARG(day));
    sb_addf(&b, "],\"from\":%d,\"to\":%d,\"tz\":\"%s\"}]", row->from, row->to, row->zone);
    return given_list(a, sb_str(&b));
}

static void test_a_window_is_what_the_clock_shows(void **state)
{
    int n_wrong = 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct windows_end end = { 0 }, begin = { 0 };
        int64_t at_ms = time_of(rows[i].at), flips_ms = time_of(rows[i].flips);
        struct map zones;
        struct value *list;
        int is_on, is_shut;

        arena_init(&a, 0);
        given_zone(&a, rows[i].zone, &zones);
        list = given_window(&a, &rows[i]);
        is_on = windows_freeze(list, &zones, at_ms, &end);
        is_shut = windows_are_shut(list, &zones, at_ms, &begin);
        if (is_on == rows[i].is_inside && is_shut == !is_on &&
            (is_on ? end : begin).at_ms == flips_ms &&
            str_eq_c((is_on ? end : begin).tz->name, rows[i].zone))
            continue;
        n_wrong++;
        print_error("%s %s %d-%d at %s: %d, not %d; until %lld, not %lld\n", rows[i].zone,
                    rows[i].days, rows[i].from, rows[i].to, rows[i].at, is_on, rows[i].is_inside,
                    (long long)(is_on ? end : begin).at_ms, (long long)flips_ms);
    }
    assert_int_equal(n_wrong, 0);
}

static const struct list_row {
    const char *sentence, *list;
    int64_t now_ms, end_ms; /* end_ms 0: it is not on */
} list_rows[] = {
    { "none is written", "[]", MONDAY, 0 },
    { "before it begins", "[" WORK "]", FRIDAY + 16 * HOUR - 1, 0 },
    { "as it begins", "[" WORK "]", FRIDAY + 16 * HOUR, FRIDAY + DAY - 60000 },
    { "as it ends", "[" WORK "]", FRIDAY + DAY - 60000, 0 },
    { "on the other of its days", "[" WORK "]", MONDAY + 17 * HOUR, MONDAY + DAY - 60000 },
    { "over midnight", "[" NIGHT "]", FRIDAY + 23 * HOUR, FRIDAY + 30 * HOUR },
    { "behind midnight", "[" NIGHT "]", FRIDAY + 29 * HOUR, FRIDAY + 30 * HOUR },
    { "the night before is not of that day", "[" NIGHT "]", FRIDAY + 5 * HOUR, 0 },
    { "the later end holds", "[" NIGHT "," WORK "]", FRIDAY + 23 * HOUR, FRIDAY + 30 * HOUR },
    { "one begins before the other has ended", "[" MORNING "," NIGHT "]", FRIDAY + 23 * HOUR,
      FRIDAY + 32 * HOUR },
    { "it has no end", "[" ALWAYS "]", MONDAY, TZ_NEVER },
    { "a zone that nobody knows", "[" WORK "," STRANGE "]", MONDAY + 9 * HOUR, TZ_NEVER },
    { "at the beginning of time", "[" NIGHT "]", HOUR, 0 },
};

static void test_a_freeze_is_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(list_rows); i++) {
        const struct list_row *row = &list_rows[i];
        AUTO_ARENA struct arena a;
        struct windows_end end = { 0 };
        int is_on;

        arena_init(&a, 0);
        is_on = windows_freeze(given_list(&a, str_from_c(row->list)), NULL, row->now_ms, &end);
        if (is_on != (row->end_ms != 0) || end.at_ms != row->end_ms)
            fail_msg("%s: %d, %lld", row->sentence, is_on, (long long)end.at_ms);
    }
}

static const struct list_row shut_rows[] = {
    /* end_ms: when it opens; 0: it is open */
    { "none is written", "[]", MONDAY, 0 },
    { "in one of them", "[" NIGHT "," WORK "]", FRIDAY + 17 * HOUR, 0 },
    { "in none: the nearest", "[" NIGHT "," WORK "]", FRIDAY + 9 * HOUR, FRIDAY + 16 * HOUR },
    { "next week", "[" NIGHT "]", FRIDAY + 30 * HOUR, FRIDAY + 7 * DAY + 22 * HOUR },
    { "a zone that nobody knows", "[" STRANGE "]", MONDAY, TZ_NEVER },
    { "beside one that is known", "[" STRANGE "," NIGHT "]", MONDAY, FRIDAY + 22 * HOUR },
};

static void test_windows_are_shut(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(shut_rows); i++) {
        const struct list_row *row = &shut_rows[i];
        AUTO_ARENA struct arena a;
        struct windows_end begin = { 0 };
        int is_shut;

        arena_init(&a, 0);
        is_shut = windows_are_shut(given_list(&a, str_from_c(row->list)), NULL, row->now_ms,
                                   &begin);
        if (is_shut != (row->end_ms != 0) || begin.at_ms != row->end_ms)
            fail_msg("%s: %d, %lld", row->sentence, is_shut, (long long)begin.at_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_is_what_the_clock_shows),
        cmocka_unit_test(test_a_freeze_is_on),
        cmocka_unit_test(test_windows_are_shut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
