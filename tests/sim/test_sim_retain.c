/* sim: what old events wrote goes, the chain and what the tables say of the past stay. SPDX-License-Identifier: Apache-2.0 */
#include "specs/json_io.h"
#include "state/events_chain.h"
#include "state/replay.h"
#include "tests/sim/story.h"

#define HOUR ((int64_t)60 * MINUTE)

/* What events wrote is kept for a day; there is no shop yet, so that hours are short. */
static void given_day(struct story *s)
{
    struct value *more;

    world_fini(&s->w);
    *s = (struct story){ 0 };
    world_init(&s->w, 11, WORLD_ONE_BOX);
    MUST(
        json_parse(&s->w.arena,
                   S("{\"state\":{\"history\":86400000},\"sources\":{\"app\":{\"poll\":3600000}}}"),
                   4096, &more, err));
    s->w.daemon = value_merge(&s->w.arena, s->w.daemon, more);
    shop_init(&s->shop);
    world_push(&s->w, S("# nothing yet\n"));
    run(s, SECOND);
}

/* The first event that still has its body. */
static int64_t first_body(struct story *s, struct event *ret)
{
    int64_t seq = 0;

    do
        MUST(events_get(world_reader(&s->w), &s->w.arena, ++seq, ret, err));
    while (!ret->body.p);
    return seq;
}

static void expect_proved(struct story *s)
{
    int64_t n;

    MUST(events_verify(world_reader(&s->w), &n, err));
    MUST(replay_verify(world_reader(&s->w), &n, err));
}

static void bodies_go_after_a_day(struct story *s)
{
    struct event first;

    given_day(s);
    assert_int_equal(first_body(s, &first), 1);
    for (int hour = 0; hour < 34; hour++)
        world_run(&s->w, HOUR);
    assert_true(first_body(s, &first) > 1);
    assert_string_equal(str_to_c(&s->w.arena, first.kind), "snapshot");
    assert_in_range(loop_wall_ms(s->w.loop) - first.time_ms, 24 * HOUR, 32 * HOUR);
    expect_proved(s);
    push(s); /* it goes on with what the tables say, in another life, too */
    world_kill(&s->w);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_proved(s);
}

static size_t count_messages(struct story *s, const char *tail)
{
    struct rec_outbox *rows;
    size_t n;

    MUST(db_select(world_reader(&s->w), &s->w.arena, REC_outbox, tail, NULL, 0, (void **)&rows, &n,
                   err));
    return n;
}

/* What was told once stays known, and what was said goes; other messages go as a whole. */
static void messages_go_after_a_day_and_their_keys_stay(struct story *s)
{
    size_t n;

    given_day(s);
    push(s);
    world_kill(&s->w); /* it asks at its start */
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    n = count_messages(s, "WHERE terminal = 1 AND body <> '{}'");
    assert_true(n > 0);
    for (int hour = 0; hour < 30; hour++)
        world_run(&s->w, HOUR);
    assert_int_equal(count_messages(s, "WHERE terminal = 1 AND body = '{}'"), n);
    assert_int_equal(count_messages(s, "WHERE terminal = 0"), 0);
    expect_proved(s);
}

static void nothing_goes_by_a_clock_that_is_not_believed(struct story *s)
{
    struct event first;

    given_day(s);
    loop_sim_step_wall(s->w.loop, 72 * HOUR);
    world_run(&s->w, 50 * MINUTE); /* an hour in step, and it is believed */
    assert_int_equal(first_body(s, &first), 1);
    assert_int_equal(count(s, "snapshot"), 0);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(bodies_go_after_a_day),
        STORY(messages_go_after_a_day_and_their_keys_stay),
        STORY(nothing_goes_by_a_clock_that_is_not_believed),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
