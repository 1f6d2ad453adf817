/* sim: who is down is told once, over deaths. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

static int64_t count_outbox(struct story *s, const char *outcome, int64_t terminal)
{
    struct rec_outbox *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, outbox, "WHERE outcome = $1 AND terminal = $2",
                   &rows, &n, err, DB_T(str_from_c(outcome)), DB_I(terminal)));
    return (int64_t)n;
}

/* Nobody takes anything while it dies and lives; then each plan is told once, alone or in a digest. */
static void who_is_down_is_told_when_they_are_back(struct story *s)
{
    int64_t n_applied = count(s, "rollout.applied"), n_before = count_outbox(s, "sent", 1);

    assert_true(n_before > 0);
    s->w.sink_status = 503;
    for (int i = 0; i < 4; i++) {
        change(s, SHOP_BLOG, 0);
        push(s);
        run_until_applied(s);
        world_kill(&s->w);
        run(s, MINUTE);
    }
    assert_true(count(s, "rollout.applied") > n_applied);
    assert_int_equal(count_outbox(s, "sent", 1), n_before);
    assert_true(count(s, "notify.failed") > 0);
    s->w.sink_status = 0;
    run(s, 30 * MINUTE);
    assert_true(count_outbox(s, "sent", 1) > n_before);
    assert_true(count_outbox(s, "collapsed", 1) > 0);
    assert_int_equal(s->w.n_told_again, 0);
}

/* It was taken, and that was not written: it comes again, with its id. */
static void who_took_it_when_it_died_knows_it_by_its_id(struct story *s)
{
    world_die(&s->w, CRASH_NOTIFY_AFTER_SENT, 1, 2);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 5 * MINUTE);
    assert_int_equal(s->w.died[CRASH_NOTIFY_AFTER_SENT], 2);
    assert_true(s->w.n_told_again > 0);
    assert_int_equal(s->w.told_twice.n, 0);
}

/* A day of trying ends it, with an event. */
static void who_never_answers_is_given_up(struct story *s)
{
    s->w.sink_status = 404;
    change(s, SHOP_BLOG, 0);
    push(s);
    world_run(&s->w, (int64_t)26 * 60 * MINUTE);
    assert_true(count(s, "notify.given_up") > 0);
    assert_true(count_outbox(s, "given_up", 1) > 0);
    s->w.sink_status = 0;
}

static int64_t count_told(struct story *s, const char *word, const char *subjects)
{
    struct rec_outbox *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, outbox, "WHERE word = $1 AND subject GLOB $2",
                   &rows, &n, err, DB_T(str_from_c(word)), DB_T(str_from_c(subjects))));
    return (int64_t)n;
}

static void refuses(struct story *s, const char *type)
{
    world_fault(&s->w, (struct null_fault){ .type = str_from_c(type),
                                            .action = S(""),
                                            .name = S(""),
                                            .call = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_RETRY });
}

/* Once, over deaths; and once that it is back. */
static void a_provider_that_is_down_is_told_with_its_end(struct story *s)
{
    refuses(s, "");
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 10 * SECOND);
    assert_int_equal(count(s, "provider.down"), 0); /* it may be a moment */
    run(s, 5 * MINUTE);
    assert_int_equal(count(s, "provider.down"), 1);
    world_kill(&s->w);
    run(s, 5 * MINUTE);
    assert_int_equal(count(s, "provider.down"), 1);
    assert_int_equal(count(s, "provider.back"), 0);
    world_calm(&s->w);
    run(s, 10 * MINUTE);
    assert_int_equal(count(s, "provider.down"), 1);
    assert_int_equal(count(s, "provider.back"), 1);
    assert_int_equal(count_told(s, "provider_down", "provider/box"), 1);
    assert_int_equal(count_told(s, "recovered", "provider/box"), 1);
    expect_status(s, "in_sync: ");
}

/* The way back is refused: once told, tried on, and that it came through. */
static void a_revert_that_is_refused_is_told_with_its_end(struct story *s)
{
    change(s, SHOP_BLOG, 2);
    push(s);
    for (int i = 0; i < 10 * 60 && count(s, "rollout.reverting") < 1; i++)
        world_run(&s->w, 100);
    assert_true(count(s, "rollout.reverting") >= 1);
    refuses(s, "switch");
    refuses(s, "routes");
    run(s, MINUTE);
    world_kill(&s->w);
    run(s, 2 * MINUTE);
    assert_true(count_told(s, "revert_failed", "rollout/*") >= 1);
    assert_int_equal(count_told(s, "recovered", "rollout/*"), 0);
    world_calm(&s->w);
    run(s, 20 * MINUTE);
    assert_int_equal(count_told(s, "recovered", "rollout/*"),
                     count_told(s, "revert_failed", "rollout/*"));
    assert_true(count_told(s, "revert_failed", "rollout/*") <= 2); /* prod and stage */
    expect_version(s, SHOP_BLOG, 1);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(who_is_down_is_told_when_they_are_back),
        STORY(who_took_it_when_it_died_knows_it_by_its_id),
        STORY(who_never_answers_is_given_up),
        STORY(a_provider_that_is_down_is_told_with_its_end),
        STORY(a_revert_that_is_refused_is_told_with_its_end),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
