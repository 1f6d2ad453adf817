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

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, job_run, "WHERE state LIKE $1 ORDER BY at_ms",
                  ret, &n, &err, DB_T(str_from_c(state))))
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

static struct null_object *find_job_object(struct story *s)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    while ((o = world_next(&s->w, &walk)) && !str_eq_c(o->type, "job"))
        ;
    return o;
}

static int64_t at_once(struct story *s)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    int64_t n = 0;

    while ((o = world_next(&s->w, &walk)))
        n += str_eq_c(o->type, "job") && o->pending;
    return n;
}

/* How long those last that begin from now on. */
static void last(struct story *s, int seconds)
{
    s->w.job_looks = seconds;
    world_calm(&s->w); /* and its provider is told */
}

static void given_long_job(struct story *s, const char *name, const char *more, int seconds)
{
    last(s, seconds);
    s->shop.n_envs = 1;
    s->shop.more = str_fmt(&s->w.arena, "jobs:\n  %s: {command: [./%s], %s, %s}\n", name, name,
                           EVERY_TWO, more)
                       .p;
    push(s);
    run(s, 10 * SECOND);
    run(s, 2 * MINUTE - loop_wall_ms(s->w.loop) % (2 * MINUTE) - SECOND);
}

/* Each takes five minutes, and one comes every two. */
static void two_may_run_at_once(struct story *s)
{
    given_long_job(s, SHOP_ALLOWED, "concurrency: allow", 290);
    run(s, 10 * SECOND);
    assert_int_equal(at_once(s), 1);
    run(s, 2 * MINUTE);
    assert_int_equal(at_once(s), 2);
    world_kill(&s->w);
    run(s, 2 * MINUTE);
    assert_int_equal(at_once(s), 3);
    run(s, 12 * MINUTE);
    assert_int_equal(at_once(s), 3);
    assert_int_equal(s->w.begun.n, 9);
    assert_int_equal(count(s, "job.started"), 9);
}

/* That no two run at once is a law. */
static void the_newer_one_takes_the_place(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * MINUTE);
    assert_int_equal(s->w.begun.n, 5);
    assert_int_equal(count_runs(s, "cancelled"), 4);
    assert_int_equal(count_runs(s, "running"), 1);
    last(s, 10);
    run(s, 2 * MINUTE);
    assert_int_equal(count_runs(s, "cancelled"), 5);
    assert_int_equal(count_runs(s, "done"), 1);
    assert_int_equal(at_once(s), 0);
}

/* At every moment from the row of the new one to its beginning. */
static void one_is_replaced_across_deaths(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * SECOND);
    for (int at_ms = 0; at_ms < 60; at_ms++) {
        int64_t to_next = 2 * MINUTE - loop_wall_ms(s->w.loop) % (2 * MINUTE);

        world_run(&s->w, to_next + at_ms);
        world_kill(&s->w);
        run(s, 20 * SECOND);
        assert_int_equal(at_once(s), 1);
        assert_int_equal(count_runs(s, "running"), 1);
    }
    assert_int_equal(s->w.begun.n, 61);
    assert_int_equal(count(s, "job.due"), 61);
}

/* It has not begun, it is on its way out, nobody wrote so: killed at each point of both, twice. */
static void deaths_at_every_point_of_a_replacement(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * SECOND);
    for (int point = CRASH_JOB_AFTER_DUE; point <= CRASH_JOB_AFTER_CLEARED; point++) {
        size_t n = s->w.begun.n;

        world_die(&s->w, (enum crash_point)point, 1, 2);
        run(s, 2 * MINUTE);
        assert_int_equal(at_once(s), 1);
        assert_int_equal(s->w.begun.n, n + 1);
        assert_true(s->w.died[point] > 0 || point == CRASH_JOB_BEFORE_ENDED);
    }
}

/* Nobody begins what made way before it began. */
static void one_that_waits_is_replaced_too(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * SECOND);
    world_fault(&s->w, (struct null_fault){ .type = S("job"),
                                            .call = S("apply"),
                                            .action = S(""),
                                            .name = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_RETRY,
                                            .acted = RV_ACTED_NO });
    run(s, 6 * MINUTE); /* the first does not go away */
    assert_int_equal(s->w.begun.n, 1);
    assert_int_equal(count_runs(s, "waiting"), 1);
    assert_int_equal(count_runs(s, "cancelled"), 3);
    last(s, 3600);
    run(s, 10 * MINUTE); /* it is asked ever more seldom */
    assert_int_equal(at_once(s), 1);
    assert_true(s->w.begun.n >= 2);
    assert_int_equal(count_runs(s, "waiting"), 0);
}

