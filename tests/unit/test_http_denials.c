/* http/denials: however many come without a credential, a few events a minute say so. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/denials.h"
#include "reconciler/rt/loop_sim.h"
#include "specs/json_io.h"

#define MINUTE 60000

static struct written {
    char actor[80], reason[80], where[80];
    int64_t calls, at_ms;
} written[256];
static size_t n_written;

static enum task_verdict fake_step(struct task *t)
{
    struct command_call *call = container_of(t, struct command_call, task);
    struct written *w = &written[n_written++];
    struct err err = ERR_INIT;
    struct value *note;

    assert_int_equal(json_parse(&call->arena, call->in.denied_note, 4096, &note, &err), 0);
    assert_int_equal(call->in.verb, COMMAND_DENIED);
    (void)snprintf(w->actor, sizeof(w->actor), "%.*s", STR_ARG(call->in.actor));
    (void)snprintf(w->reason, sizeof(w->reason), "%.*s", STR_ARG(call->in.denied));
    (void)snprintf(w->where, sizeof(w->where), "%.*s",
                   STR_ARG(value_get_text(note, S("address"), S(""))));
    w->calls = value_get_int(note, S("calls"), 0);
    w->at_ms = loop_mono_ms(t->loop);
    return task_done(t);
}

static void fake_command(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    static const struct task_state states[] = { { "FAKE", 0, NO_ERROR_EDGE, 0 } };

    task_start(&call->task, (struct loop *)e, "fake", states, 1, 0, fake_step, ended, ctx);
}

struct given {
    struct loop *loop;
    struct notes notes;
    struct denials denials;
    int64_t began_ms;
    int is_idle;
};

static void given_begin(struct given *g)
{
    struct err err = ERR_INIT;

    n_written = 0;
    *g = (struct given){ .loop = loop_sim_new(
                             &(struct loop_sim_options){ .seed = 1, .wall_ms = 1000000 }) };
    g->began_ms = loop_mono_ms(g->loop);
    g->notes = (struct notes){ .engine = (struct engine *)g->loop, .command = fake_command };
    assert_int_equal(denials_init(&g->denials, g->loop, &g->notes, &err), 0);
}

static void given_end(struct given *g)
{
    denials_fini(&g->denials);
    loop_free(g->loop);
}

/* So long after the beginning. */
static void pass(struct given *g, int64_t after_ms)
{
    assert_int_equal(loop_sim_run(g->loop, g->began_ms + after_ms), 0);
}

static void test_addresses_are_folded_by_prefix(void **state)
{
    static const struct {
        const char *address, *where;
    } rows[] = {
        { "203.0.113.7", "203.0.113.0/24" },
        { "203.0.113.250", "203.0.113.0/24" },
        { "203.0.114.7", "203.0.114.0/24" },
        { "2001:db8:1:2ff::9", "2001:db8:1:200::/56" },
        { "2001:db8:1:201::1", "2001:db8:1:200::/56" },
        { "2001:db8:1:301::1", "2001:db8:1:300::/56" },
        { "", "the socket" },
    };
    struct given g;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        given_begin(&g);
        print_message("  '%s' is of %s\n", rows[i].address, rows[i].where);
        denials_count(&g.denials, str_from_c(rows[i].address), S("no such token"));
        pass(&g, MINUTE);
        assert_int_equal(n_written, 1);
        assert_string_equal(written[0].where, rows[i].where);
        given_end(&g);
    }
}

/* Three prefixes call a thousand times a minute each, for ten minutes. */
static void test_one_event_a_minute_prefix_and_reason(void **state)
{
    struct given g;
    int64_t n_calls = 0;

    (void)state;
    given_begin(&g);
    for (int minute = 0; minute < 10; minute++) {
        for (int i = 0; i < 3000; i++) {
            char address[32];

            (void)snprintf(address, sizeof(address), "10.0.%d.%d", i % 3, i % 250);
            denials_count(&g.denials, str_from_c(address),
                          i % 2 ? S("no such token") : S("the token has expired"));
        }
        pass(&g, (minute + 1) * MINUTE);
    }
    assert_int_equal(n_written, 10 * 3 * 2);
    for (size_t i = 0; i < n_written; i++)
        n_calls += written[i].calls;
    assert_int_equal(n_calls, 30000);
    given_end(&g);
}

