/*
 * sim: jobs at their times, and what comes in between. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/sim/story.h"

#define EVERY_TWO "schedule: \"*/2 * * * *\""

static void given_job(struct story *s, const char *more)
{
    s->shop.n_envs = 1;
    s->shop.more = str_fmt(&s->w.arena, "jobs:\n  cleanup: {command: [./cleanup]%s%s}\n",
                           more[0] ? ", " : "", more)
                       .p;
    push(s);
    run(s, 10 * SECOND);
}

static size_t list_runs(struct story *s, const char *state, struct rec_job_run **ret)
{
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, job_run,
                  "WHERE job = 'cleanup' AND state LIKE $1 ORDER BY at_ms", ret, &n, &err,
                  DB_T(str_from_c(state))))
        fail_msg("%s", err.text);
    return n;
}

static size_t count_runs(struct story *s, const char *state)
{
    struct rec_job_run *rows;

    return list_runs(s, state, &rows);
}

static void it_runs_at_its_times(struct story *s)
{
    struct rec_job_run *rows;
    size_t n;

    given_job(s, EVERY_TWO);
    run(s, 10 * MINUTE);
    n = list_runs(s, "done", &rows);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].at_ms % (2 * MINUTE), 0);
        assert_int_equal(rows[i].is_left, 0);
        assert_in_range(rows[i].began_ms - rows[i].at_ms, 0, 5 * SECOND);
    }
    assert_int_equal(count(s, "job.started"), 5);
    assert_int_equal(count_runs(s, "%"), 5);
}

/* Killed at every moment of a run: begun once for each instant. */
static void it_is_never_run_twice_for_one_instant(struct story *s)
{
    given_job(s, EVERY_TWO);
    for (int at_ms = 0; at_ms < 40; at_ms++) {
        int64_t to_next = 2 * MINUTE - loop_wall_ms(s->w.loop) % (2 * MINUTE);

        world_run(&s->w, to_next + at_ms);
        world_kill(&s->w);
        run(s, 20 * SECOND);
    }
    run(s, MINUTE);
    assert_int_equal(count_runs(s, "waiting") + count_runs(s, "running"), 0);
    assert_int_equal(count_runs(s, "unknown"), 0);
    assert_true(count_runs(s, "done") >= 20);
    assert_int_equal(count(s, "job.started"), 40);
    assert_int_equal(count(s, "job.ended"), 40);
}

static void rows_of_old_runs_go(struct story *s)
{
    given_job(s, EVERY_TWO);
    run(s, 60 * MINUTE);
    assert_in_range(count_runs(s, "%"), 20, 22);
}

static void what_is_missed_runs_once(struct story *s)
{
    given_job(s, EVERY_TWO);
    run(s, 5 * MINUTE);
    say(s, COMMAND_HOLD);
    run(s, 20 * MINUTE);
    assert_int_equal(count_runs(s, "done"), 2);
    say(s, COMMAND_RESUME);
    run(s, 10 * SECOND);
    assert_int_equal(count_runs(s, "done"), 3); /* the last of ten */
}

static void a_freeze_stops_no_job(struct story *s)
{
    given_job(s, EVERY_TWO);
    s->shop.asks = ", freeze: [{from: \"00:00\", to: \"00:00\"}]";
    push(s);
    run(s, MINUTE);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 4 * MINUTE);
    expect_status(s, "frozen: ");
    assert_true(count_runs(s, "done") >= 2);
    s->shop.asks = NULL;
    s->shop.services[SHOP_BLOG].version--;
    push(s);
}

static void a_person_runs_it(struct story *s)
{
    const struct command in = {
        .verb = COMMAND_RUN, .env = S("prod"), .service = S("cleanup"), .as = S("")
    };

    given_job(s, "");
    run(s, 10 * MINUTE);
    assert_int_equal(count_runs(s, "%"), 0);
    world_say(&s->w, &in, &s->done);
    run(s, 10 * SECOND);
    assert_int_equal(s->done, 1);
    assert_int_equal(count_runs(s, "done"), 1);
    say(s, COMMAND_HOLD);
    run(s, SECOND);
    world_say(&s->w, &in, &s->done);
    run(s, 10 * SECOND);
    assert_int_equal(s->done, 2); /* the hold alone */
    assert_int_equal(count_runs(s, "%"), 1);
    say(s, COMMAND_RESUME);
}

static void a_job_that_is_gone_runs_no_more(struct story *s)
{
    size_t n;

    given_job(s, EVERY_TWO);
    run(s, 3 * MINUTE);
    s->shop.more = NULL;
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "waiting: class destroy");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    n = count_runs(s, "%");
    run(s, 6 * MINUTE);
    assert_int_equal(count_runs(s, "%"), n);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(it_runs_at_its_times),
        STORY(it_is_never_run_twice_for_one_instant),
        STORY(rows_of_old_runs_go),
        STORY(what_is_missed_runs_once),
        STORY(a_freeze_stops_no_job),
        STORY(a_person_runs_it),
        STORY(a_job_that_is_gone_runs_no_more),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
