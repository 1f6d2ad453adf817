/* core: what a plan takes away of an environment, and what of its limits nobody keeps. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_core_apply.h"

struct budget_row {
    const char *sentence, *before, *want;
    enum plan_cause cause;
    const char *budget, *remark; /* remark NULL: within it */
};

#define FOUR "a v1 port;b v1;c v1;domain d h /=a"
#define RECREATE "a v1 recreate;b v1 recreate;c v1 recreate"
#define TWO_OF_FOUR                                                                                \
    "over the budget: 2 of 4 are deleted, 1 at most without a person (deletes: 10.00%)"

static const struct budget_row budget_rows[] = {
    { "one may always go", FOUR, "a v1 port;b v1;domain d h /=a", PLAN_CAUSE_ROLLBACK,
      "{\"deletes\":0}", NULL },
    { "a second may not", FOUR, "a v1 port;domain d h /=a", PLAN_CAUSE_ROLLBACK,
      "{\"deletes\":1000}", TWO_OF_FOUR },
    { "an undo is held as well", FOUR, "a v1 port;domain d h /=a", PLAN_CAUSE_UNDO,
      "{\"deletes\":1000}", TWO_OF_FOUR },
    { "and a commit", FOUR, "a v1 port;domain d h /=a", PLAN_CAUSE_COMMIT, "{\"deletes\":1000}",
      TWO_OF_FOUR },
    { "domains count", FOUR, "a v1 port;b v1", PLAN_CAUSE_ROLLBACK, "{\"deletes\":1000}",
      TWO_OF_FOUR },
    { "shares are rounded up", FOUR, "a v1 port;domain d h /=a", PLAN_CAUSE_ROLLBACK,
      "{\"deletes\":2501}", NULL },
    { "a half of four is two", FOUR, "a v1 port;domain d h /=a", PLAN_CAUSE_ROLLBACK,
      "{\"deletes\":5000}", NULL },
    { "three are more", FOUR, "a v1 port", PLAN_CAUSE_ROLLBACK, "{\"deletes\":5000}",
      "over the budget: 3 of 4 are deleted, 2 at most without a person (deletes: 50.00%)" },
    { "all may go where the rule says so", FOUR, "e v1", PLAN_CAUSE_ROLLBACK, "{\"deletes\":10000}",
      NULL },
    { "what is new counts for nothing", FOUR, FOUR ";e v1;f v1", PLAN_CAUSE_COMMIT,
      "{\"deletes\":0,\"replaces\":0}", NULL },
    { "what is updated beside itself is not replaced", "a v1;b v1;c v1", "a v2;b v2;c v2",
      PLAN_CAUSE_COMMIT, "{\"replaces\":0}", NULL },
    { "what stops first is", RECREATE, "a v2 recreate;b v2 recreate;c v1 recreate",
      PLAN_CAUSE_COMMIT, "{\"replaces\":2000}",
      "over the budget: 2 of 3 are replaced, 1 at most without a person (replaces: 20.00%)" },
    { "one of it may", RECREATE, "a v2 recreate;b v1 recreate;c v1 recreate", PLAN_CAUSE_COMMIT,
      "{\"replaces\":2000}", NULL },
    { "each is counted by itself", RECREATE, "a v2 recreate;b v1 recreate", PLAN_CAUSE_COMMIT,
      "{\"deletes\":0,\"replaces\":0}", NULL },
    { "no budget is none", FOUR, "e v1", PLAN_CAUSE_ROLLBACK, NULL, NULL },
};

/* The one that is no promise. */
static const char *remark_of(const struct plan *p)
{
    for (size_t i = 0; i < p->remarks.n; i++)
        if (str_find(p->remarks.p[i], S("over the budget")) != STR_NPOS ||
            str_find(p->remarks.p[i], S("[limit-unkept]")) != STR_NPOS)
            return p->remarks.p[i].p;
    return "";
}

