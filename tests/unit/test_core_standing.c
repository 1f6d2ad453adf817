/* core: the two tables at the end of DESIGN 6, a row for each cell. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/standing.h"

/* clang-format off */
static const struct cell {
    enum standing_act act;
    enum standing_bar bar;
    enum standing_way way;
    const char *sentence;
} cells[] = {
    { STANDING_COMMIT,  STANDING_FREEZE,     STANDING_WAITS,     "a commit waits for the end of a freeze" },
    { STANDING_COMMIT,  STANDING_HOLD,       STANDING_WAITS,     "a commit waits for the end of a hold" },
    { STANDING_COMMIT,  STANDING_QUARANTINE, STANDING_PROVEN,    "its group stays on what was proven" },
    { STANDING_COMMIT,  STANDING_BUDGET,     STANDING_ASKS,      "above the budget it asks" },
    { STANDING_RESTART, STANDING_FREEZE,     STANDING_RUNS,      "what died is restarted in a freeze" },
    { STANDING_RESTART, STANDING_HOLD,       STANDING_RUNS,      "what died is restarted whatever is held" },
    { STANDING_RESTART, STANDING_QUARANTINE, STANDING_RUNS,      "what died is restarted in quarantine" },
    { STANDING_RESTART, STANDING_BUDGET,     STANDING_RUNS,      "what died is restarted, however many" },
    { STANDING_PERSON,  STANDING_FREEZE,     STANDING_EXPLAINED, "a person goes back in a freeze, and says why" },
    { STANDING_PERSON,  STANDING_HOLD,       STANDING_REFUSED,   "nobody goes back while it is held" },
    { STANDING_PERSON,  STANDING_QUARANTINE, STANDING_RUNS,      "a person goes to any revision that was proven" },
    { STANDING_PERSON,  STANDING_BUDGET,     STANDING_ASKS,      "above the budget a rollback asks too" },
    { STANDING_DRIFT,   STANDING_FREEZE,     STANDING_HARMLESS,  "drift is repaired in a freeze where nothing is disrupted" },
    { STANDING_DRIFT,   STANDING_HOLD,       STANDING_REPORTED,  "drift is reported while it is held" },
    { STANDING_DRIFT,   STANDING_QUARANTINE, STANDING_PROVEN,    "drift is repaired towards what was proven" },
    { STANDING_DRIFT,   STANDING_BUDGET,     STANDING_ASKS,      "above the budget a repair asks" },
    { STANDING_SCALE,   STANDING_FREEZE,     STANDING_RUNS,      "load asks for no end of a freeze" },
    { STANDING_SCALE,   STANDING_HOLD,       STANDING_WAITS,     "what is held keeps its number of instances" },
    { STANDING_SCALE,   STANDING_QUARANTINE, STANDING_RUNS,      "what serves meanwhile is scaled" },
    { STANDING_SCALE,   STANDING_BUDGET,     STANDING_RUNS,      "fewer instances take nothing away" },
    { STANDING_STOP,    STANDING_FREEZE,     STANDING_RUNS,      "the previous set is stopped in a freeze" },
    { STANDING_STOP,    STANDING_HOLD,       STANDING_WAITS,     "the previous set stays warm while it is held" },
    { STANDING_STOP,    STANDING_QUARANTINE, STANDING_RUNS,      "the previous set is stopped in quarantine" },
    { STANDING_STOP,    STANDING_BUDGET,     STANDING_RUNS,      "the previous set is stopped, the budget does not count it" },
};

