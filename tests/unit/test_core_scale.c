/* core: how many instances a service needs, a row for each decision. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/scale.h"
#include "specs/json_io.h"

#define INSTANCES_MAX 16
#define ROUND_MS 10000
#define GONE (-1)

static const struct scale_aim aim = {
    .min = 2, .max = 12, .use = 7000, .share = 1000, .down_after_ms = 6 * ROUND_MS
};

/* clang-format off */

/* By what they use together at one moment. */
static const struct right {
    const char *sentence;
    int64_t current, thousandths, n_missing, right;
} rights[] = {
    { "at the aim nothing moves",                        4, 2800, 0,  4 },
    { "a tenth above it nothing moves",                  4, 3080, 0,  4 },
    { "a tenth below it nothing moves",                  4, 2520, 0,  4 },
    { "beyond a tenth there are more",                   4, 3081, 0,  5 },
    { "and fewer",                                       8, 4900, 0,  7 },
    { "never less than asked for",                       4, 2101, 0,  4 },
    { "as many as bring it to the aim",                  4, 5600, 0,  8 },
    { "at most twice as many at once",                   5, 9900, 0, 10 },
    { "or four more",                                    2, 9900, 0,  6 },
    { "at most max",                                     8, 9900, 0, 12 },
    { "at least min",                                    4,    0, 0,  2 },
    { "fewer than min are too few",                      1,    0, 0,  2 },
    { "more than max are too many",                     14, 9800, 0, 12 },
    { "what is not measured is a reason for no fewer",   4,  100, 1,  4 },
    { "nor is nothing at all",                           4,    0, 4,  4 },
    { "what is measured asks for more by itself",        4, 4200, 1,  6 },
    { "what is not measured uses nothing",               4, 2100, 1,  4 },
};

/* What one instance used between two looks. */
static const struct measured {
    const char *sentence;
    int64_t before_us, before_ms, now_us, now_ms;
    int64_t thousandths, n_missing;
} measureds[] = {
    { "a whole processor",                        0, 0, 10000000, 10000, 1000, 0 },
    { "four of them",                            10, 0, 40000010, 10000, 4000, 0 },
    { "by its own time",                          0, 7, 10000000, 20007,  500, 0 },
    { "nothing",                                  5, 0,        5, 10000,    0, 0 },
    { "it was not measured before",            GONE, 0, 10000000, 10000,    0, 1 },
    { "it was not measured now",                  0, 0,     GONE, 10000,    0, 1 },
    { "it began again",                     9000000, 0,  1000000, 10000,    0, 1 },
    { "no time went by",                          0, 5, 10000000,     5,    0, 1 },
};

/* Rounds of ROUND_MS: what each instance uses in each, and how many are wanted after it. '0'..'9': so many tenths
 * of a processor; '?': as before, and the first could not be measured; '.': as before, and nobody looked. Wanted '-': as many as there are. */
static const struct told {
    const char *sentence;
    int64_t current;
    const char *uses, *wanted;
} tolds[] = {
    { "the first look knows nothing",                             4, "9",             "-" },
    { "more at once",                                             4, "99",            "-6" },
    { "fewer after six rounds, as many as were needed in them",   6, "11111111",      "-------2" },
    { "the most that was needed counts",                          6, "11311111",      "-------3" },
    { "one round at the aim, and the time begins again",          6, "11117111111",   "-----------" },
    { "one that could not be measured, too",                      6, "1111?111111",   "-----------" },
    { "again after seven more",                                   6, "1111?11111111", "------------2" },
    { "what was asked for is asked for again after a minute",     4, "99999999",      "-6-----6" },
    { "what is measured after a long pause says nothing of now",  4, "9............9", "--------------" },
    { "after a short one it does",                                4, "9..9",          "---6" },
};

/* The document of a service. */
static const struct asked {
    const char *sentence, *service;
    int is_range;
    struct scale_aim aim;
} askeds[] = {
    { "one number", "{\"replicas\":3}", 0, { 0, 0, 0, 0, 0 } },
    { "one processor", "{\"replicas\":{\"min\":1,\"max\":4,\"cpu\":7000,\"down_after_ms\":300000}}", 1, { 1, 4, 7000, 1000, 300000 } },
    { "its reservation", "{\"replicas\":{\"min\":1,\"max\":4,\"cpu\":5000,\"down_after_ms\":1000},\"reservations\":{\"cpus\":250}}", 1, { 1, 4, 5000, 250, 1000 } },
    { "its limit before that", "{\"replicas\":{\"min\":2,\"max\":4,\"cpu\":5000,\"down_after_ms\":1000},\"reservations\":{\"cpus\":250},\"limits\":{\"cpus\":2500}}", 1, { 2, 4, 5000, 2500, 1000 } },
};
/* clang-format on */

static void test_what_is_right_now(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rights); i++) {
        const struct scale_use use = { rights[i].thousandths, rights[i].n_missing };
        int64_t right = scale_right(&aim, rights[i].current, &use);

        if (right != rights[i].right)
            fail_msg("%s: %lld instead of %lld", rights[i].sentence, (long long)right,
                     (long long)rights[i].right);
    }
}

static void test_what_was_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(measureds); i++) {
        const struct measured *m = &measureds[i];
        const struct scale_sample before = { m->before_us, m->before_ms },
                                  now = { m->now_us, m->now_ms };
        struct scale_use use = scale_measure(&before, &now, 1);

        if (use.thousandths != m->thousandths || use.n_missing != m->n_missing)
            fail_msg("%s: %lld, %lld missing", m->sentence, (long long)use.thousandths,
                     (long long)use.n_missing);
    }
}

static void tell(const struct told *t)
{
    struct scale_sample last[INSTANCES_MAX], now[INSTANCES_MAX];
    int64_t tenths = 0, used_us = 0, now_ms = 0;
    struct scale_memory m;

    scale_forget(&m, t->current, last);
    for (size_t round = 0; t->uses[round]; round++) {
        struct scale_verdict v = { t->current, -1 };
        char use = t->uses[round];
        int64_t wanted = t->wanted[round] == '-' ? t->current : t->wanted[round] - '0';

        now_ms += ROUND_MS;
        tenths = use >= '0' && use <= '9' ? use - '0' : tenths;
        used_us += tenths * 100 * ROUND_MS;
        for (int64_t i = 0; i < t->current; i++)
            now[i] = (struct scale_sample){ use == '?' && !i ? GONE : used_us, now_ms };
        if (use != '.')
            v = scale_judge(&aim, &m, now, now_ms);
        if (v.wanted != wanted)
            fail_msg("%s: round %zu wants %lld instead of %lld", t->sentence, round,
                     (long long)v.wanted, (long long)wanted);
    }
}

static void test_what_is_wanted_in_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(tolds); i++)
        tell(&tolds[i]);
}

static void test_what_is_asked_for(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(askeds); i++) {
        struct scale_aim found = { 0 };
        struct err err = ERR_INIT;
        struct value *service;

        assert_int_equal(json_parse(&a, str_from_c(askeds[i].service), 4096, &service, &err), 0);
        if (scale_aim_of(service, &found) != askeds[i].is_range ||
            memcmp(&found, &askeds[i].aim, sizeof(found)) != 0)
            fail_msg("%s", askeds[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_right_now),
        cmocka_unit_test(test_what_was_used),
        cmocka_unit_test(test_what_is_wanted_in_time),
        cmocka_unit_test(test_what_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
