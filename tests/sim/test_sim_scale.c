/* sim: as many instances as their use of processors asks for, whatever happens meanwhile. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

#define BUSY 900 /* thousandths of a processor, of 700 that are aimed at */
#define IDLE 10
#define MIN 2
#define MAX 5

/* Of the live set of the blog of prod. */
static int64_t replicas(struct story *s)
{
    struct rec_set *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, set,
                   "WHERE service = 'blog' AND state = 'live' AND env = (SELECT uid FROM "
                   "environments WHERE name = 'prod')",
                   &rows, &n, err));
    return n == 1 ? rows[0].replicas : -1;
}

static int64_t count_rows(struct story *s)
{
    struct rec_quarantine *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, quarantine, "", &rows, &n, err));
    return (int64_t)n;
}

static void use(struct story *s, int64_t thousandths, int64_t ms)
{
    world_busy(&s->w, thousandths);
    run(s, ms);
}

/* The blog of prod alone, with MIN of MIN to MAX. */
static void given_range(struct story *s)
{
    s->shop.n_envs = 1;
    s->shop.range = "{min: 2, max: 5, down_after: 1m}";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(replicas(s), MIN);
}

static void given_grown(struct story *s)
{
    given_range(s);
    use(s, BUSY, 4 * MINUTE);
    assert_int_equal(replicas(s), MAX);
}

static void it_grows_and_shrinks(struct story *s)
{
    int64_t n;

    given_range(s);
    n = count(s, "plan.started");
    use(s, 700, 3 * MINUTE); /* as it is to be */
    assert_int_equal(count(s, "plan.started"), n);
    use(s, BUSY, 4 * MINUTE);
    assert_int_equal(replicas(s), MAX);
    use(s, IDLE, MINUTE);
    assert_int_equal(replicas(s), MAX); /* not at once */
    run(s, 2 * MINUTE);
    assert_int_equal(replicas(s), MIN);
    expect_status(s, "in_sync: ");
}

static void a_new_set_begins_with_as_many(struct story *s)
{
    given_grown(s);
    change(s, SHOP_BLOG, 0);
    world_busy(&s->w, 700);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(replicas(s), MAX);
}

static void a_commit_that_lowers_max_takes_the_rest_away(struct story *s)
{
    given_grown(s);
    s->shop.range = "{min: 2, max: 3, down_after: 1m}";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(replicas(s), 3);
}

static void a_hold_keeps_the_number(struct story *s)
{
    given_range(s);
    say(s, COMMAND_HOLD);
    use(s, BUSY, 4 * MINUTE);
    assert_int_equal(replicas(s), MIN);
    say(s, COMMAND_RESUME);
    run(s, 4 * MINUTE);
    assert_int_equal(replicas(s), MAX);
    expect_status(s, "in_sync: ");
}

static void a_quarantine_does_not(struct story *s)
{
    given_range(s);
    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: blog");
    use(s, BUSY, 4 * MINUTE);
    assert_int_equal(replicas(s), MAX);
    expect_status(s, "reverted: quarantined: blog");
    expect_version(s, SHOP_CRON, 1);
}

static void who_is_not_measured_is_a_reason_for_no_fewer(struct story *s)
{
    given_grown(s);
    world_fault(&s->w, (struct null_fault){ .type = S("instance"),
                                            .action = S(""),
                                            .call = S("counters"),
                                            .name = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_RETRY,
                                            .acted = RV_ACTED_NO });
    use(s, IDLE, 6 * MINUTE);
    assert_int_equal(replicas(s), MAX);
    world_calm(&s->w);
    run(s, 4 * MINUTE);
    assert_int_equal(replicas(s), MIN);
}

static void what_cannot_be_made_is_tried_again(struct story *s)
{
    given_range(s);
    world_fault(&s->w, (struct null_fault){ .type = S("instance"),
                                            .action = S("create"),
                                            .call = S("apply"),
                                            .name = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_USER,
                                            .acted = RV_ACTED_NO });
    use(s, BUSY, 6 * MINUTE);
    assert_int_equal(replicas(s), MIN);
    assert_int_equal(count_rows(s), 0);
    world_calm(&s->w);
    run(s, 5 * MINUTE);
    assert_int_equal(replicas(s), MAX);
    expect_status(s, "in_sync: ");
}

static void it_outlives_the_daemon(struct story *s)
{
    given_range(s);
    world_die(&s->w, CRASH_OP_AFTER_INTENT, 1, 2);
    use(s, BUSY, 5 * MINUTE);
    assert_int_equal(s->w.died[CRASH_OP_AFTER_INTENT], 2);
    assert_int_equal(replicas(s), MAX);
    world_die(&s->w, CRASH_OP_AFTER_INTENT, 1, 2);
    use(s, IDLE, 5 * MINUTE);
    assert_int_equal(s->w.died[CRASH_OP_AFTER_INTENT], 4);
    assert_int_equal(replicas(s), MIN);
    expect_status(s, "in_sync: ");
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(it_grows_and_shrinks),
        STORY(a_new_set_begins_with_as_many),
        STORY(a_commit_that_lowers_max_takes_the_rest_away),
        STORY(a_hold_keeps_the_number),
        STORY(a_quarantine_does_not),
        STORY(who_is_not_measured_is_a_reason_for_no_fewer),
        STORY(what_cannot_be_made_is_tried_again),
        STORY(it_outlives_the_daemon),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
