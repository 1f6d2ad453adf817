/*
 * sim: a standby takes over wherever the first one died, and that one never acts again. SPDX-License-Identifier: Apache-2.0
 *
 * What was carried out is not carried out twice, and one set of instances is left: the laws of every moment and of
 * the end are asked of both lives.
 */
#include "tests/sim/story.h"

/* Every operation that was carried out by either, as their histories say. */
static void expect_nothing_twice(struct story *s)
{
    struct rec_operation *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, operation,
                   "WHERE outcome = 'done' AND action <> 'adopt' ORDER BY key", &rows, &n, err));
    for (size_t i = 1; i < n; i++)
        if (rows[i].key.n && str_eq(rows[i].key, rows[i - 1].key))
            fail_msg("%s/%s was carried out twice", str_to_c(&s->w.arena, rows[i].kind),
                     str_to_c(&s->w.arena, rows[i].name));
    assert_true(n > 0);
}

static void expect_old_one_refuses(struct story *s)
{
    const char *broken = world_comes_back(&s->w, 20 * SECOND);

    if (broken)
        fail_msg("%s", broken);
}

static int64_t last_of(struct db *db)
{
    struct digest hash;
    int64_t seq;

    MUST(events_head(db, &seq, &hash, err));
    return seq;
}

/* Dead in the middle of the rollout of a second version; `heard` of what it wrote until then. */
enum heard { ALL, MOST, NOTHING };

static void die_at(struct story *s, enum crash_point point, int nth, enum heard heard)
{
    int64_t n_lives;

    world_hear(&s->w);
    change(s, SHOP_WEB, 0);
    push(s);
    n_lives = s->w.n_lives;
    world_die(&s->w, point, nth, 1);
    for (int i = 0; i < 60 * SECOND && s->w.n_lives == n_lives; i++)
        world_run(&s->w, 1); /* it is started again at once, and killed */
    world_kill(&s->w);
    if (heard != NOTHING)
        world_hear(&s->w);
    if (heard == MOST)
        world_run(&s->w, 300), world_kill(&s->w);
}

static void goes_on(struct story *s, enum crash_point takeover_dies)
{
    int64_t heard = last_of(s->w.copy), had = last_of(world_reader(&s->w));

    world_take_over(&s->w, takeover_dies);
    if (heard < had) /* numbers of what nobody heard of are given again, with a newer life */
        s->laws = (struct laws){ 0 };
    world_run(&s->w, 50);
    expect_old_one_refuses(s); /* while the other one works */
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, s->shop.services[SHOP_WEB].version);
    expect_old_one_refuses(s);
    expect_nothing_twice(s);
    assert_int_equal(count(s, "daemon.took_over"), s->w.n_takeovers);
}

static void dies_with_an_intent(struct story *s)
{
    die_at(s, CRASH_OP_AFTER_INTENT, 1, ALL);
    goes_on(s, N_CRASH_POINTS);
}

static void dies_with_something_made(struct story *s)
{
    die_at(s, CRASH_OP_AFTER_ACT, 2, ALL);
    goes_on(s, CRASH_TAKEOVER_AFTER_MET);
}

static void dies_in_the_gate(struct story *s)
{
    die_at(s, CRASH_GATE_AFTER_OPENED, 1, ALL);
    goes_on(s, CRASH_TAKEOVER_AFTER_MARK);
}

static void dies_behind_the_switch(struct story *s)
{
    die_at(s, CRASH_ROLLOUT_AFTER_SWITCH, 1, ALL);
    goes_on(s, CRASH_TAKEOVER_AFTER_BEGUN);
}

static void dies_when_it_is_proven(struct story *s)
{
    die_at(s, CRASH_ROLLOUT_AFTER_PROVEN, 1, ALL);
    goes_on(s, N_CRASH_POINTS);
}

static void what_came_last_was_not_heard(struct story *s)
{
    die_at(s, CRASH_OP_AFTER_ACT, 3, MOST);
    goes_on(s, N_CRASH_POINTS);
}

static void nothing_of_it_was_heard(struct story *s)
{
    die_at(s, CRASH_OP_AFTER_ACT, 1, NOTHING);
    goes_on(s, CRASH_TAKEOVER_AFTER_MARK);
}

static void dies_in_its_first_cycle(struct story *s)
{
    die_at(s, CRASH_GATE_AFTER_OPENED, 1, ALL);
    world_take_over(&s->w, N_CRASH_POINTS);
    world_die(&s->w, CRASH_OP_AFTER_ACT, 1, 2);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_old_one_refuses(s);
    expect_nothing_twice(s);
}

/* And back: the first one is put aside, follows, and takes over. */
static void there_and_back(struct story *s)
{
    die_at(s, CRASH_ROLLOUT_AFTER_SWITCH, 1, ALL);
    goes_on(s, N_CRASH_POINTS);
    world_put_aside(&s->w);
    die_at(s, CRASH_GATE_AFTER_VERDICT, 1, ALL);
    goes_on(s, CRASH_TAKEOVER_AFTER_BEGUN);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(dies_with_an_intent),     STORY(dies_with_something_made),
        STORY(dies_in_the_gate),        STORY(dies_behind_the_switch),
        STORY(dies_when_it_is_proven),  STORY(what_came_last_was_not_heard),
        STORY(nothing_of_it_was_heard), STORY(dies_in_its_first_cycle),
        STORY(there_and_back),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
