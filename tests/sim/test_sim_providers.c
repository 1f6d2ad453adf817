/* sim: a provider that does not answer is nobody's fault, and in nobody else's way. SPDX-License-Identifier: Apache-2.0
 *
 * prod is on the box, stage on the crate. */
#include "tests/sim/story.h"

#define AWAY (10 * MINUTE)
#define BACK (8 * MINUTE) /* what was backing off comes again within it */
#define HANGS_MS 3600000

static void refuses(struct story *s)
{
    world_fault(&s->w, (struct null_fault){ .type = S(""),
                                            .action = S(""),
                                            .name = S(""),
                                            .call = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_RETRY });
}

/* Every call ends by its own deadline. */
static void hangs(struct story *s)
{
    s->w.latency_ms = HANGS_MS;
    refuses(s); /* tells the box */
}

static int is_open(struct story *s)
{
    return provider_line_find(s->w.engine, S("box"))->breaker.is_open;
}

static void expect_nothing_quarantined(struct story *s)
{
    struct rec_quarantine *rows;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(
        DB_SELECT(world_reader(&s->w), &s->w.arena, quarantine, "ORDER BY env", &rows, &n, &err),
        0);
    if (n)
        fail_msg("quarantined: %.*s", STR_ARG(rows[0].reason));
}

static void expect_stage_runs(struct story *s, enum shop_name service)
{
    const char *broken = laws_runs(&s->w, &s->shop, 1, service);

    if (broken)
        fail_msg("%s", broken);
}

/* Nobody waits for the box but who needs it; when it is back, all is as asked. */
static void expect_box_is_away(struct story *s)
{
    run(s, AWAY / 2);
    expect_stage_runs(s, SHOP_BLOG);
    change(s, SHOP_API, 0); /* the newest wish is what counts */
    push(s);
    run(s, AWAY / 2);
    expect_stage_runs(s, SHOP_API);
    assert_true(is_open(s));
    expect_nothing_quarantined(s);
    world_calm(&s->w);
    run(s, BACK);
    assert_false(is_open(s));
    expect_nothing_quarantined(s);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    expect_version(s, SHOP_API, 2);
}

static size_t count_under_way(struct story *s)
{
    struct rec_operation *rows;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, operation,
                               "WHERE outcome IS NULL AND token IS NOT NULL", &rows, &n, &err),
                     0);
    return n;
}

/* The box takes six operations at a time, and is not given a seventh. */
static void many_wait_for_their_turn(struct story *s)
{
    size_t most = 0;

    for (int i = 0; i < N_SHOP; i++) {
        s->shop.services[i].replicas = 4;
        change(s, (enum shop_name)i, 0);
    }
    s->w.pending = 4; /* looks until one is done */
    world_fault(&s->w, (struct null_fault){ .type = S("none"), .kind = NULL_FAULT_BEFORE });
    push(s);
    for (int i = 0; i < 3000; i++) {
        size_t n;

        world_run(&s->w, 10);
        n = count_under_way(s);
        most = n > most ? n : most;
    }
    assert_int_equal(most, 6);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void one_that_refuses_before_a_push(struct story *s)
{
    refuses(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    expect_box_is_away(s);
}

static void one_that_hangs_before_a_push(struct story *s)
{
    hangs(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    expect_box_is_away(s);
}

static void given_a_plan_that_runs(struct story *s)
{
    change(s, SHOP_BLOG, 0);
    push(s);
    for (int i = 0; i < 60 * SECOND && count(s, "operation.intent") < 1; i++)
        world_run(&s->w, 1);
}

static void one_that_refuses_in_the_middle_of_a_plan(struct story *s)
{
    given_a_plan_that_runs(s);
    refuses(s);
    expect_box_is_away(s);
}

static void one_that_hangs_in_the_middle_of_a_plan(struct story *s)
{
    given_a_plan_that_runs(s);
    hangs(s);
    expect_box_is_away(s);
}

/* It answers again when the deadline of the gate is about to pass: a set has the time that it needs. */
static void one_that_comes_back_just_before_a_deadline(struct story *s)
{
    change(s, SHOP_WORKER, 0);
    push(s);
    run_until_count(s, "rollout.began", count(s, "rollout.began") + 2);
    run_until_count(s, "gate.opened", count(s, "gate.opened") + 2);
    refuses(s);
    run(s, 14 * SECOND);
    world_calm(&s->w);
    run(s, BACK);
    expect_nothing_quarantined(s);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WORKER, 2);
}

/* What the box is to stop hangs for ever; the crate is well. */
static void a_way_back_waits_for_no_stop(struct story *s)
{
    int64_t n;

    for (int i = 0; i < N_SHOP; i++) {
        s->shop.services[i].replicas = 3;
        change(s, (enum shop_name)i, 0);
    }
    push(s);
    run_until_applied(s);
    for (int i = 0; i < N_SHOP; i++)
        change(s, (enum shop_name)i, 0);
    push(s);
    run_until_applied(s);
    hangs(s);
    run(s, MINUTE); /* nobody keeps what was before any more */
    n = count(s, "rollout.reverted");
    change(s, SHOP_BLOG, 2);
    push(s);
    for (int i = 0; i < 10 * 60 && count(s, "rollout.reverting") < 1; i++)
        run(s, SECOND);
    run(s, 20 * SECOND);
    assert_true(count(s, "rollout.reverted") > n);
    world_calm(&s->w);
    run(s, BACK);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(many_wait_for_their_turn),
        STORY(one_that_refuses_before_a_push),
        STORY(one_that_hangs_before_a_push),
        STORY(one_that_refuses_in_the_middle_of_a_plan),
        STORY(one_that_hangs_in_the_middle_of_a_plan),
        STORY(one_that_comes_back_just_before_a_deadline),
        STORY(a_way_back_waits_for_no_stop),
    };

    return story_tell_all_in(WORLD_BOX_EACH, rows, N_ELEMENTS(rows));
}
