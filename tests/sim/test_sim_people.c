/*
 * sim: what people say is done, whatever else happens at that moment. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/sim/story.h"

#include "reconciler/engine/env_task.h"

static void given_waiting_plan(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.is_manual[0] = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "waiting: ");
}

/* --- approvals and holds ------------------------------------------------------------------------- */

static void an_approval_outlives_a_hold(struct story *s)
{
    given_waiting_plan(s);
    say(s, COMMAND_HOLD);
    run(s, 30 * SECOND);
    expect_status(s, "held: ");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 30 * SECOND);
    expect_status(s, "held: ");
    expect_version(s, SHOP_BLOG, 1);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(s->done, 3);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

/* The same plan, made again after another took its place, is approved anew. */
static void an_approval_does_not_come_back(struct story *s)
{
    given_waiting_plan(s);
    say(s, COMMAND_HOLD);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 30 * SECOND);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    s->shop.services[SHOP_BLOG].version = 2;
    push(s);
    run(s, 30 * SECOND);
    assert_true(plan_in_state(s, "superseded").n > 0);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(s->done, 3);
    expect_status(s, "waiting: ");
    expect_version(s, SHOP_BLOG, 1);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* The set before the live one goes when its time is over: that makes no other plan of what was approved. */
static void an_approval_outlives_the_set_that_goes(struct story *s)
{
    struct str plan;

    s->shop.keep_s = 120;
    given_waiting_plan(s);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 40 * SECOND);
    expect_status(s, "in_sync: ");
    say(s, COMMAND_HOLD);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    plan = plan_in_state(s, "waiting");
    decide(s, COMMAND_APPROVE, plan);
    run(s, 5 * MINUTE);
    assert_true(str_eq(plan_in_state(s, "approved"), plan));
    say(s, COMMAND_RESUME);
    run(s, 5 * MINUTE);
    assert_int_equal(s->done, 4);
    expect_version(s, SHOP_BLOG, 3);
}

/* Whose changes they are is asked until it is known, and stored with the plan. */
static void who_made_it_is_known_before_it_waits(struct story *s)
{
    struct rec_plan_author *rows;
    struct err err = ERR_INIT;
    size_t n;

    s->shop.n_envs = 1;
    s->shop.is_manual[0] = 1;
    s->w.git_slow_ms = 5 * SECOND;
    change(s, SHOP_BLOG, 0);
    push(s);
    for (int i = 0; i < 5; i++) {
        run(s, 7 * SECOND);
        world_kill(&s->w);
    }
    run(s, MINUTE);
    expect_status(s, "waiting: ");
    assert_int_equal(
        DB_SELECT(world_reader(&s->w), &s->w.arena, plan_author, "ORDER BY mail", &rows, &n, &err),
        0);
    assert_int_equal(n, 2);
    assert_true(str_eq_c(rows[0].mail, "developer-1@example.test"));
    assert_true(str_eq_c(rows[1].mail, "forge@example.test"));
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* No plan of this version is of class data: it is said of one that is stored. */
static void given_data_at_stake(struct story *s)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    struct tx *tx;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan, "WHERE state = 'waiting'", &rows, &n,
                  &err))
        fail_msg("%s", err.text);
    assert_int_equal(n, 1);
    rows[0].needs = S("{\"classes\":[\"data\"],\"min\":1}");
    if (db_batch_begin(s->w.engine->db, &err) ||
        engine_tx(s->w.engine,
                  &(struct engine_event){
                      .kind = S("plan.stored"), .subject = S("prod"), .env = rows[0].env },
                  &tx, &err) ||
        tx_put(tx, REC_plan, &rows[0], &err) || tx_commit(tx, &err) ||
        db_batch_commit(s->w.engine->db, &err))
        fail_msg("%s", err.text);
}

