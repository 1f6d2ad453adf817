/* core/metrics, core/health_sum: numbers as Prometheus reads them, and how parts make a whole. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/health_sum.h"
#include "reconciler/core/metrics.h"

/* --- the text ------------------------------------------------------------------------------------ */

/* The lines of one family, less its help. */
static void expect_lines(const struct metrics *m, const char *sentence, const char *wanted)
{
    struct str rest = metrics_text(m), line;
    struct sb b;

    sb_init(&b, m->a);
    while (str_next(&rest, '\n', &line))
        if (line.n && !str_starts(line, S("# HELP")))
            sb_addf(&b, "%.*s\n", STR_ARG(line));
    if (!str_eq_c(sb_str(&b), wanted))
        fail_msg("%s:\n%s", sentence, sb_str(&b).p);
}

static void test_a_value_is_written_as_it_is_read(void **state)
{
    static const struct {
        const char *sentence;
        double value;
        const char *label, *wanted;
    } rows[] = {
        { "a whole number", 3, "a", "reeve_source_failures{source=\"a\"} 3\n" },
        { "a large one keeps its digits", 9007199254740991.0, "a",
          "reeve_source_failures{source=\"a\"} 9007199254740991\n" },
        { "a broken one", 0.25, "a", "reeve_source_failures{source=\"a\"} 0.25\n" },
        { "none", 0, "a", "reeve_source_failures{source=\"a\"} 0\n" },
        { "a quote ends no label", 1, "a\"} 7", "reeve_source_failures{source=\"a\\\"} 7\"} 1\n" },
        { "nor does a backslash", 1, "a\\", "reeve_source_failures{source=\"a\\\\\"} 1\n" },
        { "nor a line", 1, "a\nreeve_up 0",
          "reeve_source_failures{source=\"a\\nreeve_up 0\"} 1\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct metrics m;

        metrics_init(&m, &a);
        METRICS_PUT(&m, SOURCE_FAILURES, rows[i].value, str_from_c(rows[i].label));
        expect_lines(&m, rows[i].sentence,
                     str_fmt(&a, "# TYPE reeve_source_failures gauge\n%s", rows[i].wanted).p);
    }
}

static void test_a_family_stands_together_in_the_order_of_the_table(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    struct metrics m;

    (void)state;
    metrics_init(&m, &a);
    METRICS_PUT(&m, SOURCE_FAILURES, 1, S("b"));
    METRICS_PUT(&m, UP, 1);
    METRICS_PUT(&m, SOURCE_FAILURES, 2, S("a"));
    expect_lines(&m, "put in another order",
                 "# TYPE reeve_up gauge\nreeve_up 1\n"
                 "# TYPE reeve_source_failures gauge\nreeve_source_failures{source=\"b\"} 1\n"
                 "reeve_source_failures{source=\"a\"} 2\n");
}

static void test_times_are_counted_by_their_first_bound(void **state)
{
    static const int64_t times_ms[] = { 0, 1, 2, 5, 30000, 30001, -4 };
    AUTO_ARENA struct arena a = { 0 };
    struct metrics_times times;
    struct metrics m;

    (void)state;
    memset(&times, 0, sizeof(times));
    for (size_t i = 0; i < N_ELEMENTS(times_ms); i++)
        metrics_time(&times, METRICS_COMMITS, times_ms[i]);
    metrics_init(&m, &a);
    METRICS_PUT_TIMES(&m, COMMITS, &times);
    metrics_time(&times, METRICS_COMMITS, 1); /* what comes later is not of this one */
    expect_lines(&m, "seven of them",
                 "# TYPE reeve_commit_duration_seconds histogram\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.001\"} 3\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.005\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.02\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.05\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.1\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"0.5\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"1\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"5\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"10\"} 5\n"
                 "reeve_commit_duration_seconds_bucket{le=\"30\"} 6\n"
                 "reeve_commit_duration_seconds_bucket{le=\"+Inf\"} 7\n"
                 "reeve_commit_duration_seconds_sum 60.009\n"
                 "reeve_commit_duration_seconds_count 7\n");
}

/* A label that nobody bounds makes series without end. */
static void test_the_table_keeps_its_own_rules(void **state)
{
    static const char *const bounded[] = { "version",     "kind",     "name",     "sync",
                                           "health",      "source",   "pool",     "result",
                                           "call",        "answer",   "outcome",  "state",
                                           "method",      "status",   "decision", "route",
                                           "environment", "provider", "drain" };

    (void)state;
    for (int id = 0; id < N_METRICS; id++) {
        const struct metrics_row *row = metrics_row((enum metrics_id)id);
        struct str rest = *row->labels ? str_from_c(row->labels) : STR_NONE, name;

        print_message("  %s\n", row->name);
        assert_int_equal(row->type == METRICS_COUNTER,
                         str_ends(str_from_c(row->name), S("_total")));
        assert_true(*row->help);
        for (int other = 0; other < id; other++)
            assert_string_not_equal(metrics_row((enum metrics_id)other)->name, row->name);
        while (str_next(&rest, ',', &name)) {
            int is_bounded = 0;

            for (size_t i = 0; i < N_ELEMENTS(bounded); i++)
                is_bounded |= str_eq_c(name, bounded[i]);
            assert_true(is_bounded);
        }
    }
}

/* --- health -------------------------------------------------------------------------------------- */

static void test_parts_make_a_whole(void **state)
{
    static const struct {
        const char *sentence, *kinds[3];
        enum health_status statuses[3];
        const char *whole;
    } rows[] = {
        { "nothing is needed", { NULL }, { 0 }, "healthy" },
        { "all is well", { "database", "source", "edge" }, { 0 }, "healthy" },
        { "a source that fails now and then", { "database", "source" }, { 0, 1 }, "degraded" },
        { "one that is gone degrades", { "database", "source" }, { 0, 2 }, "degraded" },
        { "so does a provider", { "provider", "database" }, { 2, 0 }, "degraded" },
        { "without the database nothing works", { "source", "database" }, { 1, 2 }, "unhealthy" },
        { "without an edge nobody is served", { "edge", "database" }, { 2, 0 }, "unhealthy" },
        { "the worst counts, in any order", { "database", "disk" }, { 2, 1 }, "unhealthy" },
        { "a standby without its daemon", { "database", "daemon" }, { 0, 2 }, "degraded" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct value *list = value_list(&a);

        for (size_t k = 0; k < 3 && rows[i].kinds[k]; k++)
            health_sum_add(&a, list,
                           &(struct health_part){ .kind = str_from_c(rows[i].kinds[k]),
                                                  .name = S("x"),
                                                  .status = rows[i].statuses[k],
                                                  .message = S("") });
        if (strcmp(health_sum_word(health_sum_of(list)), rows[i].whole))
            fail_msg("%s: %s", rows[i].sentence, health_sum_word(health_sum_of(list)));
    }
}

static void test_of_a_kind_the_worst_and_the_slowest_is_told(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    struct value *list = value_list(&a), *kinds;
    const struct value *provider;

    (void)state;
    for (int i = 0; i < 3; i++)
        health_sum_add(&a, list,
                       &(struct health_part){ .kind = S("provider"),
                                              .name = S("x"),
                                              .status = i == 1 ? HEALTH_DEGRADED : HEALTH_HEALTHY,
                                              .response_time_ms = i == 0 ? 40 : -1,
                                              .message = S("") });
    kinds = health_sum_kinds(&a, list);
    provider = value_get(kinds, S("provider"));
    assert_int_equal(value_count(kinds), 1);
    assert_int_equal(health_sum_status(provider), HEALTH_DEGRADED);
    assert_int_equal(value_get_int(provider, S("response_time_ms"), 0), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_written_as_it_is_read),
        cmocka_unit_test(test_a_family_stands_together_in_the_order_of_the_table),
        cmocka_unit_test(test_times_are_counted_by_their_first_bound),
        cmocka_unit_test(test_the_table_keeps_its_own_rules),
        cmocka_unit_test(test_parts_make_a_whole),
        cmocka_unit_test(test_of_a_kind_the_worst_and_the_slowest_is_told),
    };

    return cmocka_run_group_tests_name("core metrics", tests, NULL, NULL);
}
