/* Switches under load lose nothing; undo is fast. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test_driver_haproxy_load.h"

#define REQUESTS_MIN 40000 /* to applications that close at once */
#define STALL_MS 50        /* for so long the proxy does not run, again and again */

static const struct tiny_http closes_at_once = { .idle_ms = 1, .health_fail_ms = -1 };

static void test_fifty_switches_lose_nothing(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16];
    struct load load;
    AUTO_ARENA struct arena a;
    const struct value *counts;

    arena_init(&a, 0);
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", &closes_idle), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", &closes_idle), ids[1]));
    assert_true(given_routes(e, "e", 1, ids[1]));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);

    given_load(e, "e.test", "30", &load);
    for (int g = 2; g <= 51; g++) {
        assert_true(given_routes(e, "e", g, ids[g % 2]));
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        assert_true(without_routes(e, "e", g - 1));
        pause_ms(20);
    }
    counts = when_load_ends(&load, &a);
    expect_nothing_lost(counts);
    assert_int_equal(value_count(value_get(counts, S("versions"))), 2);
}

static int is_drained(struct test_edge *e, const char *owner)
{
    return test_edge_counters(e, owner) == RV_DONE &&
           test_rv_has(e->ret.observed, "\"current\":0,") &&
           test_rv_has(e->ret.observed, "\"queued\":0,");
}

static void expect_drained(struct test_edge *e, const char *owner)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;

    for (int in_a_row = 0; in_a_row < 2; pause_ms(50)) {
        in_a_row = is_drained(e, owner) ? in_a_row + 1 : 0;
        assert_true(sys_mono_ms() < until_ms);
    }
}

/* Each round: a new server, switch, drain, kill -9 of the old one. */
static void test_replaced_servers_lose_nothing(void **state)
{
    struct test_edge *e = *state;
    char id[16], owner[16], before[16] = "rv1r0", version[16];
    struct load load;
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    assert_true(test_edge_backend(e, before, test_edge_server(e, "v0", &closes_idle), id));
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);

    given_load(e, "e.test", "30", &load);
    for (int round = 1; round <= 4; round++) {
        (void)snprintf(owner, sizeof(owner), "rv1r%d", round);  /* fits */
        (void)snprintf(version, sizeof(version), "v%d", round); /* fits */
        assert_true(test_edge_backend(e, owner, test_edge_server(e, version, &closes_idle), id));
        assert_true(given_routes(e, "e", round + 1, id));
        assert_int_equal(when_switched(e, "e", round + 1), RV_DONE);
        expect_drained(e, before);
        test_edge_kill_server(e, (size_t)round - 1, SIGKILL);
        assert_true(without_routes(e, "e", round));
        assert_true(test_edge_must(e, RV_DELETE, "backend", "n", before, ""));
        (void)snprintf(before, sizeof(before), "%s", owner); /* fits */
    }
    expect_nothing_lost(when_load_ends(&load, &a));
}

static int64_t count_requests(struct test_edge *e, const char *owner)
{
    assert_int_equal(test_edge_counters(e, owner), RV_DONE);
    return atoll(strstr(e->ret.observed.p, "\"requests\":") + strlen("\"requests\":"));
}

/* Between connecting and sending the proxy is kept from running for longer than the application waits. */
static void test_a_proxy_that_stalls_loses_nothing(void **state)
{
    struct test_edge *e = *state;
    struct load load;
    char id[16];
    pid_t proxy;
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", &closes_at_once), id));
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    proxy = test_edge_proxy(e);
    assert_true(proxy > 1);

    given_load(e, "e.test", "100", &load);
    while (count_requests(e, "rv1a") < REQUESTS_MIN) {
        assert_int_equal(kill(proxy, SIGSTOP), 0);
        pause_ms(STALL_MS);
        assert_int_equal(kill(proxy, SIGCONT), 0);
        pause_ms(STALL_MS);
    }
    expect_nothing_lost(when_load_ends(&load, &a));
}

/* One of two servers dies between being chosen and being connected to: the other one answers. */
static void test_a_dead_server_beside_a_live_one_loses_nothing(void **state)
{
    struct test_edge *e = *state;
    uint16_t dies = test_edge_server(e, "dies", NULL), lives = test_edge_server(e, "lives", NULL);
    char desired[128], id[16];

    (void)snprintf(desired, sizeof(desired), "{\"servers\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}",
                   dies, lives); /* fits */
    assert_true(test_edge_must(e, RV_CREATE, "backend", "n", "rv1two", desired));
    (void)snprintf(id, sizeof(id), "%s", e->ret.id.p); /* fits */
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    test_edge_kill_server(e, 0, SIGKILL);
    for (int i = 0; i < 20; i++)
        expect_version(e, "e.test", "lives");
    assert_int_equal(test_edge_counters(e, "rv1two"), RV_DONE);
    assert_false(test_rv_has(e->ret.observed, "\"redispatches\":0"));
}

static void test_undo_is_fast(void **state)
{
    struct test_edge *e = *state;
    int64_t best_ms = PATIENCE_MS;
    char ids[2][16];

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), ids[1]));
    assert_true(given_routes(e, "e", 1, ids[1]));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    for (int g = 2; g < 22; g++) {
        int64_t began_ms = sys_mono_ms(), took_ms;

        assert_true(given_routes(e, "e", g, ids[g % 2]));
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        took_ms = sys_mono_ms() - began_ms;
        best_ms = took_ms < best_ms ? took_ms : best_ms;
    }
    (void)printf("    undo (routes and switch): %d ms\n", (int)best_ms);
    expect_version(e, "e.test", "v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_fifty_switches_lose_nothing),
        EDGE_TEST(test_replaced_servers_lose_nothing),
        EDGE_TEST(test_a_proxy_that_stalls_loses_nothing),
        EDGE_TEST(test_a_dead_server_beside_a_live_one_loses_nothing),
        EDGE_TEST(test_undo_is_fast),
    };

    return cmocka_run_group_tests_name("haproxy switch", tests, NULL, NULL);
}