static const struct next {
    const char *state;
    enum standing_news news;
    const char *then;
    int forgets;
} nexts[] = {
    { "open",       STANDING_MOVED,     "superseded", 0 },
    { "waiting",    STANDING_MOVED,     "superseded", 0 },
    { "approved",   STANDING_MOVED,     "superseded", 0 }, /* its approvals stay with the old id */
    { "rejected",   STANDING_MOVED,     "superseded", 0 },
    { "superseded", STANDING_MOVED,     "superseded", 0 },
    { "open",       STANDING_ELSEWHERE, "open",       0 },
    { "waiting",    STANDING_ELSEWHERE, "waiting",    0 },
    { "approved",   STANDING_ELSEWHERE, "approved",   0 },
    { "rejected",   STANDING_ELSEWHERE, "rejected",   0 },
    { "superseded", STANDING_ELSEWHERE, "superseded", 0 },
    { "open",       STANDING_LACKS,     "waiting",    0 },
    { "waiting",    STANDING_LACKS,     "waiting",    0 },
    { "approved",   STANDING_LACKS,     "waiting",    0 },
    { "rejected",   STANDING_LACKS,     "rejected",   0 },
    { "superseded", STANDING_LACKS,     "superseded", 0 },
    { "open",       STANDING_BACK,      "open",       0 },
    { "waiting",    STANDING_BACK,      "waiting",    0 },
    { "approved",   STANDING_BACK,      "approved",   0 },
    { "rejected",   STANDING_BACK,      "rejected",   0 },
    { "superseded", STANDING_BACK,      "open",       1 },
    { "applied",    STANDING_MOVED,     "applied",    0 }, /* what has begun has begun */
    { "applying",   STANDING_BACK,      "applying",   0 },
};

static const struct plan_row { /* what a plan is, and what it waits for */
    const char *sentence;
    enum plan_cause cause;
    const char *kind, *disruption;
    enum standing_act act;
    int waits_in_freeze, waits_held;
} plan_rows[] = {
    { "a commit",                           PLAN_CAUSE_COMMIT,   "service",  "none",     STANDING_COMMIT,  1, 1 },
    { "an undo: what came in between",      PLAN_CAUSE_UNDO,     "service",  "none",     STANDING_PERSON,  0, 1 },
    { "a rollback",                         PLAN_CAUSE_ROLLBACK, "service",  "downtime", STANDING_PERSON,  0, 1 },
    { "a dead instance",                    PLAN_CAUSE_REPAIR,   "instance", "",         STANDING_RESTART, 0, 0 },
    { "drift that disrupts nothing",        PLAN_CAUSE_REPAIR,   "database", "none",     STANDING_DRIFT,   0, 1 },
    { "drift whose repair restarts it",     PLAN_CAUSE_REPAIR,   "database", "restart",  STANDING_DRIFT,   1, 1 },
};
/* clang-format on */

static void test_what_stands_in_the_way(void **state)
{
    int seen[N_STANDING_ACTS][N_STANDING_BARS] = { { 0 } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cells); i++) {
        if (standing_way(cells[i].act, cells[i].bar) != cells[i].way)
            fail_msg("%s", cells[i].sentence);
        seen[cells[i].act][cells[i].bar]++;
    }
    for (int act = 0; act < N_STANDING_ACTS; act++)
        for (int bar = 0; bar < N_STANDING_BARS; bar++)
            assert_int_equal(seen[act][bar], 1);
}

static void test_what_becomes_of_a_plan(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(nexts); i++) {
        struct standing_next next = standing_next(str_from_c(nexts[i].state), nexts[i].news);

        if (!str_eq_c(next.state, nexts[i].then) || next.forgets != nexts[i].forgets)
            fail_msg("%s, %d: %.*s", nexts[i].state, nexts[i].news, STR_ARG(next.state));
    }
}

static void test_what_a_plan_waits_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(plan_rows); i++) {
        const struct plan_row *row = &plan_rows[i];
        struct plan_line line = { .action = PLAN_UPDATE,
                                  .kind = str_from_c(row->kind),
                                  .disruption = str_from_c(row->disruption) };
        struct plan plan = { .cause = row->cause, .lines = { &line, 1, 1 } };

        if (standing_act(&plan) != row->act ||
            standing_plan_waits(&plan, STANDING_FREEZE) != row->waits_in_freeze ||
            standing_plan_waits(&plan, STANDING_HOLD) != row->waits_held)
            fail_msg("%s", row->sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_in_the_way),
        cmocka_unit_test(test_what_becomes_of_a_plan),
        cmocka_unit_test(test_what_a_plan_waits_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