static void data_is_never_overridden(struct story *s)
{
    given_waiting_plan(s);
    given_data_at_stake(s);
    decide(s, COMMAND_OVERRIDE, plan_in_state(s, "waiting"));
    run(s, SECOND);
    assert_int_equal(s->done, 0);
    assert_true(plan_in_state(s, "waiting").n > 0);
    run(s, 2 * MINUTE); /* and it is what it is again */
    decide(s, COMMAND_OVERRIDE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    assert_int_equal(s->done, 1);
    expect_version(s, SHOP_BLOG, 2);
}

static void what_was_rejected_under_a_hold_is_not_applied(struct story *s)
{
    s->shop.n_envs = 1;
    say(s, COMMAND_HOLD);
    run(s, SECOND);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "held: ");
    decide(s, COMMAND_REJECT, plan_in_state(s, "waiting"));
    run(s, 30 * SECOND);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(s->done, 3);
    expect_version(s, SHOP_BLOG, 1);
    expect_status(s, "waiting: the plan was rejected");
}

static void an_approval_is_taken_back_while_it_is_held(struct story *s)
{
    struct str plan;

    given_waiting_plan(s);
    say(s, COMMAND_HOLD);
    run(s, 30 * SECOND);
    plan = plan_in_state(s, "waiting");
    decide(s, COMMAND_APPROVE, plan);
    run(s, 30 * SECOND);
    decide(s, COMMAND_REJECT, plan);
    run(s, SECOND);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(s->done, 4);
    expect_version(s, SHOP_BLOG, 1);
}

/* --- asked at any moment ------------------------------------------------------------------------- */

/* A cycle is under way at the moment of the ask: at each of its steps. */
static void an_undo_is_not_lost_in_a_cycle(struct story *s)
{
    for (int at_ms = 0; at_ms < 40; at_ms++) {
        int version, done = s->done;

        change(s, SHOP_BLOG, 0);
        push(s);
        run_until_applied(s);
        version = s->shop.services[SHOP_BLOG].version;
        env_task_wake(prod(s));
        world_run(&s->w, at_ms);
        say(s, COMMAND_UNDO);
        run(s, 30 * SECOND);
        assert_int_equal(s->done, done + 1);
        expect_version(s, SHOP_BLOG, version - 1);
        say(s, COMMAND_RETRY);
        run(s, 30 * SECOND);
        expect_version(s, SHOP_BLOG, version);
        run(s, 30 * SECOND);
    }
}

static void an_undo_that_cannot_be_written_is_tried_again(struct story *s)
{
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_applied(s);
    say(s, COMMAND_UNDO);
    run_until_count(s, "command.undo", 1);
    s->w.is_disk_full = 1;
    world_run(&s->w, 300);
    s->w.is_disk_full = 0;
    run(s, 30 * SECOND);
    assert_int_equal(s->done, 1);
    expect_version(s, SHOP_BLOG, 1);
}

static void expect_present(struct story *s, enum shop_name service, int present)
{
    struct shop wanted = s->shop;
    const char *broken;

    wanted.services[service].present = present;
    broken = laws_runs(&s->w, &wanted, 0, service);
    if (broken)
        fail_msg("%s", broken);
}

/* Revision 2 is without two services that revision 3 has. */
static void given_two_more(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.services[SHOP_CRON].present = s->shop.services[SHOP_BLOG].present = 0;
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "waiting: class budget");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    s->shop.services[SHOP_CRON].present = s->shop.services[SHOP_BLOG].present = 1;
    change(s, SHOP_WEB, 0);
    push(s);
    run_until_count(s, "rollout.applied", count(s, "rollout.applied") + 1);
    expect_present(s, SHOP_CRON, 1);
}

/* Approvals do not help, nor does a clock that jumps: the hour has to go by. */
static void what_makes_too_many_waits_for_the_hour(struct story *s)
{
    const struct value *rules = value_get(s->w.daemon, S("environments"));
    struct value *ceiling = value_map(&s->w.arena);

    value_set_int(&s->w.arena, ceiling, S("creates"), 10);
    for (size_t i = 0; i < value_count(rules); i++) /* the world's own, which the daemon borrows */
        value_set(&s->w.arena, rules->u.list.items[i], S("ceiling"), ceiling);
    s->shop.services[SHOP_WEB].replicas = s->shop.services[SHOP_BLOG].replicas = 3;
    change(s, SHOP_WEB, 0);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "waiting: instances: 6 more, ");
    loop_sim_step_wall(s->w.loop, 120 * MINUTE);
    run(s, 10 * MINUTE);
    expect_status(s, "waiting: instances: 6 more, ");
    run(s, 75 * MINUTE); /* the clock is believed again after an hour in step */
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
}

