/* Two sets share a route by weight. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/unit/test_driver_haproxy_load.h"

#define ASKED 4000 /* four sigma of one in ten are 19 of a thousand */

static const char *const no_shares[] = { "0", "10000", "-1", "\"10\"" };

static int shared_routes(struct test_edge *e, int generation, const char *backend,
                         const char *canary, const char *share)
{
    char desired[512], owner[64];

    (void)snprintf(desired, sizeof(desired), /* fits */
                   "{\"environment\":\"e\",\"generation\":%d,\"label\":{},\"routes\":[{\"route\":"
                   "\"web\",\"host\":\"e.test\",\"path\":\"/\",\"backend\":\"%s\",\"canary\":"
                   "{\"backend\":\"%s\",\"share\":%s}}]}",
                   generation, backend, canary, share);
    (void)snprintf(owner, sizeof(owner), "rv1eg%d", generation); /* fits */
    return test_edge_apply(e, RV_CREATE, "routes", "G", owner, desired) == RV_DONE;
}

static void given_two_sets(struct test_edge *e, char ids[2][16])
{
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", &closes_idle), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", &closes_idle), ids[1]));
}

/* Of a thousand. */
static int64_t share_of_v1(const struct value *counts)
{
    const struct value *versions = value_get(counts, S("versions"));

    return 1000 * value_get_int(value_get(versions, S("v1")), S("n"), 0) /
           value_get_int(counts, S("ok"), 1);
}

static int64_t count_requests(struct test_edge *e, const char *owner)
{
    assert_int_equal(test_edge_counters(e, owner), RV_DONE);
    return atoll(strstr(e->ret.observed.p, "\"requests\":") + strlen("\"requests\":"));
}

static void test_each_set_gets_its_share(void **state)
{
    static const int64_t shares[] = { 100, 500, 900 }; /* of a thousand */
    struct test_edge *e = *state;
    AUTO_ARENA struct arena a;
    char ids[2][16], share[16];
    int generation = 1;

    arena_init(&a, 0);
    given_two_sets(e, ids);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++, generation++) {
        struct load load;
        const struct value *counts;
        int64_t before = generation > 1 ? count_requests(e, "rv1a") + count_requests(e, "rv1b") : 0;

        (void)snprintf(share, sizeof(share), "%d", (int)shares[i] * 10); /* fits */
        assert_true(shared_routes(e, generation, ids[0], ids[1], share));
        assert_int_equal(when_switched(e, "e", generation), RV_DONE);
        given_load(e, "e.test", "30", &load);
        while (count_requests(e, "rv1a") + count_requests(e, "rv1b") < before + ASKED)
            pause_ms(20);
        counts = when_load_ends(&load, &a);
        expect_nothing_lost(counts);
        assert_in_range(share_of_v1(counts), shares[i] - 25, shares[i] + 25);
    }
}

static void test_what_has_a_share_stays(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16];

    given_two_sets(e, ids);
    assert_true(shared_routes(e, 1, ids[0], ids[1], "1000"));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    assert_int_equal(test_edge_apply(e, RV_DELETE, "backend", "n", "rv1b", ""), RV_WAIT);
    assert_true(given_routes(e, "e", 2, ids[0]));
    assert_int_equal(when_switched(e, "e", 2), RV_DONE);
    assert_int_equal(test_edge_apply(e, RV_DELETE, "backend", "n", "rv1b", ""), RV_DONE);
    assert_false(shared_routes(e, 3, ids[0], ids[1], "1000")); /* it serves no set any more */
}

static void test_a_share_is_a_part(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16];

    given_two_sets(e, ids);
    for (size_t i = 0; i < sizeof(no_shares) / sizeof(no_shares[0]); i++) {
        assert_false(shared_routes(e, 1, ids[0], ids[1], no_shares[i]));
        assert_int_equal(e->ret.verdict, RV_USER);
    }
    assert_false(shared_routes(e, 1, ids[0], "b;x", "10"));
    assert_int_equal(e->ret.verdict, RV_USER);
}

/* A removed server is counted until its place is taken: who leaves is told from who stays. */
static void test_who_leaves_is_counted(void **state)
{
    struct test_edge *e = *state;
    uint16_t goes = test_edge_server(e, "goes", NULL), stays = test_edge_server(e, "stays", NULL);
    char desired[128], name[32], id[16];

    (void)snprintf(name, sizeof(name), "\"127.0.0.1:%u\":0", goes); /* fits */
    (void)snprintf(desired, sizeof(desired), "{\"servers\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}",
                   goes, stays); /* fits */
    assert_true(test_edge_must(e, RV_CREATE, "backend", "n", "rv1two", desired));
    (void)snprintf(id, sizeof(id), "%s", e->ret.id.p);                                   /* fits */
    (void)snprintf(desired, sizeof(desired), "{\"servers\":[\"127.0.0.1:%u\"]}", stays); /* fits */
    assert_true(test_edge_must(e, RV_UPDATE, "backend", "n", "rv1two", desired));
    assert_int_equal(test_edge_counters(e, "rv1two"), RV_DONE);
    assert_true(test_rv_has(e->ret.observed, name));
}

/* A place of the pool is taken again: what it counted before is somebody else's. */
static void test_a_set_is_not_told_what_another_had(void **state)
{
    struct test_edge *e = *state;
    struct test_edge_answer a;
    char first[16], other[16], again[16];

    test_edge_fini(e);
    assert_int_equal(test_edge_init(e, 2, 2), 0);
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), first));
    assert_true(given_routes(e, "e", 1, first));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    test_edge_get(e->http, "e.test", "/status?code=500", &a);
    assert_int_equal(count_requests(e, "rv1a"), 1);
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), other));
    assert_true(given_routes(e, "e", 2, other));
    assert_int_equal(when_switched(e, "e", 2), RV_DONE);
    assert_true(test_edge_must(e, RV_DELETE, "backend", "n", "rv1a", ""));
    assert_true(test_edge_backend(e, "rv1c", test_edge_server(e, "v2", NULL), again));
    assert_string_equal(again, first);
    assert_int_equal(count_requests(e, "rv1c"), 0);
    assert_true(test_rv_has(e->ret.observed, "\"responses_5xx\":0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_each_set_gets_its_share),
        EDGE_TEST(test_what_has_a_share_stays),
        EDGE_TEST(test_a_share_is_a_part),
        EDGE_TEST(test_who_leaves_is_counted),
        EDGE_TEST(test_a_set_is_not_told_what_another_had),
    };

    return cmocka_run_group_tests_name("haproxy share", tests, NULL, NULL);
}
