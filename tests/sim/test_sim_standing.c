/*
 * sim: what may happen while something stands in its way. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/sim/story.h"

#include "base/date.h"
#include "reconciler/engine/zones.h"

#define ZONE "Europe/Berlin"

static size_t count_sets(struct story *s, const char *state)
{
    struct rec_set *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, set, "WHERE state = $1", &rows, &n, &err,
                  DB_T(str_from_c(state))))
        fail_msg("%s", err.text);
    return n;
}

static void given_kept_set(struct story *s)
{
    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_count(s, "rollout.proven", count(s, "rollout.proven") + 1);
    assert_int_equal(count_sets(s, "previous"), 1);
}

static void say_overriding(struct story *s, enum command_verb verb)
{
    world_say(&s->w,
              &(struct command){ .verb = verb, .env = S("prod"), .as = S(""), .overrides = 1 },
              &s->done);
}

static void the_previous_set_stays_warm_while_it_is_held(struct story *s)
{
    given_kept_set(s);
    say(s, COMMAND_HOLD);
    run(s, 5 * MINUTE);
    assert_int_equal(count_sets(s, "previous"), 1);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(count_sets(s, "previous"), 0);
}

static void an_undo_while_it_is_held_needs_the_role(struct story *s)
{
    given_kept_set(s);
    say(s, COMMAND_HOLD);
    run(s, MINUTE);
    say(s, COMMAND_UNDO);
    run(s, MINUTE);
    assert_int_equal(s->done, 1); /* the hold alone */
    expect_status(s, "in_sync: ");
    say_overriding(s, COMMAND_UNDO);
    run(s, MINUTE);
    assert_int_equal(s->done, 2);
    expect_status(s, "reverted: ");
    expect_version(s, SHOP_BLOG, 1);
    say(s, COMMAND_RESUME);
}