static void test_a_minute_begins_with_its_first_call(void **state)
{
    struct given g;

    (void)state;
    given_begin(&g);
    denials_count(&g.denials, S("10.0.0.1"), S("a"));
    pass(&g, 30000);
    denials_count(&g.denials, S("10.0.0.2"), S("a"));
    denials_count(&g.denials, S("10.0.1.1"), S("a"));
    pass(&g, MINUTE - 1);
    assert_int_equal(n_written, 0);
    pass(&g, MINUTE);
    assert_int_equal(n_written, 1);
    assert_int_equal(written[0].calls, 2);
    pass(&g, MINUTE + 30000);
    assert_int_equal(n_written, 2);
    pass(&g, 10 * MINUTE);
    assert_int_equal(n_written, 2);
    given_end(&g);
}

/* Whoever has many prefixes gets no more events by that. */
static void test_a_flood_from_everywhere_is_bounded(void **state)
{
    struct given g;
    int64_t n_calls = 0;

    (void)state;
    given_begin(&g);
    for (int i = 0; i < 10000; i++) {
        char address[32];

        (void)snprintf(address, sizeof(address), "10.%d.%d.1", i / 250, i % 250);
        denials_count(&g.denials, str_from_c(address), S("no credential says who asks"));
    }
    pass(&g, MINUTE);
    assert_int_equal(n_written, DENIALS_MAX);
    for (size_t i = 0; i < n_written; i++)
        n_calls += written[i].calls;
    assert_int_equal(n_calls, 10000);
    assert_string_equal(written[DENIALS_MAX - 1].where, "elsewhere");
    given_end(&g);
}

/* Who is known and floods is told of each minute, with all the calls. */
static void test_a_flood_of_who_is_known_is_bounded(void **state)
{
    struct given g;
    int64_t n_told = 0, n_calls = 0;

    (void)state;
    given_begin(&g);
    for (int minute = 0; minute < 10; minute++) {
        for (int i = 0; i < 1000; i++)
            n_told += denials_is_told(&g.denials, S("token:ci(0123456789abcdef)"));
        assert_true(denials_is_told(&g.denials, S("person:ann")));
        pass(&g, (minute + 1) * MINUTE);
    }
    for (size_t i = 0; i < n_written; i++) {
        assert_string_equal(written[i].actor, "token:ci(0123456789abcdef)");
        n_calls += written[i].calls;
    }
    print_message("  10000 denied calls: %lld events of their own, %zu of the others\n",
                  (long long)n_told, n_written);
    assert_int_equal(n_told, 10 * DENIALS_TOLD);
    assert_int_equal(n_written, 10);
    assert_int_equal(n_told + n_calls, 10000);
    given_end(&g);
}

static void test_so_is_one_of_many_who_are_known(void **state)
{
    struct given g;
    int64_t n_told = 0, n_calls = 0;

    (void)state;
    given_begin(&g);
    for (int i = 0; i < 50000; i++) {
        char actor[32];

        (void)snprintf(actor, sizeof(actor), "person:p%d", i % 500);
        n_told += denials_is_told(&g.denials, str_from_c(actor));
    }
    pass(&g, MINUTE);
    for (size_t i = 0; i < n_written; i++)
        n_calls += written[i].calls;
    assert_int_equal(n_written, DENIALS_MAX);
    assert_int_equal(n_told, DENIALS_MAX * DENIALS_TOLD);
    assert_int_equal(n_told + n_calls, 50000);
    assert_string_equal(written[DENIALS_MAX - 1].actor, "others");
    given_end(&g);
}

static void idle(void *ctx)
{
    ((struct given *)ctx)->is_idle = 1;
}

static void test_who_stops_writes_what_was_counted(void **state)
{
    struct given g;

    (void)state;
    given_begin(&g);
    denials_count(&g.denials, S("10.0.0.1"), S("a"));
    denials_flush(&g.denials);
    notes_stop(&g.notes, idle, &g);
    assert_false(g.is_idle);
    pass(&g, 1);
    assert_true(g.is_idle);
    assert_int_equal(n_written, 1);
    given_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_folded_by_prefix),
        cmocka_unit_test(test_one_event_a_minute_prefix_and_reason),
        cmocka_unit_test(test_a_minute_begins_with_its_first_call),
        cmocka_unit_test(test_a_flood_from_everywhere_is_bounded),
        cmocka_unit_test(test_a_flood_of_who_is_known_is_bounded),
        cmocka_unit_test(test_so_is_one_of_many_who_are_known),
        cmocka_unit_test(test_who_stops_writes_what_was_counted),
    };

    return cmocka_run_group_tests_name("http denials", tests, NULL, NULL);
}
