/* sim: canaries and rolling changes, whatever happens in between. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

static void given_strategy(struct story *s, enum shop_name service, enum shop_strategy strategy)
{
    s->shop.services[service].strategy = strategy;
    change(s, service, 0);
}

static int64_t count_routes(struct story *s, const char *where)
{
    struct rec_route *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, route, where, &rows, &n, err));
    return (int64_t)n;
}

static void run_until_shared(struct story *s)
{
    for (int i = 0; i < 60 && !count_routes(s, "WHERE canary IS NOT NULL"); i++)
        run(s, SECOND);
    assert_true(count_routes(s, "WHERE canary IS NOT NULL") > 0);
}

static void a_canary_takes_over(struct story *s)
{
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(count_routes(s, "WHERE canary IS NOT NULL"), 0);
}

static void a_group_moves_by_shares(struct story *s)
{
    given_strategy(s, SHOP_API, SHOP_CANARY);
    change(s, SHOP_WEB, 0);
    push(s);
    run_until_shared(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
    expect_version(s, SHOP_API, 2);
}

/* What fails is left for a person from now on, which somebody has to approve. */
static void given_left(struct story *s, enum shop_name service)
{
    s->shop.n_envs = 1;
    s->shop.services[service].is_left = 1;
    push(s);
    run(s, 30 * SECOND);
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
}

/* A share is never left to fail. */
static void what_rots_with_a_share_goes_back(struct story *s)
{
    given_left(s, SHOP_BLOG);
    s->shop.services[SHOP_BLOG].strategy = SHOP_CANARY;
    change(s, SHOP_BLOG, 2);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_BLOG, 1);
    assert_int_equal(count_routes(s, "WHERE canary IS NOT NULL"), 0);
}

static void a_newer_commit_waits_for_a_share(struct story *s)
{
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
    assert_int_equal(count(s, "rollout.superseded"), 0);
    assert_int_equal(count(s, "rollout.reverting"), 0);
}

