/*
 * sim: what is parked, refused, lost or sick is said, and in nobody else's way. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/sim/story.h"

#include "reconciler/engine/env_task.h"

static void refuse(struct story *s, const char *type, const char *action, struct str name,
                   const char *call, enum rv_verdict verdict)
{
    world_fault(&s->w, (struct null_fault){ .type = str_from_c(type),
                                            .action = str_from_c(action),
                                            .name = name,
                                            .call = str_from_c(call),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = verdict });
}

static void expect_health(struct story *s, const char *health)
{
    struct rec_environment *rows;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, environment, "WHERE name = 'prod'",
                               &rows, &n, &err),
                     0);
    assert_string_equal(rows[0].health.p, health);
}

/* --- what waits for a person -------------------------------------------------------------------- */

static void what_is_parked_for_days_costs_no_memory(struct story *s)
{
    size_t before;

    s->shop.n_envs = 1;
    change(s, SHOP_CRON, 0);
    push(s);
    world_die(&s->w, CRASH_OP_AFTER_INTENT, 1, 8);
    run(s, 2 * MINUTE);
    expect_status(s, "parked: ");
    assert_non_null(prod(s)->main);
    before = prod(s)->main->rows.used_bytes;
    world_run(&s->w, 60 * MINUTE);
    assert_int_equal(prod(s)->main->rows.used_bytes, before);
    settle_parked(s);
}

/* What a set of an older plan would need is still being taken away, and its provider refuses. */
static void what_is_busy_is_given_up(struct story *s)
{
    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    refuse(s, "instance", "delete", S(""), "apply", RV_RETRY);
    run(s, 2 * MINUTE);
    s->shop.services[SHOP_BLOG].version = 1;
    push(s);
    run(s, MINUTE);
    expect_status(s, "converging: ");
    say(s, COMMAND_CANCEL);
    run(s, MINUTE);
    expect_status(s, "waiting: it was cancelled");
    world_calm(&s->w);
    run(s, 6 * MINUTE);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 1);
}

