/* core/weaken: what becomes laxer, and how that is said. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/weaken.h"
#include "reconciler/core/weaken_words.h"
#include "tests/unit/test_core_apply.h"

static void test_what_becomes_laxer_weakens(void **state)
{
    static const struct {
        const char *sentence, *kind, *before, *after;
        int weakens;
    } rows[] = {
        { "nothing before", "policy", "null", "{\"approval\":{\"policy\":\"auto\"}}", 0 },
        { "manual becomes auto", "policy", "{\"approval\":{\"policy\":\"manual\"}}",
          "{\"approval\":{\"policy\":\"auto\"}}", 1 },
        { "auto becomes manual", "policy", "{\"approval\":{\"policy\":\"auto\"}}",
          "{\"approval\":{\"policy\":\"manual\"}}", 0 },
        { "a class is not asked for any more", "policy",
          "{\"approval\":{\"require_for\":[\"data\",\"destroy\"]}}",
          "{\"approval\":{\"require_for\":[\"data\"]}}", 1 },
        { "a class more is asked for", "policy", "{\"approval\":{\"require_for\":[\"data\"]}}",
          "{\"approval\":{\"require_for\":[\"destroy\",\"data\"]}}", 0 },
        { "approvals last longer", "policy", "{\"approval\":{\"expires_ms\":1}}",
          "{\"approval\":{\"expires_ms\":2}}", 1 },
        { "the interval is no check", "policy", "{\"reconcile\":{\"interval_ms\":1}}",
          "{\"reconcile\":{\"interval_ms\":2}}", 0 },
        { "a readiness probe goes", "service", "{\"healthcheck\":{\"readiness\":{}}}",
          "{\"healthcheck\":{}}", 1 },
        { "a readiness probe comes", "service", "{\"healthcheck\":{}}",
          "{\"healthcheck\":{\"readiness\":{}}}", 0 },
        { "a probe that asks for a page only connects", "service",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"expect_status\":[200]}}}}",
          "{\"healthcheck\":{\"readiness\":{\"tcp\":true}}}", 1 },
        { "one status more is good", "service",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"expect_status\":[200]}}}}",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"expect_status\":[200,500]}}}}", 1 },
        { "a probe that connected asks for a page", "service",
          "{\"healthcheck\":{\"readiness\":{\"tcp\":true}}}",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"expect_status\":[200]}}}}", 0 },
        { "one status less is good", "service",
          "{\"healthcheck\":{\"liveness\":{\"http\":{\"expect_status\":[200,500]}}}}",
          "{\"healthcheck\":{\"liveness\":{\"http\":{\"expect_status\":[200]}}}}", 0 },
        { "fewer successes count as ready", "service",
          "{\"healthcheck\":{\"readiness\":{\"success_threshold\":3}}}",
          "{\"healthcheck\":{\"readiness\":{\"success_threshold\":1}}}", 1 },
        { "more failures count as dead", "service",
          "{\"healthcheck\":{\"liveness\":{\"failure_threshold\":3}}}",
          "{\"healthcheck\":{\"liveness\":{\"failure_threshold\":30}}}", 1 },
        { "another path is asked for", "service",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"path\":\"/a\"}}}}",
          "{\"healthcheck\":{\"readiness\":{\"http\":{\"path\":\"/b\"}}}}", 0 },
        { "abort_if goes", "service", "{\"rollout\":{\"abort_if\":{\"error_rate\":200}}}",
          "{\"rollout\":{}}", 1 },
        { "abort_if allows more", "service", "{\"rollout\":{\"abort_if\":{\"error_rate\":200}}}",
          "{\"rollout\":{\"abort_if\":{\"error_rate\":300}}}", 1 },
        { "abort_if allows less", "service", "{\"rollout\":{\"abort_if\":{\"error_rate\":200}}}",
          "{\"rollout\":{\"abort_if\":{\"error_rate\":100}}}", 0 },
        { "a rate counts later", "service", "{\"rollout\":{\"abort_if\":{\"min_requests\":20}}}",
          "{\"rollout\":{\"abort_if\":{\"min_requests\":2000}}}", 1 },
        { "it may be slower", "service", "{\"rollout\":{\"abort_if\":{\"p95_ms\":500}}}",
          "{\"rollout\":{\"abort_if\":{\"p95_ms\":501}}}", 1 },
        { "it is verified no more", "service", "{\"verify\":{\"command\":[\"smoke\"]}}", "{}", 1 },
        { "it is verified by another command", "service", "{\"verify\":{\"command\":[\"smoke\"]}}",
          "{\"verify\":{\"command\":[\"test\"]}}", 0 },
        { "it is watched for a shorter time", "service", "{\"rollout\":{\"bake_time_ms\":60000}}",
          "{\"rollout\":{\"bake_time_ms\":0}}", 1 },
        { "one approver more to choose from", "policy",
          "{\"approval\":{\"approvers\":[[\"user:a\"]]}}",
          "{\"approval\":{\"approvers\":[[\"user:a\",\"user:b\"]]}}", 1 },
        { "one approver less", "policy", "{\"approval\":{\"approvers\":[[\"user:a\",\"user:b\"]]}}",
          "{\"approval\":{\"approvers\":[[\"user:a\"]]}}", 0 },
        { "approvers of the floor stay beside others", "policy",
          "{\"approval\":{\"approvers\":[[\"user:a\"]]}}",
          "{\"approval\":{\"approvers\":[[\"user:b\"],[\"user:a\"]]}}", 0 },
        { "anybody may approve", "policy", "{\"approval\":{\"approvers\":[[\"user:a\"]]}}",
          "{\"approval\":{}}", 1 },
        { "fewer have to approve", "policy", "{\"approval\":{\"min_approvals\":2}}",
          "{\"approval\":{\"min_approvals\":1}}", 1 },
        { "who made it may approve it", "policy", "{\"approval\":{\"allow_self\":false}}",
          "{\"approval\":{\"allow_self\":true}}", 1 },
        { "a freeze goes", "policy", "{\"approval\":{\"freeze\":[{\"from\":1}]}}",
          "{\"approval\":{}}", 1 },
        { "a freeze is another one", "policy", "{\"approval\":{\"freeze\":[{\"from\":1}]}}",
          "{\"approval\":{\"freeze\":[{\"from\":2}]}}", 1 },
        { "a window is widened", "policy",
          "{\"approval\":{\"windows\":{\"downtime\":[[{\"from\":1}]]}}}",
          "{\"approval\":{\"windows\":{\"downtime\":[[{\"from\":1},{\"from\":2}]]}}}", 1 },
        { "windows go", "policy", "{\"approval\":{\"windows\":{\"downtime\":[[{\"from\":1}]]}}}",
          "{\"approval\":{}}", 1 },
        { "one window less", "policy",
          "{\"approval\":{\"windows\":{\"downtime\":[[{\"from\":1},{\"from\":2}]]}}}",
          "{\"approval\":{\"windows\":{\"downtime\":[[{\"from\":1}]]}}}", 0 },
        { "a word more that needs nobody", "policy", "{\"approval\":{}}",
          "{\"approval\":{\"auto_if\":[\"only_scale\"]}}", 1 },
        { "a word less", "policy", "{\"approval\":{\"auto_if\":[\"only_scale\"]}}",
          "{\"approval\":{}}", 0 },
        { "a freeze comes", "policy", "{\"approval\":{}}",
          "{\"approval\":{\"freeze\":[{\"from\":1}]}}", 0 },
        { "drift is only reported", "policy",
          "{\"reconcile\":{\"drift\":{\"default\":\"enforce\"}}}",
          "{\"reconcile\":{\"drift\":{\"default\":\"report\"}}}", 1 },
        { "of one field it is ignored", "policy", "{}",
          "{\"reconcile\":{\"drift\":{\"databases.main.storage\":\"ignore\"}}}", 1 },
        { "it is met more strictly", "policy",
          "{\"reconcile\":{\"drift\":{\"default\":\"ignore\"}}}",
          "{\"reconcile\":{\"drift\":{\"default\":\"keep\"}}}", 0 },
        { "data may be destroyed", "database", "{\"deletion_policy\":\"retain\"}",
          "{\"deletion_policy\":\"snapshot\"}", 1 },
        { "data may not be any more", "redis", "{\"deletion_policy\":\"delete\"}",
          "{\"deletion_policy\":\"retain\"}", 0 },
        { "nobody is told any more", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          "{}", 1 },
        { "somebody is told for the first time", "policy", "{}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          0 },
        { "somebody else is told instead", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"b\"},\"on\":[\"applied\"]}"
          "]}",
          1 },
        { "somebody is told beside them", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"b\"},\"on\":[\"applied\"]}"
          ",{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}]}",
          0 },
        { "a word less is told", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\","
          "\"reverted\"]}]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          1 },
        { "a word more is told", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\","
          "\"reverted\"]}]}",
          0 },
        { "there are quiet hours", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"],"
          "\"quiet\":[{\"from\":1}]}]}",
          1 },
        { "there are quiet hours no more", "policy",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"],"
          "\"quiet\":[{\"from\":1}]}]}",
          "{\"notifications\":[{\"type\":\"slack\",\"url\":{\"secret\":\"a\"},\"on\":[\"applied\"]}"
          "]}",
          0 },
        { "a rule is waived", "policy", "{}", "{\"waive\":[\"argv-shell\"]}", 1 },
        { "a rule is waived no more", "policy", "{\"waive\":[\"argv-shell\"]}", "{}", 0 },
        { "auto_revert is turned off", "service", "{\"rollout\":{\"auto_revert\":true}}",
          "{\"rollout\":{\"auto_revert\":false}}", 1 },
        { "auto_revert stays off", "service", "{\"rollout\":{\"auto_revert\":false}}",
          "{\"rollout\":{\"auto_revert\":false}}", 0 },
        { "auto_promote is turned on", "service", "{\"rollout\":{\"auto_promote\":false}}",
          "{\"rollout\":{\"auto_promote\":true}}", 1 },
        { "auto_promote is turned off", "service", "{\"rollout\":{\"auto_promote\":true}}",
          "{\"rollout\":{\"auto_promote\":false}}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        const struct value *before;
        struct str fields;

        arena_init(&a, 0);
        before = strcmp(rows[i].before, "null") ? given_json(&a, rows[i].before) : NULL;
        fields = weaken_fields(&a, str_from_c(rows[i].kind), before, given_json(&a, rows[i].after));
        if ((fields.p != NULL) != rows[i].weakens)
            fail_msg("%s", rows[i].sentence);
        arena_fini(&a);
    }
}

/* In words of the spec, so that who approves it knows what is allowed. */
static void test_what_became_laxer_is_said(void **state)
{
    static const struct {
        const char *sentence, *kind, *before, *after, *says;
    } rows[] = {
        { "each field, from what to what", "policy",
          "{\"approval\":{\"expires_ms\":900000,\"policy\":\"manual\"}}",
          "{\"approval\":{\"expires_ms\":86400000,\"policy\":\"auto\"}}",
          "approval.policy from manual to auto, approval.expires from 15m to 1d" },
        { "what is not there any more", "service",
          "{\"healthcheck\":{\"readiness\":{\"tcp\":true}},\"rollout\":{\"abort_if\":{\"error_"
          "rate\":250}}}",
          "{\"healthcheck\":{},\"rollout\":{}}",
          "healthcheck.readiness is gone, rollout.abort_if.error_rate from 2.50% to none" },
        { "a share, a length and a word", "service",
          "{\"rollout\":{\"abort_if\":{\"error_rate\":250,\"p95_ms\":500},\"auto_revert\":true}}",
          "{\"rollout\":{\"abort_if\":{\"error_rate\":1000,\"p95_ms\":90000},\"auto_revert\":false}"
          "}",
          "rollout.auto_revert from true to false, rollout.abort_if.error_rate from 2.50% to 10%, "
          "rollout.abort_if.p95 from 500ms to 90s" },
        { "of a list what is missing", "policy",
          "{\"approval\":{\"require_for\":[\"data\",\"destroy\",\"weaken\"]}}",
          "{\"approval\":{\"require_for\":[\"data\",\"downtime\"]}}",
          "approval.require_for without destroy, weaken, instead downtime" },
        { "of a list what is new", "policy", "{\"waive\":[\"argv-shell\"]}",
          "{\"waive\":[\"argv-shell\",\"backup-missing\"]}", "waive also backup-missing" },
        { "a freeze that ends sooner", "policy",
          "{\"approval\":{\"freeze\":[{\"days\":[\"fri\"],\"from\":960,\"to\":1439,\"tz\":\"UTC\"}]"
          "}}",
          "{\"approval\":{\"freeze\":[{\"days\":[\"fri\"],\"from\":960,\"to\":965,\"tz\":\"UTC\"}]}"
          "}",
          "approval.freeze without {days: [fri], from: 16:00, to: 23:59, tz: UTC}, instead "
          "{days: [fri], from: 16:00, to: 16:05, tz: UTC}" },
        { "people", "policy", "{\"approval\":{\"approvers\":[[\"user:a\"]],\"min_approvals\":2}}",
          "{\"approval\":{\"approvers\":[[\"user:a\",\"user:b\"]],\"min_approvals\":1}}",
          "approval.approvers from [[user:a]] to [[user:a, user:b]], approval.min_approvals from 2 "
          "to 1" },
        { "a check, and not the one that became stricter", "policy",
          "{\"trigger\":{\"require_checks\":[{\"app\":\"ci\",\"name\":\"build\"},{\"name\":"
          "\"lint\"}]}}",
          "{\"trigger\":{\"require_checks\":[{\"app\":\"ci\",\"name\":\"lint\"}]}}",
          "trigger.require_checks without {app: ci, name: build}" },
        { "an environment that came first, in what is laxer", "policy",
          "{\"trigger\":{\"require_environment\":{\"a\":{\"for_ms\":900000,\"same\":\"tree\"},"
          "\"b\":{\"for_ms\":0,\"same\":\"tree\"},\"c\":{}}}}",
          "{\"trigger\":{\"require_environment\":{\"a\":{\"for_ms\":60000,\"same\":\"tree\"},\"b\":"
          "{\"for_ms\":0,\"same\":\"commit\"}}}}",
          "trigger.require_environment.a from {for: 15m, same: tree} to {for: 1m, same: tree}, "
          "trigger.require_environment.c is gone" },
        { "drift, in what is laxer", "policy",
          "{\"reconcile\":{\"drift\":{\"default\":\"report\",\"services.a\":\"ignore\",\"services."
          "b\":\"enforce\"}}}",
          "{\"reconcile\":{\"drift\":{\"default\":\"keep\",\"services.a\":\"enforce\"}}}",
          "reconcile.drift.default from report to keep, reconcile.drift.services.b from enforce to "
          "keep" },
        { "somebody is told no more", "policy",
          "{\"notifications\":[{\"on\":[\"applied\"],\"type\":\"slack\",\"url\":{\"path\":\"a\","
          "\"store\":\"env\"}}]}",
          "{}", "notifications no more to {type: slack, url: {path: a, store: env}}" },
        { "somebody is told less, and not at night", "policy",
          "{\"notifications\":[{\"on\":[\"applied\",\"reverted\"],\"type\":\"slack\",\"url\":{"
          "\"path\":\"a\",\"store\":\"env\"}},{\"on\":[\"drift\"],\"type\":\"sentry\"}]}",
          "{\"notifications\":[{\"on\":[\"applied\"],\"quiet\":[{\"from\":\"22:00\",\"to\":\"06:"
          "00\"}],\"type\":\"slack\",\"url\":{\"path\":\"a\",\"store\":\"env\"}},{\"on\":["
          "\"drift\"],\"type\":\"sentry\"}]}",
          "notifications to {type: slack, url: {path: a, store: env}} without reverted, quiet "
          "{from: 22:00, to: 06:00}" },
        { "a secret is not said", "service",
          "{\"verify\":{\"command\":[\"smoke\"],\"environment\":{\"KEY\":{\"secret\":\"k\","
          "\"version\":\"7\"}}}}",
          "{}", "verify is gone" },
        { "how data is guarded", "database", "{\"deletion_policy\":\"retain\"}",
          "{\"deletion_policy\":\"delete\"}", "deletion_policy from retain to delete" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct str says = weaken_fields(&a, str_from_c(rows[i].kind),
                                        given_json(&a, rows[i].before),
                                        given_json(&a, rows[i].after));

        if (!str_eq_c(says, rows[i].says))
            fail_msg("%s: '%.*s'", rows[i].sentence, STR_ARG(says));
    }
}

/* A value is shown as far as a line is read, and cut between characters. */
static void test_a_long_laxer_value_is_cut(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    struct value *before = value_map(&a), *after = value_map(&a), *list = value_list(&a);
    struct str says;
    struct sb b;

    (void)state;
    sb_init(&b, &a);
    for (size_t i = 0; i < WEAKEN_VALUE_MAX; i++)
        sb_add_c(&b, "\xe6\x97\xa5");
    value_add(&a, list, value_text(&a, sb_str(&b)));
    value_set(&a, after, S("waive"), list);
    says = weaken_fields(&a, S("policy"), before, after);
    assert_true(str_starts(says, S("waive also [\xe6")) || str_starts(says, S("waive also \xe6")));
    assert_true(str_ends(says, S("\xe6\x97\xa5..")));
    assert_true(says.n < WEAKEN_VALUE_MAX + 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_becomes_laxer_weakens),
        cmocka_unit_test(test_what_became_laxer_is_said),
        cmocka_unit_test(test_a_long_laxer_value_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
