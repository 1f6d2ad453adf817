/* sim: a place that cannot be anchored at is told once, over deaths, and once more when it fails anew. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

/* Whoever begins brings the head at once: nobody waits for the next turn. */
static void begin_anew(struct story *s, int64_t ms)
{
    world_kill(&s->w);
    run(s, ms);
}

static void expect_told(struct story *s, int64_t n)
{
    assert_int_equal(count(s, "anchor.failed"), n);
}

static void expect_made_again(struct story *s, int64_t before)
{
    run(s, 2 * MINUTE);
    assert_true(count(s, "anchor.made") > before);
}

static void a_place_that_is_down_is_told_once(struct story *s)
{
    int64_t n_made = count(s, "anchor.made");

    assert_true(n_made > 0);
    s->w.is_git_down = 1;
    begin_anew(s, 10 * SECOND);
    expect_told(s, 0); /* it may be a moment */
    run(s, 10 * MINUTE);
    expect_told(s, 1);
    begin_anew(s, 10 * MINUTE);
    expect_told(s, 1);
    s->w.is_git_down = 0;
    expect_made_again(s, n_made);
    expect_told(s, 1);

    n_made = count(s, "anchor.made");
    s->w.is_git_down = 1;
    begin_anew(s, 10 * MINUTE);
    expect_told(s, 2);
    s->w.is_git_down = 0;
    expect_made_again(s, n_made);
    expect_told(s, 2);
}

/* That is no moment, and nothing is pushed over what they made of it. */
static void a_place_that_was_rewritten_is_told_at_once(struct story *s)
{
    const size_t n = s->w.place.n;
    int64_t n_made = count(s, "anchor.made");

    assert_true(n > 0);
    s->w.place.n--;
    begin_anew(s, 10 * SECOND);
    expect_told(s, 1);
    run(s, 10 * MINUTE);
    begin_anew(s, 10 * MINUTE);
    expect_told(s, 1);
    assert_int_equal(s->w.place.n, n - 1);
    s->w.place.n = n;
    expect_made_again(s, n_made);
    expect_told(s, 1);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_place_that_is_down_is_told_once),
        STORY(a_place_that_was_rewritten_is_told_at_once),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
