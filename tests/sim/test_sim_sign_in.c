/* sim: who signs in, who guesses, and for how long nobody is heard. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/lockout.h"
#include "reconciler/engine/signing.h"
#include "tests/sim/story.h"

#define HOUR ((int64_t)60 * MINUTE)

/* Ann at one address, at another one, and in a browser that is known; `what` is its key. */
static struct signing of_ann(enum signing_verb verb, const char *what)
{
    return (struct signing){ .verb = verb,
                             .actor = S("person:ann"),
                             .person = S("ann"),
                             .place = S("192.0.2.7"),
                             .name_key = lockout_key(S("ann"), str_from_c(what)) };
}

static int tell(struct story *s, struct signing *in)
{
    struct err err = ERR_INIT;

    return signing_write(s->w.engine, in, &err);
}

static int64_t guess(struct story *s, const char *what)
{
    struct signing in = of_ann(SIGNING_REFUSED, what);

    in.place_key = lockout_key(S(""), str_from_c(what));
    assert_int_equal(tell(s, &in), 0);
    return in.ret_wait_ms;
}

static int come_in(struct story *s, const char *what, const char *issuer, const char *groups)
{
    static unsigned char n;
    struct signing in = of_ann(SIGNING_IN, what);

    in.session = (struct rec_session){ .person = in.person,
                                       .issuer = str_from_c(issuer),
                                       .subject = str_from_c(*issuer ? "00a" : ""),
                                       .groups = str_from_c(groups),
                                       .address = in.place,
                                       .made_ms = loop_wall_ms(s->w.engine->loop),
                                       .used_ms = loop_wall_ms(s->w.engine->loop) };
    in.session.hash.b[0] = ++n;
    return tell(s, &in);
}

static void given_lock_out(struct story *s, const char *what)
{
    for (int i = 1; i < LOCKOUT_FREE; i++)
        assert_int_equal(guess(s, what), 0);
    assert_int_equal(guess(s, what), LOCKOUT_FIRST_MS);
}

/* The right one of many that were on their way is not told from the others. */
static void a_guess_on_its_way_is_one_too_many(struct story *s)
{
    given_lock_out(s, "here");
    assert_int_equal(come_in(s, "here", "", ""), ERR_THROTTLED);
    assert_int_equal(count(s, "person.signed_in"), 0);
    assert_int_equal(count(s, "person.joined"), 0);
    run(s, LOCKOUT_FIRST_MS + SECOND);
    assert_int_equal(come_in(s, "here", "", ""), 0);
    assert_int_equal(count(s, "person.signed_in"), 1);
    given_lock_out(s, "here"); /* who came in has all guesses again */
}

/* Whoever guesses on and on: other addresses, and browsers that are known, are heard at any time. */
static void nobody_locks_others_out(struct story *s)
{
    given_lock_out(s, "there");
    for (int i = 0; i < 8; i++) {
        world_run(&s->w, guess(s, "there") / 2);
        assert_int_equal(come_in(s, "here", "", ""), 0);
        assert_int_equal(come_in(s, "browser", "", ""), 0);
    }
    assert_true(guess(s, "there") > HOUR / 2);
    assert_int_equal(come_in(s, "there", "", ""), ERR_THROTTLED);
}

static void another_password_forgets(struct story *s)
{
    struct signing in = of_ann(SIGNING_PASSWORD, "there");

    given_lock_out(s, "there");
    given_lock_out(s, "here");
    in.password = S("a hash");
    assert_int_equal(tell(s, &in), 0);
    assert_int_equal(come_in(s, "there", "", ""), 0);
    assert_int_equal(come_in(s, "here", "", ""), 0);
}

static void other_groups_are_an_event(struct story *s)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(come_in(s, "here", "https://login.test", "[\"dev\"]"), 0);
    assert_int_equal(count(s, "person.joined"), 1);
    assert_int_equal(count(s, "person.changed"), 0);
    assert_int_equal(come_in(s, "here", "https://login.test", "[\"dev\",\"ops\"]"), 0);
    assert_int_equal(count(s, "person.changed"), 1);
    world_kill(&s->w);
    run(s, MINUTE);
    assert_int_equal(come_in(s, "here", "https://login.test", "[\"dev\",\"ops\"]"), 0);
    assert_int_equal(count(s, "person.changed"), 1);
    assert_int_equal(come_in(s, "here", "https://other.test", "[\"dev\",\"ops\"]"), 0);
    assert_int_equal(count(s, "person.changed"), 2);
    assert_int_equal(count(s, "person.signed_in"), 5);
}

int main(void)
{
    struct story_row rows[] = {
        STORY(a_guess_on_its_way_is_one_too_many),
        STORY(nobody_locks_others_out),
        STORY(another_password_forgets),
        STORY(other_groups_are_an_event),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
