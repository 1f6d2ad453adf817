/*
 * sim: seeded histories; the laws hold in each. SPDX-License-Identifier: Apache-2.0
 *
 *     HISTORIES=N     how many, FROM=N on; SEED=N  that one alone; STORY=1  what happens in it
 *     DEBUG=1         what the engine says of it; KEEP=1  its folder stays
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/sim/history.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer)
#define HISTORIES_DEFAULT 150
#else
#define HISTORIES_DEFAULT 2000
#endif
#define HISTORY_SECONDS_MAX 60 /* of processor, of one; more is a loop that never rests */
#define HISTORIES_MANY 1000
#define HISTORIES_BROKEN_MAX 5
#define HISTORIES_PROCESSES 2

/* What one process found out, in memory that all of them share. */
struct found {
    int passed[N_CRASH_POINTS], died[N_CRASH_POINTS], n_broken;
};

static struct found *found; /* one a process; the first is the sum at the end */
static uint64_t seed_now;

static void hangs(int signum)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "seed %llu hangs\n", (unsigned long long)seed_now);

    (void)signum;
    (void)!write(STDERR_FILENO, text, (size_t)n);
    abort();
}

/* Of our own: a machine that is busy with others makes no history hang. */
static void limit_seconds(time_t seconds)
{
    (void)setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
}

static void run_one(uint64_t seed, struct found *f)
{
    struct history h;

    seed_now = seed;
    limit_seconds(HISTORY_SECONDS_MAX);
    history_run(&h, seed);
    limit_seconds(0);
    for (int i = 0; i < N_CRASH_POINTS; i++) {
        f->passed[i] += h.world.passed[i];
        f->died[i] += h.world.died[i];
    }
    f->n_broken += h.broken != NULL;
    history_fini(&h);
}

static void run_some(uint64_t first, uint64_t last, uint64_t step, struct found *f)
{
    for (uint64_t seed = first; seed <= last && f->n_broken < HISTORIES_BROKEN_MAX; seed += step)
        run_one(seed, f);
}

/* Each process takes every n-th seed. */
static void run_all(uint64_t first, uint64_t last, uint64_t n)
{
    pid_t pids[HISTORIES_PROCESSES];
    int status;

    for (uint64_t i = 0; i < n; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i])
            continue;
        run_some(first + i, last, n, &found[i]);
        _exit(0);
    }
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        found[i].n_broken += status != 0; /* it hung, or fell: it said which seed */
    }
}

static void sum_up(void)
{
    (void)printf("%-24s %10s %6s\n", "crash point", "passed", "died");
    for (int i = 0; i < N_CRASH_POINTS; i++) {
        for (int p = 1; p < HISTORIES_PROCESSES; p++) {
            found[0].passed[i] += found[p].passed[i];
            found[0].died[i] += found[p].died[i];
        }
        (void)printf("%-24s %10d %6d\n", crash_point_name((enum crash_point)i), found[0].passed[i],
                     found[0].died[i]);
    }
    for (int p = 1; p < HISTORIES_PROCESSES; p++)
        found[0].n_broken += found[p].n_broken;
}

static uint64_t asked(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_the_laws_hold_in_every_history(void **state)
{
    uint64_t first = asked("FROM", 1), last = first + asked("HISTORIES", HISTORIES_DEFAULT) - 1;

    (void)state;
    (void)signal(SIGPROF, hangs);
    found = mmap(NULL, HISTORIES_PROCESSES * sizeof(*found), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(found, MAP_FAILED);
    if (asked("SEED", 0))
        run_one(asked("SEED", 0), found);
    else
        run_all(first, last, HISTORIES_PROCESSES);
    sum_up();
    assert_int_equal(found[0].n_broken, 0);
}

/* A point that no history reaches is not tested by any. A few histories do not die at each. */
static void test_every_crash_point_is_reached(void **state)
{
    int are_many = asked("HISTORIES", HISTORIES_DEFAULT) >= HISTORIES_MANY;

    (void)state;
    for (int i = 0; i < N_CRASH_POINTS && !asked("SEED", 0); i++)
        if (!found[0].passed[i] || (are_many && !found[0].died[i]))
            fail_msg("nobody died at %s", crash_point_name((enum crash_point)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_laws_hold_in_every_history),
        cmocka_unit_test(test_every_crash_point_is_reached),
    };

    log_setup(getenv("DEBUG") ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
