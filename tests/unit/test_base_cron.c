/* base: schedules and time zones, against an independent referee. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cron.h"
#include "base/guard.h"

#define ZONES "/usr/share/zoneinfo/"

static const struct row {
    const char *zone, *schedule, *at, *next, *previous; /* times in UTC */
} rows[] = {
#include "tests/unit/test_base_cron.rows"
};

static int64_t time_of(const char *text)
{
    struct tm tm = { 0 };

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static struct str read_zone(struct arena *a, const char *name)
{
    static char bytes[TZ_BYTES_MAX];
    struct str path = str_fmt(a, ZONES "%s", name);
    FILE *f = fopen(path.p, "rb");
    size_t n;

    if (!f)
        skip(); /* the package tzdata is not installed */
    n = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    return str_copy(a, (struct str){ bytes, n });
}

static struct tz given_zone(struct arena *a, const char *name)
{
    struct err err = ERR_INIT;
    struct tz tz;

    if (tz_parse(a, str_from_c(name), read_zone(a, name), &tz, &err))
        fail_msg("%s", err.text);
    return tz;
}

static void test_schedules_are_due(void **state)
{
    int n_wrong = 0;

    (void)state;
    assert_true(N_ELEMENTS(rows) >= 160);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct cron c;
        struct tz tz;
        size_t at;
        int64_t next_ms, previous_ms;

        arena_init(&a, 0);
        tz = given_zone(&a, rows[i].zone);
        if (cron_parse(str_from_c(rows[i].schedule), &c, &at, &err))
            fail_msg("'%s': %s", rows[i].schedule, err.text);
        next_ms = cron_next_ms(&c, &tz, time_of(rows[i].at));
        previous_ms = cron_previous_ms(&c, &tz, time_of(rows[i].at));
        if (next_ms == time_of(rows[i].next) && previous_ms == time_of(rows[i].previous))
            continue;
        n_wrong++;
        print_error("%s '%s' at %s: next %lld, not %s; previous %lld, not %s\n", rows[i].zone,
                    rows[i].schedule, rows[i].at, (long long)next_ms, rows[i].next,
                    (long long)previous_ms, rows[i].previous);
    }
    assert_int_equal(n_wrong, 0);
}

/* clang-format off */
static const struct mistake {
    const char *schedule, *says;
    size_t at;
} mistakes[] = {
    { "",                 "0 of five fields", 0 },
    { "0 4 * *",          "4 of five fields", 0 },
    { "0 4 * * * *",      "'*' is a sixth field", 10 },
    { "60 4 * * *",       "minute '60': not 0 to 59", 0 },
    { "0 24 * * *",       "hour '24': not 0 to 23", 2 },
    { "0 4 0 * *",        "day of month '0'", 4 },
    { "0 4 32 * *",       "day of month '32'", 4 },
    { "0 4 * 13 *",       "month '13'", 6 },
    { "0 4 * foo *",      "month 'foo': not 1 to 12, a name", 6 },
    { "0 4 * * 8",        "day of week '8'", 8 },
    { "0 4 * * fri-mon",  "day of week 'fri-mon'", 8 },
    { "5-1 4 * * *",      "minute '5-1'", 0 },
    { "*/0 4 * * *",      "minute '*/0'", 0 },
    { "*/x 4 * * *",      "minute '*/x'", 0 },
    { "1,,2 4 * * *",     "minute ''", 0 },
    { "1, 4 * * *",       "minute '1,' ends with a comma", 0 },
    { "-1 4 * * *",       "minute '-1'", 0 },
    { "@daily",           "minute '@daily'", 0 },
    { "0 0 31 2 *",       "day of month '31' never comes in month '2'", 4 },
    { "0 0 30 feb *",     "day of month '30' never comes in month 'feb'", 4 },
    { "0 0 31 4,6,9,11 *", "never comes", 4 },
    { "0 0 31 2 */2",     "never comes", 4 },
};
static const char *const possible[] = { "0 0 29 2 *", "0 0 31 2 mon", "* * * * *", "  0   4 * * sun  ", "0 0 30 1,2 *",
                                        "0-59/7 0-23/2 1-31 1-12 0-7" };
/* clang-format on */

static void test_mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(mistakes); i++) {
        struct err err = ERR_INIT;
        struct cron c;
        size_t at = 99;

        assert_int_equal(cron_parse(str_from_c(mistakes[i].schedule), &c, &at, &err), ERR_INVALID);
        if (!strstr(err.text, mistakes[i].says) || at != mistakes[i].at)
            fail_msg("'%s' at %zu: %s", mistakes[i].schedule, at, err.text);
    }
    for (size_t i = 0; i < N_ELEMENTS(possible); i++) {
        struct err err = ERR_INIT;
        struct cron c;
        size_t at;

        if (cron_parse(str_from_c(possible[i]), &c, &at, &err))
            fail_msg("'%s': %s", possible[i], err.text);
    }
}

static void test_a_leap_day_on_a_sunday_is_found(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct cron c;
    struct tz tz;
    size_t at;

    (void)state;
    arena_init(&a, 0);
    tz = given_zone(&a, "UTC");
    assert_int_equal(cron_parse(S("0 0 29 2 */7"), &c, &at, &err), 0);
    assert_int_equal(cron_next_ms(&c, &tz, time_of("2088-03-01 00:00")),
                     time_of("2128-02-29 00:00")); /* 2100 has none */
}

/* --- files of zones ------------------------------------------------------------------------------ */

