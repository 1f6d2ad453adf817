/* core/plan: the classes of a plan, and who has to agree to it. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_core_scene.h"

static void test_policies_judge_plans(void **state)
{
    static const char automatic[] = "{\"approval\":{\"policy\":\"auto\"}}",
                      manual[] = "{\"approval\":{\"policy\":\"manual\"}}",
                      downtime[] = "{\"approval\":{\"policy\":\"auto\","
                                   "\"require_for\":[\"data\",\"downtime\"]}}",
                      scales[] = "{\"approval\":{\"policy\":\"manual\","
                                 "\"auto_if\":[\"only_scale\"]}}",
                      nothing[] = "{\"approval\":{\"policy\":\"manual\","
                                  "\"auto_if\":[\"no_changes\"]}}";
    static const struct {
        const char *sentence, *before, *want;
        enum plan_cause cause;
        const char *policy, *asks; /* NULL: runs */
    } rows[] = {
        { "auto runs", "a v1", "a v2", PLAN_CAUSE_COMMIT, automatic, NULL },
        { "manual asks", "a v1", "a v2", PLAN_CAUSE_COMMIT, manual, "approval: manual" },
        { "nothing said is manual", "a v1", "a v2", PLAN_CAUSE_COMMIT, "{}", "approval: manual" },
        { "an empty plan never asks", "a v1", "a v1", PLAN_CAUSE_COMMIT, manual, NULL },
        { "a removal always asks", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT, automatic,
          "class destroy" },
        { "the class stands before the policy", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT, manual,
          "class destroy" },
        { "what weakens always asks", "a v1", "a v1 hold", PLAN_CAUSE_COMMIT, automatic,
          "class weaken" },
        { "downtime asks where it is asked for", "a v1 recreate", "a v2 recreate",
          PLAN_CAUSE_COMMIT, downtime, "class downtime" },
        { "downtime runs where it is not", "a v1 recreate", "a v2 recreate", PLAN_CAUSE_COMMIT,
          automatic, NULL },
        { "replicas alone, where that needs nobody", "a v1", "a v1 x2", PLAN_CAUSE_COMMIT, scales,
          NULL },
        { "and not where it is no word", "a v1", "a v1 x2", PLAN_CAUSE_COMMIT, nothing,
          "approval: manual" },
        { "a new version is more than that", "a v1", "a v2 x2", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "and so is a new service", "a v1", "a v1 x2;b v1", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "a class is never let through", "a v1;b v1", "a v1 x2", PLAN_CAUSE_COMMIT, scales,
          "class destroy" },
        { "nothing that runs moves", "a v1 ask", "a v1", PLAN_CAUSE_COMMIT, nothing,
          "class weaken" },
        { "nor where it is laxer", "a v1", "a v1 ask", PLAN_CAUSE_COMMIT, nothing, NULL },
        { "and asks without the word", "a v1", "a v1 ask", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "a repair never asks", "a v1", "a v2", PLAN_CAUSE_REPAIR, manual, NULL },
        { "an undo was asked for", "a v1;b v1", "a v2", PLAN_CAUSE_UNDO, manual, NULL },
        { "a rollback was asked for", "a v1;b v1", "a v2", PLAN_CAUSE_ROLLBACK, manual, NULL },
        { "auto_promote false asks nobody: it waits later", "a v1 ask", "a v2 ask",
          PLAN_CAUSE_COMMIT, automatic, NULL },
        { "a release that is run by hand asks", "a v1", "a v2 manual", PLAN_CAUSE_COMMIT, automatic,
          "release.run: manual, service a" },
        { "but where it was run it does not", "a v1 manual", "a v1 manual x2", PLAN_CAUSE_COMMIT,
          automatic, NULL },
        { "run by itself from now on: what weakens asks", "a v1 manual", "a v2 release",
          PLAN_CAUSE_COMMIT, automatic, "class weaken" },
        { "but not for replicas", "a v1 ask", "a v1 ask x2", PLAN_CAUSE_COMMIT, automatic, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene c;
        struct plan_verdict v;

        given_scene(&c, rows[i].before, rows[i].want, rows[i].cause, NULL);
        v = plan_judge(&c.arena, &c.plan, given_json(&c.arena, rows[i].policy));
        if (v.asks != (rows[i].asks != NULL) ||
            !str_eq_c(v.reason, rows[i].asks ? rows[i].asks : ""))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, v.asks, STR_ARG(v.reason));
        arena_fini(&c.arena);
    }
}

static void test_a_repair_alone_never_weakens(void **state)
{
    struct scene c;

    (void)state;
    given_scene(&c, "a v1", "a v1 hold", PLAN_CAUSE_REPAIR, NULL);
    assert_int_equal(c.plan.classes, 0);
    assert_true(
        digest_eq(&c.plan.target, &c.world.live_rev)); /* nothing of the commit is recorded */
    arena_fini(&c.arena);
}

static void test_a_secret_that_is_gone_asks(void **state)
{
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct snapshot s;
    struct plan plan;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    given_world(&w, &a);
    spec = given_spec(&a, "a v1");
    s = world_snapshot(&w, &spec, PLAN_CAUSE_ROLLBACK);
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_int_equal(plan.classes & PLAN_CLASS_DOWNGRADE, 0);
    assert_false(plan_judge(&a, &plan, NULL).asks); /* a person asked for exactly this */
    spec.resources.p[0].gone = S("db");
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_int_equal(plan.classes & PLAN_CLASS_DOWNGRADE, PLAN_CLASS_DOWNGRADE);
    assert_int_equal(plan.lines.p[0].classes, PLAN_CLASS_DOWNGRADE);
    assert_string_equal(plan.lines.p[0].reason.p,
                        "the version of secret 'db' is gone, there is another now");
    assert_true(str_eq_c(plan_judge(&a, &plan, NULL).reason, "class downgrade"));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies_judge_plans),
        cmocka_unit_test(test_a_repair_alone_never_weakens),
        cmocka_unit_test(test_a_secret_that_is_gone_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