static void a_rejected_plan_is_open_again_when_its_inputs_return(struct story *s)
{
    struct str rejected;

    s->shop.n_envs = 1;
    s->shop.is_manual[0] = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    rejected = plan_in_state(s, "waiting");
    decide(s, COMMAND_REJECT, rejected);
    run(s, MINUTE);
    expect_status(s, "waiting: the plan was rejected");
    push(s); /* a commit that moves nothing */
    run(s, 30 * SECOND);
    expect_status(s, "waiting: the plan was rejected");
    s->shop.services[SHOP_BLOG].version = 3;
    push(s);
    run(s, 30 * SECOND);
    assert_true(str_eq(plan_in_state(s, "superseded"), rejected));
    s->shop.services[SHOP_BLOG].version = 2;
    push(s);
    run(s, 30 * SECOND);
    assert_true(str_eq(plan_in_state(s, "waiting"), rejected));
    decide(s, COMMAND_APPROVE, rejected);
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* ", NAME: .." with a time of every day that begins in so many minutes by the clock of ZONE, and lasts ten. */
static const char *window_in(struct story *s, const char *before, int minutes, const char *after)
{
    struct arena *a = &s->w.arena;
    struct err err = ERR_INIT;
    int64_t local_ms;
    int from, to;
    struct tz tz;

    if (zones_read(a, S(ZONE), &tz, &err))
        skip(); /* the package tzdata is not installed */
    local_ms = tz_local_ms(&tz, loop_wall_ms(s->w.loop) + minutes * DATE_MINUTE_MS);
    from = (int)(date_time_of_day(local_ms) / DATE_MINUTE_MS);
    to = (from + 10) % (24 * 60);
    return str_fmt(a, "%s{from: \"%02d:%02d\", to: \"%02d:%02d\", tz: " ZONE "}%s", before,
                   from / 60, from % 60, to / 60, to % 60, after)
        .p;
}

static void what_is_down_for_a_while_waits_for_its_window(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.asks = window_in(s, ", windows: {downtime: [", 5, "]}");
    change(s, SHOP_CRON, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "waiting: waits for the window for downtime, from ");
    assert_true(str_ends(world_status(&s->w, S("prod")), S(ZONE)));
    expect_version(s, SHOP_CRON, 1);
    change(s, SHOP_BLOG, 0);
    s->shop.services[SHOP_CRON].version = 1;
    push(s); /* what is not down does not wait */
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
    s->shop.services[SHOP_CRON].version = 2;
    push(s);
    run(s, 5 * MINUTE);
    expect_version(s, SHOP_CRON, 2);
}

static void a_freeze_ends_by_the_clock_of_its_zone(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.asks = window_in(s, ", freeze: [", -5, "]");
    push(s);
    run(s, MINUTE); /* that it is frozen is asked by the commit itself */
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "frozen: frozen until ");
    assert_true(str_ends(world_status(&s->w, S("prod")), S(ZONE)));
    expect_version(s, SHOP_BLOG, 1);
    run(s, 5 * MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

static size_t count_lost(struct story *s)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    size_t n = 0;

    while (s->w.box && (o = world_next(&s->w, &walk)))
        n += str_eq_c(o->type, "lost") ? 1 : 0;
    return n;
}

static void what_is_lost_is_repaired_while_a_plan_waits(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.is_manual[0] = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    assert_true(plan_in_state(s, "waiting").n > 0);
    lose_live(s, S("cron"));
    assert_int_equal(count_lost(s), 1);
    run(s, 2 * MINUTE);
    assert_int_equal(count_lost(s), 0);
    decide(s, COMMAND_REJECT, plan_in_state(s, "waiting"));
}

/* A new set of the blog is ready, and somebody has to say that it may serve. */
static void given_pause(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.services[SHOP_BLOG].pauses = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: the new set is ready: ");
}

static void what_is_lost_is_repaired_during_a_pause(struct story *s)
{
    given_pause(s);
    lose_live(s, S("cron"));
    run(s, 2 * MINUTE);
    assert_int_equal(count_lost(s), 0);
    expect_status(s, "waiting: the new set is ready: ");
    say(s, COMMAND_ADVANCE);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(count(s, "rollout.reverting"), 0);
}

static void a_repair_during_a_pause_outlives_the_daemon(struct story *s)
{
    given_pause(s);
    lose_live(s, S("cron"));
    world_die(&s->w, CRASH_OP_AFTER_INTENT, 1, 2);
    run(s, 2 * MINUTE);
    assert_int_equal(count_lost(s), 0);
    assert_int_equal(s->w.died[CRASH_OP_AFTER_INTENT], 2);
    expect_status(s, "waiting: the new set is ready: ");
    say(s, COMMAND_ADVANCE);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

/* What fails beside it says nothing of the one that waits. */
static void given_failing_repair(struct story *s)
{
    given_pause(s);
    for (int64_t n = 1; n <= 12; n++)
        world_fault(&s->w, (struct null_fault){ .type = S("instance"),
                                                .action = S(""),
                                                .call = S("apply"),
                                                .name = S(""),
                                                .nth = n,
                                                .kind = NULL_FAULT_BEFORE,
                                                .verdict = RV_USER,
                                                .acted = RV_ACTED_NO });
    lose_live(s, S("cron"));
    run(s, MINUTE);
    assert_int_equal(count_lost(s), 1);
    expect_status(s, "waiting: the new set is ready: ");
}

static void a_pause_is_advanced_while_a_repair_fails(struct story *s)
{
    given_failing_repair(s);
    say(s, COMMAND_ADVANCE);
    run(s, 20 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(count_lost(s), 0);
}

/* And the next commit goes through. */
static void expect_taken_back(struct story *s)
{
    expect_version(s, SHOP_BLOG, 1);
    assert_int_equal(count_lost(s), 0);
    s->shop.services[SHOP_BLOG].pauses = 0;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 5 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
}

static void a_pause_is_cancelled_while_a_repair_fails(struct story *s)
{
    given_failing_repair(s);
    say(s, COMMAND_CANCEL);
    run(s, 20 * MINUTE);
    expect_taken_back(s);
}

static void a_pause_is_cancelled_as_a_repair_begins(struct story *s)
{
    given_pause(s);
    lose_live(s, S("cron"));
    world_die(&s->w, CRASH_OP_AFTER_ACT, 1, 1);
    say(s, COMMAND_CANCEL);
    run(s, 5 * MINUTE);
    expect_taken_back(s);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(what_is_lost_is_repaired_while_a_plan_waits),
        STORY(what_is_lost_is_repaired_during_a_pause),
        STORY(a_repair_during_a_pause_outlives_the_daemon),
        STORY(a_pause_is_advanced_while_a_repair_fails),
        STORY(a_pause_is_cancelled_while_a_repair_fails),
        STORY(a_pause_is_cancelled_as_a_repair_begins),
        STORY(the_previous_set_stays_warm_while_it_is_held),
        STORY(an_undo_while_it_is_held_needs_the_role),
        STORY(a_rejected_plan_is_open_again_when_its_inputs_return),
        STORY(what_is_down_for_a_while_waits_for_its_window),
        STORY(a_freeze_ends_by_the_clock_of_its_zone),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