static void a_share_outlives_the_daemon(struct story *s)
{
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    for (int i = 0; i < 6; i++) {
        world_kill(&s->w);
        run(s, 2 * SECOND);
    }
    run(s, 2 * MINUTE);
    if (world_status(&s->w, S("prod")).p[0] == 'h') /* it died often enough to be suspected */
        say(s, COMMAND_RESUME);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

/* Nobody remembers that it was rolled out: what has a share is no more than left behind. */
static void a_share_outlives_the_database(struct story *s)
{
    int done = 0;

    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    world_keep_copy(&s->w);
    world_kill(&s->w);
    world_lose_database(&s->w, WORLD_LOSES_ALL);
    assert_null(world_recover(&s->w, N_CRASH_POINTS, &done));
    assert_int_equal(done, 1);
    laws_recovered(&s->w, &s->laws);
    assert_true(count_routes(s, "WHERE canary IS NOT NULL") > 0);
    run(s, MINUTE);
    for (int i = 0; i < SHOP_ENVS; i++)
        world_say(&s->w,
                  &(struct command){
                      .verb = COMMAND_RESUME, .env = str_from_c(shop_envs[i]), .as = S("") },
                  NULL);
    run(s, 4 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(count_routes(s, "WHERE canary IS NOT NULL"), 0);
}

static void a_person_takes_a_share_back(struct story *s)
{
    s->shop.n_envs = 1;
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    say(s, COMMAND_CANCEL);
    run(s, 20 * SECOND);
    assert_int_equal(s->done, 1);
    assert_int_equal(count(s, "rollout.reverting"), 1);
    expect_status(s, "waiting: it was cancelled");
    expect_version(s, SHOP_BLOG, 1);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

/* What serves most of the requests is not left alone for as long as a canary takes. */
static void what_serves_is_made_again_first(struct story *s)
{
    s->shop.n_envs = 1;
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    lose_live(s, S("blog"));
    run(s, 10 * SECOND);
    assert_int_equal(count(s, "rollout.reverting"), 1);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

static void a_person_lets_it_go_on(struct story *s)
{
    given_strategy(s, SHOP_BLOG, SHOP_CANARY);
    push(s);
    run_until_shared(s);
    for (int i = 0; i < 20 && !s->done; i++) { /* its routes stand before its gate waits */
        say(s, COMMAND_ADVANCE);
        run(s, SECOND);
    }
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
    say(s, COMMAND_ADVANCE); /* nothing waits */
    run(s, SECOND);
    assert_int_equal(s->done, 1);
}

static void say_advance(struct story *s, const char *service)
{
    world_say(&s->w,
              &(struct command){ .verb = COMMAND_ADVANCE,
                                 .env = S("prod"),
                                 .service = str_from_c(service),
                                 .as = S("") },
              &s->done);
}

/* web is of the group of api; the blog is alone. */
static void a_person_lets_one_of_two_go_on(struct story *s)
{
    int64_t n_proven = count(s, "rollout.proven");

    s->shop.n_envs = 1;
    s->shop.services[SHOP_API].pauses = s->shop.services[SHOP_BLOG].pauses = 1;
    change(s, SHOP_API, 0);
    change(s, SHOP_WEB, 0);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: the new set is ready: ");
    say_advance(s, "web");
    run(s, MINUTE);
    assert_int_equal(s->done, 1);
    assert_int_equal(count(s, "rollout.proven"), n_proven + 1);
    say_advance(s, "web");  /* it is through */
    say_advance(s, "cron"); /* it is not rolled out */
    run(s, SECOND);
    assert_int_equal(s->done, 1);
    say_advance(s, "blog");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
    expect_version(s, SHOP_BLOG, 2);
}

static void it_rolls_instance_by_instance(struct story *s)
{
    s->shop.services[SHOP_WEB].replicas = 3;
    given_strategy(s, SHOP_WEB, SHOP_ROLLING);
    given_strategy(s, SHOP_WORKER, SHOP_ROLLING);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
    expect_version(s, SHOP_WORKER, 2);
}

static void what_rots_while_it_rolls_goes_back(struct story *s)
{
    s->shop.services[SHOP_WEB].replicas = 3;
    push(s);
    run(s, MINUTE);
    s->shop.services[SHOP_WEB].strategy = SHOP_ROLLING;
    change(s, SHOP_WEB, 2);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: quarantined: web");
    expect_version(s, SHOP_WEB, 1);
}

/* Left half way, and the next commit makes it whole. */
static void what_was_left_half_way_is_made_whole(struct story *s)
{
    s->shop.services[SHOP_WEB].replicas = 3;
    given_left(s, SHOP_WEB);
    s->shop.services[SHOP_WEB].strategy = SHOP_ROLLING;
    change(s, SHOP_WEB, 2);
    push(s);
    run(s, 3 * MINUTE);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 3);
}

static void a_rolling_change_outlives_the_daemon(struct story *s)
{
    s->shop.services[SHOP_WEB].replicas = 3;
    push(s);
    run(s, MINUTE);
    given_strategy(s, SHOP_WEB, SHOP_ROLLING);
    push(s);
    run(s, 12 * SECOND);
    for (int i = 0; i < 6; i++) {
        world_kill(&s->w);
        run(s, 3 * SECOND);
    }
    run(s, 2 * MINUTE);
    if (world_status(&s->w, S("prod")).p[0] == 'h')
        say(s, COMMAND_RESUME);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_canary_takes_over),
        STORY(a_group_moves_by_shares),
        STORY(what_rots_with_a_share_goes_back),
        STORY(a_newer_commit_waits_for_a_share),
        STORY(a_share_outlives_the_daemon),
        STORY(a_share_outlives_the_database),
        STORY(a_person_takes_a_share_back),
        STORY(what_serves_is_made_again_first),
        STORY(a_person_lets_it_go_on),
        STORY(a_person_lets_one_of_two_go_on),
        STORY(it_rolls_instance_by_instance),
        STORY(what_rots_while_it_rolls_goes_back),
        STORY(what_was_left_half_way_is_made_whole),
        STORY(a_rolling_change_outlives_the_daemon),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
