/*
 * sim: what people say is done, whatever else happens at that moment. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/sim/story.h"

#include "reconciler/engine/env_task.h"

/* --- telling ------------------------------------------------------------------------------------- */

static struct str plan_in_state(struct story *s, const char *state)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan,
                  "WHERE state = $1 AND env = (SELECT uid FROM environments WHERE name = 'prod')",
                  &rows, &n, &err, DB_T(str_from_c(state))))
        fail_msg("%s", err.text);
    return n ? digest_hex(&s->w.arena, &rows[0].id) : S("");
}

static void decide(struct story *s, enum command_verb verb, struct str plan)
{
    assert_true(plan.n > 0);
    world_say(&s->w, &(struct command){ .verb = verb, .plan = plan, .as = S("") }, &s->done);
}

static struct env_task *prod(struct story *s)
{
    for (size_t i = 0; i < s->w.engine->envs.n; i++)
        if (str_eq_c(s->w.engine->envs.p[i]->name, "prod"))
            return s->w.engine->envs.p[i];
    fail_msg("there is no prod");
    return NULL;
}

/* One of prod's groups has its new set live and bakes. */
static void run_until_switched(struct story *s)
{
    struct rec_rollout *rows;
    struct err err = ERR_INIT;
    size_t n = 0;

    for (int i = 0; i < 600 && !n; i++) {
        world_run(&s->w, 100);
        assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, rollout,
                                   "WHERE state = 'switched'", &rows, &n, &err),
                         0);
    }
    assert_true(n > 0);
}

/* The null driver refuses, every time. */
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
    rows[0].needs = str_fmt(&s->w.arena, "{\"classes\":%d,\"min\":1}", PLAN_CLASS_DATA);
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

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_rollout_in_which_everything_vanished_is_tried_again),
        STORY(an_approval_outlives_a_hold),
        STORY(an_approval_does_not_come_back),
        STORY(an_approval_outlives_the_set_that_goes),
        STORY(who_made_it_is_known_before_it_waits),
        STORY(data_is_never_overridden),
        STORY(what_was_rejected_under_a_hold_is_not_applied),
        STORY(an_approval_is_taken_back_while_it_is_held),
        STORY(an_undo_is_not_lost_in_a_cycle),
        STORY(an_undo_that_cannot_be_written_is_tried_again),
        STORY(a_rollback_over_the_budget_waits),
        STORY(an_undo_over_the_budget_waits),
        STORY(an_undo_while_a_plan_bakes_is_refused),
        STORY(who_made_what_was_cancelled_made_it),
        STORY(who_made_what_was_left_alone_made_it),
        STORY(who_made_what_was_rolled_back_made_it),
        STORY(what_is_cancelled_stays_so),
        STORY(what_is_cancelled_stays_so_after_a_death),
        STORY(what_nothing_reverts_a_person_can),
        STORY(a_repair_does_not_bring_back_what_was_rolled_back),
        STORY(what_is_parked_for_days_costs_no_memory),
        STORY(what_is_busy_is_given_up),
        STORY(a_gate_that_cannot_open_is_cancelled),
        STORY(a_repair_that_fails_takes_its_time_without_specs),
        STORY(what_cannot_be_repaired_is_replaced),
        STORY(what_is_refused_again_and_again_is_said),
        STORY(what_is_lost_does_not_wait_for_what_failed),
        STORY(what_is_new_does_not_wait_for_what_failed),
        STORY(what_takes_long_is_not_called_refused),
        STORY(what_is_sick_is_said_so_after_a_deploy),
        STORY(a_mark_outlives_hours_of_a_full_disk),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