static void a_person_replaces_it(struct story *s)
{
    const struct command in = {
        .verb = COMMAND_RUN, .env = S("prod"), .service = S("cleanup"), .as = S("")
    };

    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * SECOND);
    world_say(&s->w, &in, &s->done);
    world_say(&s->w, &in, &s->done);
    run(s, 20 * SECOND);
    assert_int_equal(s->done, 2);
    assert_int_equal(count_runs(s, "running"), 1);
    assert_int_equal(count_runs(s, "cancelled"), 2);
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

/* Its end cannot be kept for a while: meanwhile nothing of it goes. */
static void its_end_waits_for_the_disk(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: forbid", 5);
    run(s, 3 * SECOND);
    assert_int_equal(at_once(s), 1);
    s->w.is_disk_full = 1;
    run(s, 20 * SECOND);
    assert_non_null(find_job_object(s));
    s->w.is_disk_full = 0;
    run(s, 30 * SECOND);
    assert_int_equal(s->w.begun.n, 1);
    assert_int_equal(count_runs(s, "done"), 1);
    assert_null(find_job_object(s));
}

/* What is taken away asks for patience, as any other removal may. */
static void what_is_left_goes_in_steps(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: replace", 290);
    run(s, 10 * SECOND);
    s->w.pending = 3;
    world_fault(&s->w, (struct null_fault){ .type = S("none") });
    run(s, 2 * MINUTE);
    assert_int_equal(count_runs(s, "cancelled"), 1);
    assert_int_equal(count_runs(s, "running"), 1);
    assert_int_equal(at_once(s), 1);
    last(s, 1);
}

static void lose_database(struct story *s, enum world_loss loss)
{
    int done = 0;

    world_kill(&s->w);
    world_lose_database(&s->w, loss);
    assert_null(world_recover(&s->w, N_CRASH_POINTS, &done));
    assert_int_equal(done, 1);
    laws_recovered(&s->w, &s->laws);
    run(s, SECOND);
}

/* Held, it goes on with what runs, and knows of no other. */
static void expect_recovered(struct story *s)
{
    assert_int_equal(count_runs(s, "running"), 1);
    run(s, 3 * MINUTE);
    assert_int_equal(s->w.begun.n, 1);
    assert_int_equal(count_runs(s, "done"), 1);
    assert_int_equal(count_runs(s, "%"), 1);
    assert_null(find_job_object(s));
    last(s, 1);
    say(s, COMMAND_RESUME);
    run(s, 4 * MINUTE);
    assert_true(count_runs(s, "done") >= 2);
}

static void a_run_outlives_its_database(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: forbid", 60);
    run(s, 10 * SECOND);
    lose_database(s, WORLD_LOSES_ALL);
    expect_recovered(s);
}

/* What the copy does not know is known by its label; with its revision it is gone on with as ever. */
static void a_run_outlives_what_came_after_the_copy(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: forbid", 60);
    world_keep_copy(&s->w);
    run(s, 10 * SECOND);
    lose_database(s, WORLD_LOSES_SOME);
    expect_recovered(s);
}

/* It ended while nobody looked. */
static void a_run_that_ended_meanwhile_is_told(struct story *s)
{
    struct null_object *o;

    given_long_job(s, "cleanup", "concurrency: forbid", 60);
    run(s, 10 * SECOND);
    o = find_job_object(s);
    assert_non_null(o);
    o->pending = 0;
    assert_int_equal(null_store_keep(&s->w.box->store, o, &(struct err){ 0 }), 0);
    lose_database(s, WORLD_LOSES_ALL);
    run(s, 10 * SECOND);
    assert_int_equal(count_runs(s, "done"), 1);
    assert_int_equal(s->w.begun.n, 1);
    assert_null(find_job_object(s));
    last(s, 1);
    say(s, COMMAND_RESUME);
    run(s, 2 * MINUTE);
}

/* A pass of `once` an hour: the last instant of those in between, once. */
static void a_pass_runs_what_is_due(struct story *s)
{
    given_job(s, EVERY_TWO);
    world_stop(&s->w);
    for (int pass = 1; pass <= 3; pass++) {
        s->w.wall_ms += 60 * MINUTE;
        world_once(&s->w);
        assert_int_equal(s->w.begun.n, pass);
        assert_int_equal(count_runs(s, "done"), pass);
        world_once(&s->w);
        assert_int_equal(s->w.begun.n, pass);
    }
}

