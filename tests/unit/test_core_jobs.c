/* core: when a job is due, and what is done about it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/date.h"
#include "base/guard.h"
#include "reconciler/core/jobs.h"

#define MINUTE DATE_MINUTE_MS
#define HOURLY "0 * * * *"

/* Times are minutes; a run is "MINUTE state", a person's has a '!' before it. */
static const struct row {
    const char *sentence, *schedule, *concurrency;
    int since, now;
    const char *runs; /* the newest first */
    enum jobs_act act;
    int at, next;
} rows[] = {
    { "its time has come", HOURLY, "forbid", 1, 60, "", JOBS_START, 60, 120 },
    { "a moment before", HOURLY, "forbid", 1, 59, "", JOBS_NOTHING, 0, 60 },
    { "it ran already", HOURLY, "forbid", 1, 61, "60 done", JOBS_NOTHING, 0, 120 },
    { "it failed already", HOURLY, "forbid", 1, 61, "60 failed", JOBS_NOTHING, 0, 120 },
    { "it was skipped already", HOURLY, "forbid", 1, 61, "60 skipped;0 running", JOBS_NOTHING, 0,
      120 },
    { "of many that were missed the last one", HOURLY, "forbid", 1, 610, "60 done", JOBS_START, 600,
      660 },
    { "none from before it was there", HOURLY, "forbid", 61, 90, "", JOBS_NOTHING, 0, 120 },
    { "nor from before it was changed", HOURLY, "forbid", 121, 130, "60 done", JOBS_NOTHING, 0,
      180 },
    { "a person's run is no run of the schedule", HOURLY, "forbid", 1, 121, "!121 done;60 done",
      JOBS_START, 120, 180 },
    { "one still runs", HOURLY, "forbid", 1, 120, "60 running", JOBS_SKIP, 120, 180 },
    { "one waits", HOURLY, "forbid", 1, 120, "60 waiting", JOBS_SKIP, 120, 180 },
    { "a person's run is under way too", HOURLY, "forbid", 1, 120, "!100 running;60 done",
      JOBS_SKIP, 120, 180 },
    { "both may run", HOURLY, "allow", 1, 120, "60 running", JOBS_START, 120, 180 },
    { "the new one takes its place", HOURLY, "replace", 1, 120, "60 running", JOBS_REPLACE, 120,
      180 },
    { "what makes way is not under way", HOURLY, "replace", 1, 180, "120 cancelled;60 done",
      JOBS_START, 180, 240 },
    { "nothing is there to be replaced", HOURLY, "replace", 1, 120, "60 done", JOBS_START, 120,
      180 },
    { "when a person asks", NULL, "forbid", 1, 120, "", JOBS_NOTHING, 0, -1 },
};

static const struct tz utc = { .name = S_INIT("UTC") };

static size_t given_runs(struct arena *a, const char *text, struct rec_job_run *ret)
{
    struct str rest = str_from_c(text), one, word;
    size_t n = 0;
    int64_t minute;

    while (rest.n && str_next(&rest, ';', &one)) {
        ret[n] = (struct rec_job_run){ .cause = one.p[0] == '!' ? S("person") : S("schedule") };
        one = str_slice(one, one.p[0] == '!', one.n);
        assert_true(str_next(&one, ' ', &word));
        assert_int_equal(str_to_i64(word, &minute), 0);
        ret[n].at_ms = minute * MINUTE;
        ret[n++].state = str_copy(a, one);
    }
    return n;
}

static void test_jobs_are_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct rec_job_run runs[4];
        struct jobs_move move;
        struct value *desired;
        struct jobs_facts f = {
            .tz = &utc, .runs = runs, .since_ms = row->since * MINUTE, .now_ms = row->now * MINUTE
        };

        arena_init(&a, 0);
        desired = value_map(&a);
        if (row->schedule)
            value_set_text(&a, desired, S("schedule"), str_from_c(row->schedule));
        value_set_text(&a, desired, S("concurrency"), str_from_c(row->concurrency));
        f.desired = desired;
        f.n_runs = given_runs(&a, row->runs, runs);
        assert_int_equal(jobs_judge(&f, &move, &err), 0);
        if (move.act != row->act || (move.act != JOBS_NOTHING && move.at_ms != row->at * MINUTE) ||
            move.next_ms != (row->next < 0 ? TZ_NEVER : row->next * MINUTE))
            fail_msg("%s: %d at %lld, next %lld", row->sentence, (int)move.act,
                     (long long)(move.at_ms / MINUTE), (long long)(move.next_ms / MINUTE));
    }
}

static void test_a_zone_that_nobody_knows_is_never_due(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct jobs_move move;
    struct value *desired;
    struct jobs_facts f = { .now_ms = 60 * MINUTE };

    (void)state;
    arena_init(&a, 0);
    desired = value_map(&a);
    value_set_text(&a, desired, S("schedule"), S(HOURLY));
    f.desired = desired;
    assert_int_equal(jobs_judge(&f, &move, &err), 0);
    assert_int_equal(move.act, JOBS_NOTHING);
    assert_true(move.next_ms == TZ_NEVER);
}

static void test_rows_of_old_runs_go(void **state)
{
    struct rec_job_run done = { .state = S("done") }, runs = { .state = S("running") };

    (void)state;
    assert_false(jobs_is_old(&done, JOBS_KEPT - 1));
    assert_true(jobs_is_old(&done, JOBS_KEPT));
    assert_false(jobs_is_old(&runs, JOBS_KEPT));
}

static void test_one_that_makes_way_is_ending_while_something_is_left(void **state)
{
    struct rec_job_run waits = { .state = S("waiting") },
                       runs = { .state = S("running"), .is_left = 1 };

    (void)state;
    assert_false(jobs_is_ending(&runs));
    jobs_make_way(&waits, 1);
    jobs_make_way(&runs, 1);
    assert_false(jobs_is_open(&waits) || jobs_is_open(&runs));
    assert_false(jobs_is_ending(&waits));
    assert_true(jobs_is_ending(&runs));
    runs.is_left = 0;
    assert_false(jobs_is_ending(&runs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_are_due),
        cmocka_unit_test(test_a_zone_that_nobody_knows_is_never_due),
        cmocka_unit_test(test_rows_of_old_runs_go),
        cmocka_unit_test(test_one_that_makes_way_is_ending_while_something_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
