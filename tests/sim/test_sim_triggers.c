/* sim: commits that come one after the other, and environments that come first. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

static int64_t count_of(struct story *s, const char *kind, const char *env)
{
    struct err err = ERR_INIT;
    struct event *events;
    size_t n;
    int64_t n_found = 0;

    if (events_list(world_reader(&s->w), &s->w.arena,
                    &(struct event_query){ .env = STR_NONE,
                                           .subject = str_from_c(env),
                                           .actor = STR_NONE,
                                           .kind_prefix = str_from_c(kind),
                                           .limit = EVENTS_PAGE_MAX },
                    &events, &n, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        n_found += str_eq_c(events[i].kind, kind);
    return n_found;
}

static void push_change(struct story *s)
{
    change(s, SHOP_BLOG, 0);
    push(s);
}

/* --- debounce ------------------------------------------------------------------------------------ */

static void commits_within_the_time_are_one(struct story *s)
{
    int64_t n;

    s->shop.trigger = ", debounce: 15s";
    push(s);
    run(s, 2 * MINUTE);
    n = count_of(s, "rollout.applied", "prod");
    for (int i = 0; i < 4; i++) {
        push_change(s);
        run(s, 8 * SECOND);
        expect_version(s, SHOP_BLOG, 1);
    }
    expect_status(s, "waiting: waits 15s for further commits");
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 5);
    assert_int_equal(count_of(s, "rollout.applied", "prod"), n + 1);
}

/* Who commits for ever is not waited for that long. */
static void it_is_not_put_off_for_ever(struct story *s)
{
    s->shop.trigger = ", debounce: 5s";
    push(s);
    run(s, 2 * MINUTE);
    for (int i = 0; i < 30 && count_of(s, "plan.started", "prod") < 3; i++) {
        push_change(s);
        run(s, 3 * SECOND);
    }
    assert_true(s->shop.services[SHOP_BLOG].version < 30);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, s->shop.services[SHOP_BLOG].version);
}

/* --- concurrency --------------------------------------------------------------------------------- */

/* A change that is being applied. */
static void push_begun(struct story *s)
{
    int64_t n = count_of(s, "plan.started", "prod");

    push_change(s);
    for (int i = 0; i < 20 && count_of(s, "plan.started", "prod") == n; i++)
        run(s, SECOND);
    assert_int_equal(count_of(s, "plan.started", "prod"), n + 1);
}

static void a_queue_finishes_first(struct story *s)
{
    int64_t n;

    s->shop.trigger = ", concurrency: queue";
    push_change(s);
    run(s, 2 * MINUTE);
    n = count_of(s, "rollout.applied", "prod");
    push_begun(s);
    push_change(s);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, 4);
    assert_int_equal(count_of(s, "rollout.applied", "prod"), n + 2);
}

static void the_newest_wins_at_a_boundary(struct story *s)
{
    int64_t n = count_of(s, "rollout.applied", "prod");

    s->shop.trigger = ", concurrency: latest";
    push_change(s);
    run(s, 2 * SECOND);
    push_change(s);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, 3);
    assert_int_equal(count_of(s, "rollout.applied", "prod"), n + 1);
}

/* --- environments that come first ---------------------------------------------------------------- */

static void given_stage_first(struct story *s, const char *trigger)
{
    s->shop.trigger = trigger;
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync");
}

static void run_until_status(struct story *s, const char *prefix)
{
    for (int i = 0; i < 120 && !str_starts(world_status(&s->w, S("prod")), str_from_c(prefix)); i++)
        run(s, SECOND);
    expect_status(s, prefix);
}

static void stage_comes_first(struct story *s)
{
    given_stage_first(s,
                      ", require_environment: {stage: {state: healthy, same: commit, for: 40s}}");
    push_change(s);
    run_until_status(s, "waiting: waits for stage: it has not settled");
    expect_version(s, SHOP_BLOG, 1);
    run_until_status(s, "waiting: waits for stage: it has to stay so for 40s");
    run(s, 30 * SECOND);
    expect_version(s, SHOP_BLOG, 1);
    run(s, MINUTE);
    expect_status(s, "in_sync");
    expect_version(s, SHOP_BLOG, 2);
}

/* What stage could not become is not applied anywhere. */
static void what_stage_refused_goes_nowhere(struct story *s)
{
    given_stage_first(s, ", require_environment: {stage: {state: healthy, same: commit}}");
    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "waiting: waits for stage: it is reverted");
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync");
    expect_version(s, SHOP_BLOG, 3);
}

/* The commit that takes the requirement away is judged by what was asked for before. */
static void who_takes_it_away_waits_all_the_same(struct story *s)
{
    given_stage_first(s, ", require_environment: {stage: {state: healthy, same: commit}}");
    s->shop.trigger = NULL;
    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "waiting: waits for stage: it is reverted; class weaken");
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "waiting: class weaken");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 3);
}

/* A death in between changes nothing of what is waited for. */
static void it_is_waited_for_across_a_death(struct story *s)
{
    given_stage_first(s, ", require_environment: {stage: {state: healthy, same: tree, for: 60s}}");
    push_change(s);
    run(s, 40 * SECOND);
    expect_status(s, "waiting: waits for stage: it has to stay so for 1m");
    world_kill(&s->w);
    run(s, 10 * SECOND);
    expect_version(s, SHOP_BLOG, 1);
    run(s, 90 * SECOND);
    expect_status(s, "in_sync");
    expect_version(s, SHOP_BLOG, 2);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(commits_within_the_time_are_one),
        STORY(it_is_not_put_off_for_ever),
        STORY(a_queue_finishes_first),
        STORY(the_newest_wins_at_a_boundary),
        STORY(stage_comes_first),
        STORY(what_stage_refused_goes_nowhere),
        STORY(who_takes_it_away_waits_all_the_same),
        STORY(it_is_waited_for_across_a_death),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