static void test_budget(void **state)
{
    const struct budget_row *row = *state;
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct snapshot s;
    struct plan plan;
    struct plan_verdict verdict;
    struct err err = ERR_INIT;
    size_t n_marked = 0;

    arena_init(&a, 0);
    given_world(&w, &a);
    (void)given_applied(&w, row->before, TAIL_RUNS);
    spec = given_spec(&a, row->want);
    s = world_snapshot(&w, &spec, row->cause);
    s.budget = row->budget ? given_json(&a, row->budget) : NULL;
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_string_equal(remark_of(&plan), row->remark ? row->remark : "");
    assert_int_equal(!!(plan.classes & PLAN_CLASS_BUDGET), row->remark != NULL);
    for (size_t i = 0; i < plan.lines.n; i++)
        n_marked += !!(plan.lines.p[i].classes & PLAN_CLASS_BUDGET);
    assert_int_equal(n_marked != 0, row->remark != NULL);
    verdict = plan_judge(&a, &plan, given_json(&a, "{\"approval\":{\"policy\":\"auto\"}}"));
    assert_int_equal(str_eq_c(verdict.reason, "class budget"), row->remark != NULL);
    if (row->remark)
        assert_true(verdict.asks);
    arena_fini(&a);
}

struct unkept_row {
    const char *sentence, *limits, *isolation, *unkept, *remark;
};

static const struct unkept_row unkept_rows[] = {
    { "all is kept", "{\"cpus\":500,\"memory\":1}", "namespace", "{}", "" },
    { "memory is not", "{\"cpus\":500,\"memory\":1}", "uid", "{\"memory\":\"no root\"}",
      "app.yaml:7:3: limits.memory of service 'a' is not kept here: no root [limit-unkept]" },
    { "what is not asked for is not missed", "{\"memory\":1}", "uid", "{\"cpus\":\"no root\"}",
      "" },
    { "a number of processes is kept all the same", "{\"pids\":9}", "uid", "{\"pids\":\"no root\"}",
      "" },
    { "but where nothing is", "{\"pids\":9}", "none", "{}",
      "limits.pids of service 'a' is not kept here: isolation none keeps no limits "
      "[limit-unkept]" },
    { "nobody was asked", "{\"memory\":1}", "none", NULL, "" },
};

static void test_unkept(void **state)
{
    const struct unkept_row *row = *state;
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct snapshot s;
    struct plan plan;
    struct value *desired;
    struct err err = ERR_INIT;

    arena_init(&a, 0);
    given_world(&w, &a);
    spec = given_spec(&a, "a v1");
    desired = value_copy(&a, spec.resources.p[0].desired);
    value_set(&a, desired, S("limits"), value_copy(&a, given_json(&a, row->limits)));
    value_set_text(&a, desired, S("isolation"), str_from_c(row->isolation));
    spec.resources.p[0].desired = desired;
    spec.resources.p[0].limits_at = given_json(&a, "{\"memory\":\"app.yaml:7:3\"}");
    s = world_snapshot(&w, &spec, PLAN_CAUSE_COMMIT);
    s.unkept = row->unkept ? given_json(&a, row->unkept) : NULL;
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_string_equal(remark_of(&plan), row->remark);
    arena_fini(&a);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(budget_rows) / sizeof(budget_rows[0]) +
                            sizeof(unkept_rows) / sizeof(unkept_rows[0])];
    size_t n = 0;

    for (size_t i = 0; i < sizeof(budget_rows) / sizeof(budget_rows[0]); i++)
        tests[n++] = (struct CMUnitTest){ .name = budget_rows[i].sentence,
                                          .test_func = test_budget,
                                          .initial_state = (void *)(uintptr_t)&budget_rows[i] };
    for (size_t i = 0; i < sizeof(unkept_rows) / sizeof(unkept_rows[0]); i++)
        tests[n++] = (struct CMUnitTest){ .name = unkept_rows[i].sentence,
                                          .test_func = test_unkept,
                                          .initial_state = (void *)(uintptr_t)&unkept_rows[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
