/* core: who fails to sign in waits ever longer. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/lockout.h"

#define SECOND ((int64_t)1000)
#define HOUR ((int64_t)3600 * SECOND)
#define NOW ((int64_t)1700000000000)

static const struct {
    const char *sentence;
    int64_t n_free, n_failures, gap_ms; /* so many, so far apart */
    int64_t later_ms, wait_ms;          /* what is left of the wait then */
} rows[] = {
    { "four failures are free", 5, 4, 0, 0, 0 },
    { "the fifth begins the wait", 5, 5, 0, 0, 15 * SECOND },
    { "of which time goes by", 5, 5, 0, 5 * SECOND, 10 * SECOND },
    { "until it is over", 5, 5, 0, 15 * SECOND, 0 },
    { "the sixth doubles it", 5, 6, 0, 0, 30 * SECOND },
    { "the tenth is eight minutes", 5, 10, 0, 0, 480 * SECOND },
    { "never more than an hour", 5, 64, 0, 0, HOUR },
    { "whatever the number", 5, 100000, 0, 0, HOUR },
    { "an address has more for free", 30, 29, 0, 0, 0 },
    { "and then waits as well", 30, 30, 0, 0, 15 * SECOND },
    { "a day without a failure forgets", 5, 9, 24 * HOUR, 0, 0 },
    { "less than a day does not", 5, 5, 24 * HOUR - 1, 0, 15 * SECOND },
    { "a clock that went back makes no wait longer", 5, 5, 0, -48 * HOUR, 15 * SECOND },
};

static void test_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct lockout l = { 0 };
        int64_t now_ms = NOW;

        for (int64_t n = 0; n < rows[i].n_failures; n++) {
            now_ms += n ? rows[i].gap_ms : 0;
            lockout_note(&l, rows[i].n_free, now_ms);
        }
        if (lockout_wait_ms(&l, now_ms + rows[i].later_ms) != rows[i].wait_ms)
            fail_msg("%s: %lld ms", rows[i].sentence,
                     (long long)lockout_wait_ms(&l, now_ms + rows[i].later_ms));
    }
}

static const struct {
    const char *address, *place;
} places[] = {
    { "192.0.2.7", "192.0.2.7" },
    { "2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64" },
    { "2001:db8:1:2::9", "2001:0db8:0001:0002::/64" },
    { "", "local" },
    { "nonsense", "local" },
};

static void test_places(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(places); i++)
        assert_true(str_eq_c(lockout_place(&a, str_from_c(places[i].address)), places[i].place));
}

static void test_keys(void **state)
{
    struct digest one = lockout_key(S("ann"), S("192.0.2.7"));
    struct digest same = lockout_key(S("ann"), S("192.0.2.7"));
    struct digest other = lockout_key(S("ann1"), S("92.0.2.7"));

    (void)state;
    assert_true(digest_eq(&one, &same));
    assert_false(digest_eq(&one, &other));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