/* In the watch: traffic is moved back, and the run goes with what it was run for. */
static void what_is_not_verified_goes_back(struct story *s)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    s->shop.n_envs = 1;
    change(s, SHOP_WEB, 0);
    push(s);
    refuse(s, "verify", "run", S(""), "apply", RV_USER);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: ");
    expect_version(s, SHOP_WEB, 1);
    while ((o = world_next(&s->w, &walk)))
        assert_false(str_eq_c(o->type, "verify"));
    world_calm(&s->w);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void a_gate_that_cannot_open_is_cancelled(struct story *s)
{
    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    refuse(s, "", "", S(""), "counters", RV_RETRY);
    run_until_switched(s);
    run(s, 2 * MINUTE);
    say(s, COMMAND_CANCEL);
    run(s, 30 * SECOND);
    assert_int_equal(s->done, 1);
    expect_version(s, SHOP_BLOG, 1);
    world_calm(&s->w);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

/* --- what is lost, what is sick ------------------------------------------------------------------ */

/* As when the machine stops in the middle: nobody is to blame. */
static void a_rollout_in_which_everything_vanished_is_tried_again(struct story *s)
{
    struct rec_quarantine *rows;
    struct err err = ERR_INIT;
    struct null_object *o;
    size_t n;

    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_switched(s);
    do {
        struct world_walk walk = { 0 };

        while ((o = world_next(&s->w, &walk)) && !str_eq_c(o->type, "instance"))
            ;
        if (o)
            assert_int_equal(null_store_drop(&s->w.box->store, o->owner, &err), 0);
    } while (o);
    world_run(&s->w, 6 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(
        DB_SELECT(world_reader(&s->w), &s->w.arena, quarantine, "ORDER BY env", &rows, &n, &err),
        0);
    assert_int_equal(n, 0);
}

static void a_repair_that_fails_takes_its_time_without_specs(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    s->shop.is_broken = 1;
    push(s);
    run(s, 30 * SECOND);
    refuse(s, "instance", "", S(""), "apply", RV_FATAL);
    n = count(s, "plan.started");
    assert_true(world_lose_instance(&s->w, 3));
    world_run(&s->w, MINUTE);
    assert_in_range(count(s, "plan.started") - n, 1, 6);
    world_calm(&s->w);
    s->shop.is_broken = 0;
    push(s);
    run(s, 12 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void what_cannot_be_repaired_is_replaced(struct story *s)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    struct err err = ERR_INIT;
    int64_t n;

    s->shop.n_envs = 1;
    while ((o = world_next(&s->w, &walk)))
        if (str_eq_c(o->type, "instance") && str_starts(o->name, S("blog@")) &&
            str_find(o->desired, S("prod")) != STR_NPOS)
            break;
    assert_non_null(o);
    refuse(s, "instance", "", str_copy(&s->w.arena, o->name), "apply", RV_FATAL);
    assert_int_equal(null_store_drop(&s->w.box->store, o->owner, &err), 0);
    world_run(&s->w, 2 * MINUTE);
    n = count(s, "rollout.applied");
    change(s, SHOP_BLOG, 0);
    push(s);
    world_run(&s->w, 6 * MINUTE);
    assert_int_equal(count(s, "rollout.applied"), n + 1);
    world_calm(&s->w);
    run(s, 6 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

/* The set that stands in the way of the next one is deleted for ever; a person sees why nothing goes on. */
static void what_is_refused_again_and_again_is_said(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.keep_s = 600;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    refuse(s, "instance", "delete", S(""), "apply", RV_RETRY);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "converging: delete of instance/blog@");
    world_calm(&s->w);
    run(s, 6 * MINUTE);
    expect_status(s, "in_sync: ");
    run(s, 11 * MINUTE);
}

/* A commit that failed waits its time; a dead instance does not wait with it. */
static void what_is_lost_does_not_wait_for_what_failed(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    s->w.is_everything_sick = 1; /* an outage: nothing is quarantined, all is tried again */
    run(s, 12 * MINUTE);
    while (prod(s)->main) /* what runs would be proven */
        run(s, SECOND);
    s->w.is_everything_sick = 0;
    n = count(s, "plan.started");
    assert_true(world_lose_instance(&s->w, 3));
    run(s, 40 * SECOND);
    assert_true(prod(s)->not_before_mono_ms > loop_mono_ms(s->w.loop));
    assert_int_equal(count(s, "plan.started"), n + 1); /* nor is the commit tried early for it */
    run(s, 10 * MINUTE);
    expect_status(s, "in_sync: ");
}

/* What is pushed after a failure does not wait, also where it must be asked first whether it goes on. */
static void what_is_new_does_not_wait_for_what_failed(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    s->w.is_everything_sick = 1;
    run(s, 12 * MINUTE);
    while (prod(s)->main)
        run(s, SECOND);
    s->w.is_everything_sick = 0;
    s->w.is_disk_full = 1; /* planning fails: what was known of the tip is in doubt */
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 12 * SECOND);
    s->w.is_disk_full = 0;
    n = count(s, "plan.started");
    run(s, 25 * SECOND);
    assert_true(prod(s)->line > 0);
    assert_int_equal(count(s, "plan.started"), n + 1);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
}

/* It says how it goes on; nobody refuses anything. */
static void what_takes_long_is_not_called_refused(struct story *s)
{
    s->shop.n_envs = 1;
    s->w.pending = 2000; /* looks until it is done */
    world_fault(&s->w, (struct null_fault){ .type = S("none"), .kind = NULL_FAULT_BEFORE });
    change(s, SHOP_CRON, 0);
    push(s);
    run(s, 70 * SECOND);
    assert_non_null(prod(s)->main);
    assert_string_equal(world_status(&s->w, S("prod")).p, "converging: ");
    world_calm(&s->w);
    run(s, 10 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void what_is_sick_is_said_so_after_a_deploy(struct story *s)
{
    s->shop.n_envs = 1;
    s->w.is_everything_sick = 1;
    run(s, 2 * MINUTE);
    expect_health(s, "unhealthy");
    change(s, SHOP_CRON, 0); /* which nobody probes */
    push(s);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_CRON, 2);
    expect_health(s, "unhealthy");
    s->w.is_everything_sick = 0;
    run(s, MINUTE);
    expect_health(s, "healthy");
}

static void a_mark_outlives_hours_of_a_full_disk(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    n = count(s, "gate.verdict");
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_count(s, "gate.verdict", n + 2); /* ready, bake: what follows is a mark */
    s->w.is_disk_full = 1;
    world_run(&s->w, 3 * 60 * MINUTE);
    s->w.is_disk_full = 0;
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

/* --- what is lost, and lost again ---------------------------------------------------------------- */

static struct rec_environment row_of_prod(struct story *s)
{
    struct rec_environment row;

    MUST(environments_by_name(world_reader(&s->w), &s->w.arena, S("prod"), &row, err));
    return row;
}

/* A life that changed nothing outside counted, too: its plans have ids that somebody may have been told. */
static void numbers_are_given_once(struct story *s)
{
    struct rec_environment before = row_of_prod(s), after;
    int done;

    for (int i = 0; i < 3; i++) {
        world_kill(&s->w);
        world_lose_database(&s->w, WORLD_LOSES_ALL);
        assert_null(world_recover(&s->w, N_CRASH_POINTS, &done));
        after = row_of_prod(s);
        assert_true(after.apply_seq > before.apply_seq && after.route_gen > before.route_gen);
        laws_recovered(&s->w, &s->laws);
        change(s, SHOP_WEB, 0);
        push(s); /* planned, and held */
        run(s, 10 * SECOND);
        before = row_of_prod(s);
    }
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_rollout_in_which_everything_vanished_is_tried_again),
        STORY(what_is_parked_for_days_costs_no_memory),
        STORY(what_is_busy_is_given_up),
        STORY(what_is_not_verified_goes_back),
        STORY(a_gate_that_cannot_open_is_cancelled),
        STORY(a_repair_that_fails_takes_its_time_without_specs),
        STORY(what_cannot_be_repaired_is_replaced),
        STORY(what_is_refused_again_and_again_is_said),
        STORY(what_is_lost_does_not_wait_for_what_failed),
        STORY(what_is_new_does_not_wait_for_what_failed),
        STORY(what_takes_long_is_not_called_refused),
        STORY(what_is_sick_is_said_so_after_a_deploy),
        STORY(a_mark_outlives_hours_of_a_full_disk),
        STORY(numbers_are_given_once),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