/* It ends without it, and the next one knows of it. */
static void a_pass_leaves_what_runs(struct story *s)
{
    int64_t began_ms;

    given_job(s, EVERY_TWO);
    world_stop(&s->w);
    s->w.job_looks = 1000;
    s->w.wall_ms += 60 * MINUTE;
    began_ms = s->w.wall_ms;
    world_once(&s->w);
    assert_in_range(s->w.wall_ms - began_ms, 2 * SECOND, MINUTE);
    assert_int_equal(count_runs(s, "running"), 1);
    s->w.wall_ms += 60 * MINUTE;
    world_once(&s->w);
    assert_int_equal(count_runs(s, "skipped"), 1);
    assert_int_equal(s->w.begun.n, 1);
    run(s, 20 * MINUTE);
    assert_int_equal(s->w.begun.n, 2); /* the first has ended */
}

static void remove_job(struct story *s)
{
    s->shop.more = NULL;
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "waiting: class destroy");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
}

/* Nor do its rows stay. */
static void a_job_that_is_gone_runs_no_more(struct story *s)
{
    given_job(s, EVERY_TWO);
    run(s, 3 * MINUTE);
    assert_int_equal(count_runs(s, "done"), 1);
    remove_job(s);
    assert_int_equal(count_runs(s, "%"), 0);
    run(s, 6 * MINUTE);
    assert_int_equal(count_runs(s, "%"), 0);
    assert_int_equal(s->w.begun.n, count(s, "job.ended"));
}

/* It goes on to its end, which is told, also where the daemon dies meanwhile. */
static void a_run_outlives_its_job(struct story *s)
{
    given_long_job(s, "cleanup", "concurrency: forbid", 290);
    run(s, 10 * SECOND);
    remove_job(s);
    assert_int_equal(at_once(s), 1);
    assert_int_equal(count_runs(s, "running"), 1);
    world_kill(&s->w);
    run(s, 6 * MINUTE);
    assert_int_equal(s->w.begun.n, 1);
    assert_int_equal(count(s, "job.ended"), 1);
    assert_int_equal(count_runs(s, "%"), 0);
    assert_null(find_job_object(s));
}

/* Nor is it ended by another name: its row is there until it is over. */
static void a_run_outlives_the_name_of_its_job(struct story *s)
{
    struct rec_job_run *rows;

    given_long_job(s, "cleanup", "concurrency: forbid", 290);
    run(s, 10 * SECOND);
    s->shop.more = "jobs:\n  tidy: {command: [./cleanup], moved: cleanup}\n";
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(list_runs(s, "running", &rows), 1);
    assert_true(str_eq_c(rows[0].job, "cleanup"));
    world_kill(&s->w);
    run(s, 6 * MINUTE);
    assert_int_equal(s->w.begun.n, 1);
    assert_int_equal(count(s, "job.ended"), 1);
    assert_int_equal(count_runs(s, "%"), 0);
    assert_null(find_job_object(s));
}

int main(void)
{
    struct story_row rows[] = {
        STORY(it_runs_at_its_times),
        STORY(it_is_never_run_twice_for_one_instant),
        STORY(two_may_run_at_once),
        STORY(the_newer_one_takes_the_place),
        STORY(one_is_replaced_across_deaths),
        STORY(deaths_at_every_point_of_a_replacement),
        STORY(one_that_waits_is_replaced_too),
        STORY(a_person_replaces_it),
        STORY(rows_of_old_runs_go),
        STORY(what_is_missed_runs_once),
        STORY(a_freeze_stops_no_job),
        STORY(a_person_runs_it),
        STORY(its_end_waits_for_the_disk),
        STORY(what_is_left_goes_in_steps),
        STORY(a_run_outlives_its_database),
        STORY(a_run_outlives_what_came_after_the_copy),
        STORY(a_run_that_ended_meanwhile_is_told),
        STORY(a_pass_runs_what_is_due),
        STORY(a_pass_leaves_what_runs),
        STORY(a_job_that_is_gone_runs_no_more),
        STORY(a_run_outlives_its_job),
        STORY(a_run_outlives_the_name_of_its_job),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
