/* core: a wall clock that steps is not believed, and is again when it has agreed for an hour. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/clock.h"

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)
#define WALL 1700000000000

/* One look: the time since the look before by each clock, and what comes of it. */
struct look {
    int64_t wall_by, boot_by;
    enum clock_news news;
    int is_suspect;
};

struct clock_case {
    const char *sentence;
    struct look looks[5];
    int64_t due; /* after them, from WALL */
};

/* clang-format off */
static const struct clock_case cases[] = {
    { "clocks that go together are believed",
      { { MINUTE, MINUTE, CLOCK_NO_NEWS, 0 }, { HOUR, HOUR, CLOCK_NO_NEWS, 0 } }, MINUTE + HOUR },
    { "a correction of a few minutes is none",
      { { 6 * MINUTE, MINUTE, CLOCK_NO_NEWS, 0 }, { MINUTE, 5 * MINUTE, CLOCK_NO_NEWS, 0 } }, 7 * MINUTE },
    { "a step forward is suspect, and time stands still",
      { { MINUTE, MINUTE, CLOCK_NO_NEWS, 0 }, { 24 * HOUR, MINUTE, CLOCK_STEPPED, 1 }, { MINUTE, MINUTE, CLOCK_NO_NEWS, 1 } }, MINUTE },
    { "a step back is suspect",
      { { -24 * HOUR, MINUTE, CLOCK_STEPPED, 1 } }, 0 },
    { "after an hour in step it is believed again",
      { { 24 * HOUR, MINUTE, CLOCK_STEPPED, 1 }, { 59 * MINUTE, 59 * MINUTE, CLOCK_NO_NEWS, 1 }, { MINUTE, MINUTE, CLOCK_AGREES, 0 } }, 25 * HOUR },
    { "the way back is a step too: the hour begins again, what was believed first stays",
      { { 24 * HOUR, MINUTE, CLOCK_STEPPED, 1 }, { 59 * MINUTE - 24 * HOUR, 59 * MINUTE, CLOCK_STEPPED, 1 }, { 2 * MINUTE, 2 * MINUTE, CLOCK_NO_NEWS, 1 } }, 0 },
};

/* A new life finds the clocks so; the former one wrote WALL and HOUR down, and did something 2 h later. */
static const struct resume_case {
    const char *sentence;
    int64_t wall, boot; /* from WALL; of the boot */
    int is_same_boot;
    enum clock_news news;
    int64_t due;
} resumes[] = {
    { "the same boot, in step", 3 * HOUR, 4 * HOUR, 1, CLOCK_NO_NEWS, 3 * HOUR },
    { "the same boot, a day ahead", 27 * HOUR, 4 * HOUR, 1, CLOCK_STEPPED, 2 * HOUR },
    { "the same boot, a day back", -21 * HOUR, 4 * HOUR, 1, CLOCK_STEPPED, 2 * HOUR },
    { "another boot: a machine may be off for long", 1000 * HOUR, MINUTE, 0, CLOCK_NO_NEWS, 1000 * HOUR },
    { "another boot, before what was done last", HOUR, MINUTE, 0, CLOCK_STEPPED, 2 * HOUR },
};
/* clang-format on */

static void test_looks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct clock_watch c;
        int64_t wall = WALL, boot = HOUR;

        clock_trust(&c, wall, boot);
        for (size_t k = 0; k < 5 && cases[i].looks[k].boot_by; k++) {
            const struct look *look = &cases[i].looks[k];

            wall += look->wall_by;
            boot += look->boot_by;
            if (clock_look(&c, wall, boot) != look->news || c.is_suspect != look->is_suspect)
                fail_msg("%s: at look %zu", cases[i].sentence, k + 1);
        }
        if (clock_due_ms(&c) != WALL + cases[i].due)
            fail_msg("%s: due %lld", cases[i].sentence, (long long)(clock_due_ms(&c) - WALL));
    }
}

static void test_a_new_life(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resumes) / sizeof(resumes[0]); i++) {
        const struct resume_case *row = &resumes[i];
        struct clock_watch c;

        clock_trust(&c, WALL, HOUR);
        if (clock_resume(&c, row->is_same_boot, WALL + 2 * HOUR, WALL + row->wall, row->boot) !=
                row->news ||
            c.is_suspect != (row->news == CLOCK_STEPPED))
            fail_msg("%s", row->sentence);
        if (clock_due_ms(&c) != WALL + row->due)
            fail_msg("%s: due %lld", row->sentence, (long long)(clock_due_ms(&c) - WALL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_a_new_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
