/* http/feed: nothing is missed, told twice or kept for who does not listen. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_http_feed_given.h"

#define PING_MS 100

/* --- rows ---------------------------------------------------------------------------------------- */

static void talk_resume(struct fixture *f)
{
    struct client live = client_open(f, "/events"), past = client_open(f, "/events?after=1");
    struct client near = client_open(f, "/events?after=998");

    hear_until(&near, "who was gone for a moment", 1000);
    publish(f, 1);
    hear_until(&live, "what comes now", 1001);
    hear_until(&past, "from the past to now", 1001);
    hear_until(&near, "and what comes then", 1001);
    publish(f, 500);
    hear_until(&live, "many at once", 1501);
    hear_until(&past, "many at once, for another", 1501);
    if (live.n_ids != 501 || past.n_ids != 1500 || near.n_ids != 3)
        fail_later("each", "was not told once");
    (void)close(near.fd);
    f->has_stopped = 1;
    loop_post(f->loop, stop, f);
    hear_end(&live, "when we stop");
    hear_end(&past, "when we stop, for another");
    (void)close(live.fd);
    (void)close(past.fd);
}

static void test_from_where_it_was_and_on(void **state)
{
    (void)state;
    run(talk_resume);
}

static void talk_scope(struct fixture *f)
{
    struct client c = client_open(f, "/events?after=0&env=staging");

    hear_until(&c, "of one environment", 998);
    if (c.n_ids != 333)
        fail_later("of one environment", "not what is of it, all of it");
    publish(f, 1); /* of staging */
    hear_until(&c, "what comes", 1001);
    (void)close(c.fd);
}

static void test_who_has_a_scope_hears_of_it_alone(void **state)
{
    (void)state;
    run(talk_scope);
}

static void talk_slow(struct fixture *f)
{
    AUTO_CLOSE int slow = dial(f, "/events?after=0");
    struct client other = client_open(f, "/events");
    int64_t end_ms = sys_mono_ms() + WAIT_MS;

    while (f->newest < 3000 && !failure[0]) { /* all the while the other one hears everything */
        publish(f, 10);
        hear_until(&other, "beside a slow one", f->newest);
    }
    for (struct pollfd p = { slow, 0, 0 }; !(p.revents & POLLHUP);)
        if (poll(&p, 1, 50) < 0 || sys_mono_ms() > end_ms) {
            fail_later("a slow one", "was not cut");
            break;
        }
    publish(f, 1);
    hear_until(&other, "when the slow one is gone", f->newest);
    (void)close(other.fd);
}

static void test_who_takes_nothing_is_cut_and_holds_up_nobody(void **state)
{
    (void)state;
    run_as(&(struct fixture){ .talk = talk_slow, .newest = 1000, .n_padding = 4000 });
}

static void talk_failure(struct fixture *f)
{
    struct client c = client_open(f, "/events");

    f->n_failures = 2; /* who joins may have one for itself */
    publish(f, 1);
    hear_until(&c, "what could not be read at first", 11);
    (void)close(c.fd);
}

static void test_what_could_not_be_read_is_told_later(void **state)
{
    (void)state;
    run_as(&(struct fixture){ .talk = talk_failure, .newest = 10, .ping_ms = PING_MS });
}

static void talk_ping(struct fixture *f)
{
    struct client c = client_open(f, "/events");

    while (c.n_pings < 3 && hear(&c, "a ping", WAIT_MS))
        ;
    if (c.n_pings < 3)
        fail_later("a ping", "none");
    hear_end(&c, "its life");
    (void)close(c.fd);
}

static void test_silence_is_told_apart_from_the_end_and_a_stream_has_one(void **state)
{
    (void)state;
    run_as(&(struct fixture){
        .talk = talk_ping, .newest = 10, .ping_ms = PING_MS, .life_ms = 5 * PING_MS });
}

static void talk_revoked(struct fixture *f)
{
    struct client first = client_open(f, "/events?who=token/ci"), again;
    struct client other = client_open(f, "/events?who=token/cd"), local = client_open(f, "/events");
    struct client behind = client_open(f, "/events?after=1&who=token/ci");

    publish(f, 1);
    hear_until(&first, "before it is revoked", 1001);
    f->revoked = 1002;
    publish(f, 3);
    hear_end(&first, "it is revoked");
    hear_end(&behind, "it is revoked, for who is behind");
    hear_until(&other, "another one's", 1004);
    hear_until(&local, "who showed nothing", 1004);
    if (first.last > 1001)
        fail_later("it is revoked", "and was told what came then");
    again = client_open(f, "/events?after=1&who=token/ci"); /* as a person signs in again */
    hear_until(&again, "who is known since hears what was", 1004);
    publish(f, 1);
    hear_until(&again, "and what comes", 1005);
    (void)close(first.fd);
    (void)close(again.fd);
    (void)close(other.fd);
    (void)close(local.fd);
    (void)close(behind.fd);
}

static void test_a_stream_ends_with_what_was_shown(void **state)
{
    (void)state;
    run_as(&(struct fixture){ .talk = talk_revoked, .newest = 1000, .n_padding = 4000 });
}

static void talk_expires(struct fixture *f)
{
    struct client c = client_open(f, "/events");

    hear_end(&c, "what was shown is over");
    (void)close(c.fd);
}

static void test_and_when_that_expires(void **state)
{
    (void)state;
    run_as(
        &(struct fixture){ .talk = talk_expires, .newest = 10, .ping_ms = PING_MS, .until_ms = 1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_where_it_was_and_on),
        cmocka_unit_test(test_who_has_a_scope_hears_of_it_alone),
        cmocka_unit_test(test_who_takes_nothing_is_cut_and_holds_up_nobody),
        cmocka_unit_test(test_what_could_not_be_read_is_told_later),
        cmocka_unit_test(test_silence_is_told_apart_from_the_end_and_a_stream_has_one),
        cmocka_unit_test(test_a_stream_ends_with_what_was_shown),
        cmocka_unit_test(test_and_when_that_expires),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