/* Who goes back and would take more away than the rule's budget is asked as well, and not forgotten. */
static void what_is_over_the_budget_waits(struct story *s, const struct command *back)
{
    given_two_more(s);
    world_say(&s->w, back, &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "waiting: class budget");
    expect_present(s, SHOP_CRON, 1);
    world_kill(&s->w);
    run(s, MINUTE);
    expect_status(s, "waiting: class budget");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 2 * MINUTE);
    expect_present(s, SHOP_CRON, 0);
    expect_version(s, SHOP_WEB, 1);
}

static void a_rollback_over_the_budget_waits(struct story *s)
{
    what_is_over_the_budget_waits(
        s, &(struct command){
               .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 2, .as = S("") });
}

/* What is lost meanwhile is put back, and nobody is asked once more. */
static void a_rollback_that_is_rejected_stays_so(struct story *s)
{
    given_two_more(s);
    world_say(
        &s->w,
        &(struct command){ .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 2, .as = S("") },
        &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "waiting: class budget");
    decide(s, COMMAND_REJECT, plan_in_state(s, "waiting"));
    lose_live(s, S("cron"));
    run(s, 5 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_present(s, SHOP_CRON, 1);
}

static void an_undo_over_the_budget_waits(struct story *s)
{
    what_is_over_the_budget_waits(
        s, &(struct command){ .verb = COMMAND_UNDO, .env = S("prod"), .as = S("") });
}

/* Version 1 is kept, version 2 is live, version 3 bakes: nobody wants to go back to version 1. */
static void given_baking(struct story *s)
{
    s->shop.n_envs = 1;
    for (int i = 0; i < 2; i++) {
        change(s, SHOP_BLOG, 0);
        push(s);
        if (!i)
            run_until_applied(s);
    }
    run_until_switched(s);
}

static void an_undo_while_a_plan_bakes_is_refused(struct story *s)
{
    given_baking(s);
    say(s, COMMAND_UNDO);
    run(s, MINUTE);
    assert_int_equal(s->done, 0);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
}

static size_t count_authors(struct story *s, struct str plan)
{
    struct rec_plan_author *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan_author,
                  "WHERE lower(hex(plan)) = $1 ORDER BY mail", &rows, &n, &err, DB_T(plan)))
        fail_msg("%s", err.text);
    return n;
}

/* A plan that was begun and did not come through takes nobody's changes out of the next one. */
static void who_made_what_was_cancelled_made_it(struct story *s)
{
    struct str first;

    given_waiting_plan(s);
    first = plan_in_state(s, "waiting");
    assert_int_equal(count_authors(s, first), 2);
    decide(s, COMMAND_APPROVE, first);
    run_until_switched(s);
    say(s, COMMAND_CANCEL);
    run(s, 5 * MINUTE);
    expect_status(s, "waiting: it was cancelled");
    assert_int_equal(count_authors(s, plan_in_state(s, "waiting")), 2);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* What is in quarantine while others are applied is a change when a person lifts it. */
static void who_made_what_was_left_alone_made_it(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.is_manual[0] = 1;
    for (int bad = 0; bad < 2; bad++) {
        change(s, SHOP_BLOG, bad);
        push(s);
        run(s, 30 * SECOND);
        decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
        run(s, 2 * MINUTE);
    }
    expect_status(s, "reverted: ");
    change(s, SHOP_CRON, 0);
    push(s);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_CRON, 2);
    say(s, COMMAND_RETRY);
    run(s, 30 * SECOND);
    assert_int_equal(count_authors(s, plan_in_state(s, "waiting")), 3);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 4);
}

