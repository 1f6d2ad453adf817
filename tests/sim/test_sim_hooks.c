/* sim: what a forge tells of, once, before and while something is fetched. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/hook_call.h"
#include "specs/json_io.h"
#include "tests/sim/story.h"

#define SECRET "a token that nobody reads" /* what the world has as `token` */
#define HOUR ((int64_t)60 * MINUTE)
#define ANSWER_MS 200

struct told {
    struct hook_call call;
    int is_over, rc;
};

/* The shop runs, its source hears hooks and is asked once an hour. */
static void given_hooks(struct story *s)
{
    struct value *more;

    world_fini(&s->w);
    *s = (struct story){ 0 };
    world_init(&s->w, 7, WORLD_ONE_BOX);
    MUST(json_parse(&s->w.arena,
                    S("{\"sources\":{\"app\":{\"poll\":3600000,"
                      "\"webhook\":{\"type\":\"github\",\"secret\":{\"secret\":\"token\"}}}}}"),
                    4096, &more, err));
    s->w.daemon = value_merge(&s->w.arena, s->w.daemon, more);
    shop_init(&s->shop);
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
}

static void over(struct task *t, void *ctx)
{
    struct told *told = ctx;

    told->is_over = 1;
    told->rc = t->rc;
}

/* A push to main; `n` makes it another one. The answer comes while the world runs. */
static struct told *tell(struct story *s, int n)
{
    struct arena *a = &s->w.arena;
    struct told *told = arena_new(a, struct told);
    struct value *headers = value_map(a);
    struct str body = str_fmt(a, "{\"ref\":\"refs/heads/main\",\"n\":%d}", n);
    struct digest d = hash_hmac(S(SECRET), body);

    value_set_text(a, headers, S("x-github-event"), S("push"));
    value_set_text(a, headers, S("x-hub-signature-256"),
                   str_fmt(a, "sha256=%.*s", STR_ARG(digest_hex(a, &d))));
    told->call.in = (struct hook_call_in){
        .type = S("github"), .source = S("app"), .headers = headers, .body = body
    };
    arena_init(&told->call.arena, 0);
    hook_call_start(s->w.engine, &told->call, over, told);
    return told;
}

static void expect_state(struct told *told, const char *state)
{
    assert_true(told->is_over);
    assert_int_equal(told->rc, 0);
    assert_string_equal(value_get_text(told->call.result, S("state"), S("")).p, state);
    hook_call_fini(&told->call);
}

static void told_and(struct story *s, int n, const char *state)
{
    struct told *told = tell(s, n);

    world_run(&s->w, ANSWER_MS);
    expect_state(told, state);
}

static void it_is_live_long_before_the_poll(struct story *s)
{
    given_hooks(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, 1);
    told_and(s, 1, "looking");
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* The same bytes do nothing, across a death too, until a day is over. */
static void it_is_heard_once(struct story *s)
{
    int n_fetches;

    given_hooks(s);
    told_and(s, 1, "looking");
    run(s, 10 * SECOND);
    n_fetches = s->w.n_fetches;
    told_and(s, 1, "known");
    run(s, 10 * SECOND);
    assert_int_equal(s->w.n_fetches, n_fetches);
    world_kill(&s->w);
    run(s, 10 * SECOND);
    told_and(s, 1, "known");
    assert_int_equal(count(s, "hook.heard"), 1);
    world_run(&s->w, 26 * HOUR);
    assert_int_equal(count(s, "hook.pruned"), 1);
    told_and(s, 1, "looking");
    assert_int_equal(count(s, "hook.heard"), 2);
}

/* While one round of fetching runs, all that is told of is one more. */
static void a_flood_is_one_that_runs_and_one_that_waits(struct story *s)
{
    struct told *told[20];
    int n_fetches;

    given_hooks(s);
    n_fetches = s->w.n_fetches;
    s->w.git_slow_ms = 5 * SECOND;
    told_and(s, 100, "looking");
    change(s, SHOP_BLOG, 0);
    push(s);
    for (int i = 0; i < 20; i++)
        told[i] = tell(s, i);
    world_run(&s->w, ANSWER_MS);
    for (int i = 0; i < 20; i++)
        expect_state(told[i], "looking");
    run(s, 2 * MINUTE);
    assert_int_equal(s->w.n_fetches, n_fetches + 2);
    expect_version(s, SHOP_BLOG, 2);
}

/* One after the other, each answered: what is told of within a fifth of a second is fetched together. */
static void rounds_are_apart(struct story *s)
{
    const int step_ms = SOURCE_SPACE_MS / 4;
    int n_fetches;

    given_hooks(s);
    n_fetches = s->w.n_fetches;
    for (int i = 0; i < 20; i++) {
        struct told *told = tell(s, i);

        world_run(&s->w, step_ms);
        expect_state(told, "looking");
    }
    assert_int_equal(s->w.n_fetches, n_fetches + 20 * step_ms / SOURCE_SPACE_MS);
    change(s, SHOP_BLOG, 0);
    push(s);
    told_and(s, 100, "looking");
    run(s, MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* Polls go on beside: an hour after the one before, whatever was told meanwhile. */
static void polls_go_on(struct story *s)
{
    given_hooks(s);
    for (int i = 0; i < 5; i++) {
        told_and(s, i, "looking");
        world_run(&s->w, 10 * MINUTE);
    }
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 15 * MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

static void a_host_that_is_down_is_asked_again(struct story *s)
{
    given_hooks(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    s->w.is_git_down = 1;
    told_and(s, 1, "looking");
    run(s, 20 * SECOND);
    s->w.is_git_down = 0;
    run(s, 4 * MINUTE);
    expect_version(s, SHOP_BLOG, 2);
}

/* Durable, and dead before anything was fetched: the next life asks for all. */
static void it_outlives_a_death(struct story *s)
{
    given_hooks(s);
    change(s, SHOP_BLOG, 0);
    push(s);
    s->w.git_slow_ms = 5 * SECOND;
    told_and(s, 1, "looking");
    world_kill(&s->w);
    run(s, 3 * MINUTE);
    expect_version(s, SHOP_BLOG, 2);
    assert_int_equal(count(s, "hook.heard"), 1);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(it_is_live_long_before_the_poll),
        STORY(it_is_heard_once),
        STORY(a_flood_is_one_that_runs_and_one_that_waits),
        STORY(rounds_are_apart),
        STORY(polls_go_on),
        STORY(a_host_that_is_down_is_asked_again),
        STORY(it_outlives_a_death),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
