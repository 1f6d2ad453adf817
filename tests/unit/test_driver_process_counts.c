/* What is counted of instances: how often they were started again, and what they use. SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "tests/unit/test_driver_process_given.h"

static int has_restarted_twice(struct world *w, void *owner)
{
    return world_state(w, owner, "restarts") >= 2;
}

static void test_restarts_are_counted(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", OWNER, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    assert_int_equal(apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("exit 3"), "")).verdict, RV_DONE);
    world_wait(w, has_restarted_twice, OWNER, "it was started again twice");
    assert_true(test_rv_has(look(w, OWNER).observed, "\"exit\":3"));
    w->driver->counters(w->self, &w->t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"restarts\":"));
    assert_false(test_rv_has(ret.observed, "\"restarts\":0"));
}

/* Microseconds; -1: it does not say. */
static long long used_by(struct world *w, const char *owner)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", owner, "", "");
    struct rv_result ret = { .size = sizeof(ret) };
    char text[256];
    const char *at;

    w->driver->counters(w->self, &w->t.host, &op, &ret);
    (void)snprintf(text, sizeof(text), "%.*s", (int)ret.observed.n, ret.observed.p);
    at = strstr(text, "\"cpu_us\":");
    return at ? atoll(at + strlen("\"cpu_us\":")) : -1;
}

static int has_used_enough(struct world *w, void *ctx)
{
    (void)ctx;
    return used_by(w, OWNER) >= 300000;
}

static int has_used_as_much(struct world *w, void *before)
{
    return used_by(w, OWNER) >= *(const long long *)before;
}

static int has_restarted(struct world *w, void *ctx)
{
    (void)ctx;
    return world_state(w, OWNER, "restarts") >= 1;
}

/* A shell that waits for what uses the processor: when both are gone that is still counted. */
static void test_what_it_uses_is_counted(void **state)
{
    struct world *w = *state;
    long long before;

    assert_int_equal(apply(w, RV_CREATE, OTHER, "k1", INSTANCE(SH("sleep 1000"), "")).verdict,
                     RV_DONE);
    assert_int_equal(
        apply(w, RV_CREATE, OWNER, "k1", INSTANCE(SH("sh -c 'while :; do :; done'; exit 1"), ""))
            .verdict,
        RV_DONE);
    world_wait(w, has_used_enough, NULL, "it used a third of a second");
    before = used_by(w, OWNER);
    assert_int_equal(kill((pid_t)world_state(w, OWNER, "pid"), SIGKILL), 0);
    world_wait(w, has_restarted, NULL, "it was started again");
    world_wait(w, has_used_as_much, &before, "what ended is counted");
    assert_in_range(used_by(w, OTHER), 0, 200000);
    assert_int_equal(used_by(w, THIRD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        ROW(test_restarts_are_counted),
        ROW(test_what_it_uses_is_counted),
#undef ROW
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