/* What was rolled back is a change again when it comes back. */
static void who_made_what_was_rolled_back_made_it(struct story *s)
{
    s->shop.n_envs = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 12 * MINUTE);
    world_say(
        &s->w,
        &(struct command){ .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 1, .as = S("") },
        &s->done);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, 1);
    s->shop.is_manual[0] = 1;
    s->shop.has_more = 1;
    push(s);
    run(s, 30 * SECOND);
    expect_status(s, "waiting: ");
    assert_int_equal(count_authors(s, plan_in_state(s, "waiting")), 3);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
}

static void what_is_cancelled_stays_so(struct story *s)
{
    given_baking(s);
    say(s, COMMAND_CANCEL);
    run(s, 5 * MINUTE);
    expect_status(s, "waiting: it was cancelled");
    expect_version(s, SHOP_BLOG, 2);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    assert_int_equal(s->done, 2);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
}

static void what_is_cancelled_stays_so_after_a_death(struct story *s)
{
    int64_t n;

    given_baking(s);
    n = count(s, "rollout.applied");
    say(s, COMMAND_CANCEL);
    run_until_count(s, "command.cancel", 1);
    world_kill(&s->w);
    run(s, MINUTE);
    assert_int_equal(count(s, "rollout.applied"), n);
    expect_version(s, SHOP_BLOG, 2);
    change(s, SHOP_BLOG, 0); /* another commit is another wish */
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 4);
}

/* --- what is rolled back stays so --------------------------------------------------------------- */

/* What fails is left as it is; what works goes back when a person says so. */
static void what_nothing_reverts_a_person_can(struct story *s)
{
    struct rec_rollout *rows;
    struct err err = ERR_INIT;
    size_t n;

    s->shop.n_envs = 1;
    s->shop.services[SHOP_BLOG].is_left = 1;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting")); /* the policy is weaker than before */
    run_until_switched(s);
    say(s, COMMAND_CANCEL);
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 1);
    expect_status(s, "waiting: it was cancelled");
    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, rollout, "WHERE state = 'held'",
                               &rows, &n, &err),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(count(s, "rollout.reverting"), 1);
    s->shop.services[SHOP_BLOG].is_left = 0;
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void a_repair_does_not_bring_back_what_was_rolled_back(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    change(s, SHOP_API, 0);
    push(s);
    run(s, MINUTE);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, MINUTE);
    n = count(s, "rollout.applied");
    world_say(
        &s->w,
        &(struct command){ .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 1, .as = S("") },
        &s->done);
    run_until_count(s, "rollout.applied", n + 1);
    for (int i = 0; i < 12; i++)
        assert_true(world_lose_instance(&s->w, (uint64_t)i));
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_version(s, SHOP_WEB, 1);
    expect_version(s, SHOP_API, 1);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(an_approval_outlives_a_hold),
        STORY(an_approval_does_not_come_back),
        STORY(an_approval_outlives_the_set_that_goes),
        STORY(who_made_it_is_known_before_it_waits),
        STORY(data_is_never_overridden),
        STORY(what_was_rejected_under_a_hold_is_not_applied),
        STORY(an_approval_is_taken_back_while_it_is_held),
        STORY(an_undo_is_not_lost_in_a_cycle),
        STORY(an_undo_that_cannot_be_written_is_tried_again),
        STORY(what_makes_too_many_waits_for_the_hour),
        STORY(a_rollback_over_the_budget_waits),
        STORY(a_rollback_that_is_rejected_stays_so),
        STORY(an_undo_over_the_budget_waits),
        STORY(an_undo_while_a_plan_bakes_is_refused),
        STORY(who_made_what_was_cancelled_made_it),
        STORY(who_made_what_was_left_alone_made_it),
        STORY(who_made_what_was_rolled_back_made_it),
        STORY(what_is_cancelled_stays_so),
        STORY(what_is_cancelled_stays_so_after_a_death),
        STORY(what_nothing_reverts_a_person_can),
        STORY(a_repair_does_not_bring_back_what_was_rolled_back),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
