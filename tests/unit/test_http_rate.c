/* http/rate: a burst, then so many a second, each for itself. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "reconciler/http/rate.h"

#define PER_S 10

static struct rate *given_rate(void)
{
    struct rate *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    rate_init(r, 7, PER_S);
    return r;
}

/* How many of `n` pass. */
static int take(struct rate *r, enum rate_kind kind, const char *key, int n, int64_t now_ms)
{
    int passed = 0;

    for (int i = 0; i < n; i++)
        passed += rate_take(r, kind, str_from_c(key), now_ms) == 0;
    return passed;
}

static void test_a_burst_and_then_so_many_a_second(void **state)
{
    struct rate *r = given_rate();

    (void)state;
    assert_int_equal(take(r, RATE_ADDRESS, "a", 100, 1000), PER_S * RATE_BURST_S);
    assert_int_equal(rate_take(r, RATE_ADDRESS, S("a"), 1000), 1);
    assert_int_equal(take(r, RATE_ADDRESS, "a", 100, 1500), PER_S / 2);
    assert_int_equal(take(r, RATE_ADDRESS, "a", 100, 2500), PER_S);
    assert_int_equal(take(r, RATE_ADDRESS, "a", 100, 1000000), PER_S * RATE_BURST_S);
    free(r);
}

/* What a daemon gives where nothing else is said, second by second, of what comes as fast as it can. */
static void test_what_is_given_by_default(void **state)
{
    static const struct {
        enum rate_kind kind;
        int per_s, burst;
    } rows[] = { { RATE_ADDRESS, 100, 400 }, { RATE_CREDENTIAL, 50, 200 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rate *r = calloc(1, sizeof(*r));
        int64_t now_ms = 1000000;
        int passed = 0;

        assert_non_null(r);
        rate_init(r, 7, 0);
        assert_int_equal(take(r, rows[i].kind, "a", 1000, now_ms), rows[i].burst);
        for (int s = 0; s < 10; s++) {
            for (int ms = 1; ms <= 1000; ms++)
                passed += take(r, rows[i].kind, "a", 1, ++now_ms);
            assert_int_equal(passed, rows[i].per_s * (s + 1));
        }
        assert_int_equal(take(r, rows[i].kind, "a", 1000, now_ms + 2000), 2 * rows[i].per_s);
        assert_int_equal(take(r, rows[i].kind, "a", 1000, now_ms + 3600000), rows[i].burst);
        free(r);
    }
}

static void test_each_has_its_own(void **state)
{
    struct rate *r = given_rate();

    (void)state;
    (void)take(r, RATE_ADDRESS, "a", 100, 1000);
    assert_int_equal(take(r, RATE_ADDRESS, "b", 100, 1000), PER_S * RATE_BURST_S);
    assert_int_equal(take(r, RATE_CREDENTIAL, "a", 100, 1000), PER_S * RATE_BURST_S);
    free(r);
}

/* More keys than there are places: who asks much is remembered, who asked once makes room. */
static void test_many_that_ask_once_do_not_make_one_forgotten(void **state)
{
    struct rate *r = given_rate();
    char key[32];

    (void)state;
    (void)take(r, RATE_ADDRESS, "loud", 100, 1000);
    for (int i = 0; i < 4 * RATE_BUCKETS; i++) {
        (void)snprintf(key, sizeof(key), "once %d", i);
        assert_int_equal(rate_take(r, RATE_ADDRESS, str_from_c(key), 1000), 0);
    }
    assert_int_equal(take(r, RATE_ADDRESS, "loud", 100, 1000), 0);
    free(r);
}

static void test_a_network_is_half_of_an_ipv6_address(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(rate_network(&a, S("192.0.2.7")), "192.0.2.7"));
    assert_true(str_eq(rate_network(&a, S("2001:db8::1")), rate_network(&a, S("2001:db8::2"))));
    assert_false(str_eq(rate_network(&a, S("2001:db8::1")), rate_network(&a, S("2001:db8:1::1"))));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_and_then_so_many_a_second),
        cmocka_unit_test(test_what_is_given_by_default),
        cmocka_unit_test(test_each_has_its_own),
        cmocka_unit_test(test_many_that_ask_once_do_not_make_one_forgotten),
        cmocka_unit_test(test_a_network_is_half_of_an_ipv6_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