static void test_the_name_is_a_path_below_the_zones(void **state)
{
    static const struct {
        const char *name;
        int is_good;
    } names[] = { { "Europe/Berlin", 1 },
                  { "UTC", 1 },
                  { "Etc/GMT+5", 1 },
                  { "America/Port-au-Prince", 1 },
                  { "America/Argentina/Buenos_Aires", 1 },
                  { "", 0 },
                  { "/etc/passwd", 0 },
                  { "../UTC", 0 },
                  { "Europe/../UTC", 0 },
                  { "Europe/", 0 },
                  { "a//b", 0 },
                  { "a/b/c/d", 0 },
                  { "CET 1", 0 },
                  { "-x", 0 } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (tz_is_name(str_from_c(names[i].name)) != names[i].is_good)
            fail_msg("'%s'", names[i].name);
}

/* Every beginning of a real file, and every byte of it turned: an answer or an error, nothing worse. */
static void test_a_broken_file_is_an_error(void **state)
{
    AUTO_ARENA struct arena a;
    struct str bytes;
    char *p;

    (void)state;
    arena_init(&a, 0);
    bytes = read_zone(&a, "Australia/Lord_Howe");
    p = arena_copy(&a, bytes.p, bytes.n);
    for (size_t n = 0; n < bytes.n; n++) {
        AUTO_ARENA struct arena scratch;
        struct err err = ERR_INIT;
        struct tz tz;

        arena_init(&scratch, 0);
        assert_int_equal(tz_parse(&scratch, S("cut"), str_slice(bytes, 0, n), &tz, &err),
                         ERR_INVALID);
        p[n] = (char)~p[n];
        if (!tz_parse(&scratch, S("turned"), (struct str){ p, bytes.n }, &tz, &err))
            (void)tz_from_local_ms(&tz, time_of("2030-04-06 16:00")); /* ends */
        p[n] = bytes.p[n];
    }
}

/* clang-format off */
static const struct footer {
    const char *rule, *at; /* UTC */
    int64_t offset_s, change_s; /* of the next change; 0: there is none */
    int is_bad;
} footers[] = {
    { "UTC0",                          "2050-07-01 00:00", 0, 0, 0 },
    { "<+0330>-3:30",                  "2050-07-01 00:00", 12600, 0, 0 },
    { "EST5EDT,M3.2.0,M11.1.0",        "2050-07-01 00:00", -14400, 2551327200, 0 },
    { "EST5EDT,M3.2.0,M11.1.0",        "2050-12-31 23:59", -18000, 2562217200, 0 },
    { "IST-1GMT0,M10.5.0,M3.5.0/1",    "2050-12-31 23:59", 0, 2563405200, 0 },
    { "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2050-07-01 00:00", -7200, 2550704400, 0 },
    { "AAA0BBB,J60/0,J300/0",          "2052-02-29 12:00", 0, 2592864000, 0 },
    { "AAA0BBB,59/0,300/0",            "2052-02-29 12:00", 3600, 2613596400, 0 },
    { "EST5EDT,M13.2.0,M11.1.0",       "", 0, 0, 1 },
    { "EST5EDT,M3.6.0,M11.1.0",        "", 0, 0, 1 },
    { "EST5EDT,M3.2.0",                "", 0, 0, 1 },
    { "EST5EDT",                       "", 0, 0, 1 },
    { "EST",                           "", 0, 0, 1 },
    { "EST5EDT,J0,J300",               "", 0, 0, 1 },
    { "EST5EDT,M3.2.0,M11.1.0/168",    "", 0, 0, 1 },
    { "EST5EDT,M3.2.0,M11.1.0x",       "", 0, 0, 1 },
    { "EST27",                         "", 0, 0, 1 },
};
/* clang-format on */

/* A file of version 2 without changes: one type, then the footer. */
static struct str given_file(struct arena *a, const char *rule)
{
    static const char header[44] = { 'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4 };
    struct sb b;

    sb_init(&b, a);
    for (int i = 0; i < 2; i++) {
        sb_add(&b, (struct str){ header, sizeof(header) });
        sb_add(&b, (struct str){ "\0\0\0\0\0\0AAA", 10 });
    }
    sb_addf(&b, "\n%s\n", rule);
    return sb_str(&b);
}

static void test_the_footer_holds_after_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(footers); i++) {
        const struct footer *f = &footers[i];
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct tz tz;
        int rc;

        arena_init(&a, 0);
        rc = tz_parse(&a, S("made"), given_file(&a, f->rule), &tz, &err);
        if (rc != (f->is_bad ? ERR_INVALID : 0))
            fail_msg("%s: %d", f->rule, rc);
        if (f->is_bad)
            continue;
        int64_t change_ms = tz_change_after_ms(&tz, time_of(f->at));

        if (tz_offset_ms(&tz, time_of(f->at)) != f->offset_s * 1000 ||
            change_ms != (f->change_s ? f->change_s * 1000 : TZ_NEVER))
            fail_msg("%s at %s: %lld, %lld", f->rule, f->at,
                     (long long)tz_offset_ms(&tz, time_of(f->at)), (long long)change_ms);
    }
}

static void test_a_time_is_told_in_its_zone(void **state)
{
    AUTO_ARENA struct arena a;
    struct tz tz;

    (void)state;
    arena_init(&a, 0);
    tz = given_zone(&a, "Europe/Berlin");
    assert_string_equal(tz_text(&a, &tz, time_of("2026-11-22 22:59")).p,
                        "2026-11-22 23:59 Europe/Berlin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules_are_due),
        cmocka_unit_test(test_mistakes_are_told),
        cmocka_unit_test(test_a_leap_day_on_a_sunday_is_found),
        cmocka_unit_test(test_the_name_is_a_path_below_the_zones),
        cmocka_unit_test(test_a_broken_file_is_an_error),
        cmocka_unit_test(test_the_footer_holds_after_the_table),
        cmocka_unit_test(test_a_time_is_told_in_its_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
