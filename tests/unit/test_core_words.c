/* core/diff, graph, identity, judge, retry: one table each. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/diff.h"
#include "reconciler/core/graph.h"
#include "reconciler/core/judge.h"
#include "reconciler/core/retry.h"
#include "tests/unit/test_core_apply.h"

/* --- diff ---------------------------------------------------------------------------------------- */

static void test_differences_are_told_path_by_path(void **state)
{
    static const struct {
        const char *sentence, *before, *after, *changes;
    } rows[] = {
        { "the same is no change", "{\"a\":1}", "{\"a\":1}", "" },
        { "a value changes", "{\"a\":1}", "{\"a\":2}", "a: 1 -> 2" },
        { "text stands as it is", "{\"a\":\"x\"}", "{\"a\":\"y z\"}", "a: x -> y z" },
        { "what comes is opened", "{}", "{\"a\":{\"b\":1}}", "a.b: - -> 1" },
        { "what goes is opened", "{\"a\":{\"b\":1}}", "{}", "a.b: 1 -> -" },
        { "paths are in order", "{\"b\":1,\"a\":1}", "{\"a\":2,\"b\":2}", "a: 1 -> 2|b: 1 -> 2" },
        { "a list changes as a whole", "{\"a\":[1,2]}", "{\"a\":[2]}", "a: [1,2] -> [2]" },
        { "an empty text is not absence", "{\"a\":\"\"}", "{}", "a:  -> -" },
        { "a secret shows its version alone", "{\"P\":{\"secret\":\"db\",\"version\":\"v3\"}}",
          "{\"P\":{\"secret\":\"db\",\"version\":\"v4\"}}", "P: secret(v3) -> secret(v4)" },
        { "text that becomes a secret", "{\"P\":\"x\"}",
          "{\"P\":{\"secret\":\"db\",\"version\":\"v4\"}}", "P: x -> secret(v4)" },
        { "an output is one value", "{}",
          "{\"P\":{\"output\":\"database/"
          "main\",\"key\":\"url\",\"version\":\"2\",\"scheme\":\"pg\"}}",
          "P: - -> database/main.url(v2 scheme=pg)" },
        { "a join is what it joins", "{\"P\":\"x\"}",
          "{\"P\":{\"join\":[\"a\",{\"secret\":\"b\",\"version\":\"v1\"}],\"with\":\",\"}}",
          "P: x -> a,secret(v1)" },
        { "folders may be called like a reference",
          "{\"trees\":{\"output\":\"1a\",\"key\":\"2b\"}}",
          "{\"trees\":{\"output\":\"1c\",\"key\":\"2b\"}}", "trees.output: 1a -> 1c" },
        { "services may", "{\"depends_on\":{\"secret\":{\"a\":1},\"join\":{}}}",
          "{\"depends_on\":{\"secret\":{\"a\":2},\"join\":{}}}", "depends_on.secret.a: 1 -> 2" },
        { "a map that becomes text", "{\"P\":{\"a\":1}}", "{\"P\":\"x\"}", "P: {\"a\":1} -> x" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan_line line = { 0 };
        struct arena a;
        struct sb b;

        arena_init(&a, 0);
        sb_init(&b, &a);
        diff_values(&a, given_json(&a, rows[i].before), given_json(&a, rows[i].after), &line);
        for (size_t j = 0; j < line.changes.n; j++) {
            const struct plan_change *c = &line.changes.p[j];

            sb_addf(&b, "%s%.*s: %.*s -> %.*s", j ? "|" : "", STR_ARG(c->path),
                    STR_ARG(c->before.p ? c->before : S("-")),
                    STR_ARG(c->after.p ? c->after : S("-")));
        }
        if (!str_eq_c(sb_str(&b), rows[i].changes))
            fail_msg("%s: '%s'", rows[i].sentence, sb_str(&b).p);
        arena_fini(&a);
    }
}

static void test_a_long_value_is_cut_and_says_so(void **state)
{
    struct plan_line line = { 0 };
    struct arena a;
    struct value *v;
    char *text;

    (void)state;
    arena_init(&a, 0);
    text = arena_alloc(&a, 1001);
    memset(text, 'x', 1000);
    v = value_map(&a);
    value_set_text(&a, v, S("a"), str_from_c(text));
    diff_values(&a, NULL, v, &line);
    assert_int_equal(line.changes.n, 1);
    assert_true(str_ends(line.changes.p[0].after, S("x... (1000 bytes)")));
    assert_int_equal(line.changes.p[0].after.n, 400 + strlen("... (1000 bytes)"));
    arena_fini(&a);
}

/* --- graph --------------------------------------------------------------------------------------- */

static void test_cycles_are_named_with_their_place(void **state)
{
    static const struct {
        const char *sentence, *spec, *error;
    } rows[] = {
        { "no cycle", "a needs=b;b needs=c;c", NULL },
        { "a need that is not there is ignored", "a needs=z", NULL },
        { "a diamond is no cycle", "a needs=b needs=c;b needs=d;c needs=d;d", NULL },
        { "one that needs itself", "a needs=a",
          "app.yaml:1:1: error: dependency cycle: service/a -> service/a [cycle]" },
        { "two", "b needs=a;a needs=b",
          "app.yaml:2:1: error: dependency cycle: service/a -> service/b -> service/a [cycle]" },
        { "the path to a cycle is not in it", "a needs=b;b needs=c;c needs=b",
          "app.yaml:2:1: error: dependency cycle: service/b -> service/c -> service/b [cycle]" },
        { "a cycle beside a cycle is told once", "a needs=b;b needs=c needs=a;c needs=b",
          "app.yaml:2:1: error: dependency cycle: service/b -> service/c -> service/b [cycle]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct environment_spec spec;
        struct graph g;
        struct err err = ERR_INIT;
        int rc;

        arena_init(&a, 0);
        spec = given_spec(&a, rows[i].spec);
        rc = graph_make(&a, &spec, &g, &err);
        assert_int_equal(rc, rows[i].error ? ERR_INVALID : 0);
        if (rows[i].error)
            assert_string_equal(err.text, rows[i].error);
        arena_fini(&a);
    }
}

static int needs(const struct graph *g, const char *from, const char *to)
{
    size_t i = graph_find(g, str_from_c(from)), j = graph_find(g, str_from_c(to));

    return i < g->n && j < g->n && graph_mark(g, i)[j];
}

static void test_needs_go_through_others(void **state)
{
    struct arena a;
    struct environment_spec spec;
    struct graph g;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    spec = given_spec(&a, "a needs=b;b needs=c;c;d");
    assert_int_equal(graph_make(&a, &spec, &g, &err), 0);
    assert_true(needs(&g, "service/a", "service/b"));
    assert_true(needs(&g, "service/a", "service/c"));
    assert_false(needs(&g, "service/c", "service/a"));
    assert_false(needs(&g, "service/a", "service/a"));
    assert_false(needs(&g, "service/a", "service/d"));
    assert_false(needs(&g, "service/z", "service/a"));
    assert_false(needs(&g, "service/a", "service/z"));
    arena_fini(&a);
}

/* --- identity ------------------------------------------------------------------------------------ */

/* Computed from the text of PROTOCOL 3 by another program. */
#define SET_KEY "a4c83984afef7ec3cd12b17db3d8544787bd43f7f0b39b21dddfdd810ffa72ae"
#define RELEASE_KEY "7b68767d0d5c92ff963cb0bca5295614f7acca1a99d7f4da9c2e0f85f2da9536"
#define RELEASE_SHORT "7b68767d0d5c"
#define OWNER "rv1zpl7y44xtvmm3lummacii5fmer"
#define IDEMPOTENCY "p6w6ewqvwqyqovh5llw57y2edz"

static void test_a_set_key_is_made_of_what_makes_instances_differ(void **state)
{
    static const char base[] = "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1}";
    static const struct {
        const char *sentence, *service;
        int is_same;
    } rows[] = {
        { "the same", base, 1 },
        { "the order of keys does not matter",
          "{\"port\":1,\"environment\":{\"A\":\"1\"},\"command\":[\"a\"]}", 1 },
        { "replicas are not in it",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"replicas\":3}", 1 },
        { "the rollout is not in it",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"rollout\":{\"x\":1}}",
          1 },
        { "the release is not in it",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"release\":{\"x\":1}}",
          1 },
        { "the build but for its key is not in it",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"build\":{\"x\":1}}", 1 },
        { "standby and depends_on are not in it",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"standby\":\"running\","
          "\"depends_on\":{\"b\":{}}}",
          1 },
        { "the command is", "{\"command\":[\"b\"],\"environment\":{\"A\":\"1\"},\"port\":1}", 0 },
        { "the environment is", "{\"command\":[\"a\"],\"environment\":{\"A\":\"2\"},\"port\":1}",
          0 },
        { "a secret's version is",
          "{\"command\":[\"a\"],\"environment\":{\"A\":{\"secret\":\"s\",\"version\":\"2\"}},"
          "\"port\":1}",
          0 },
        { "the port is", "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":2}", 0 },
        { "the artifact is",
          "{\"artifact\":\"x\",\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1}", 0 },
        { "the probe is",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"healthcheck\":{}}", 0 },
        { "the termination is",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"termination\":{}}", 0 },
        { "limits are",
          "{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"},\"port\":1,\"limits\":{}}", 0 },
    };
    struct arena a;
    struct digest first;

    (void)state;
    arena_init(&a, 0);
    first = identity_set_key(&a, given_json(&a, base));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct digest d = identity_set_key(&a, given_json(&a, rows[i].service));

        if (digest_eq(&d, &first) != rows[i].is_same)
            fail_msg("%s", rows[i].sentence);
    }
    arena_fini(&a);
}

static void test_identities_have_known_values(void **state)
{
    const struct identity_subject subject = { S("i1"), S("u1"), S("service"), S("api"), 1 };
    struct identity_subject again = subject;
    struct arena a;
    struct digest d;

    (void)state;
    arena_init(&a, 0);
    d = identity_set_key(&a, given_json(&a, "{\"command\":[\"a\"],\"port\":1}"));
    assert_string_equal(str_to_c(&a, digest_hex(&a, &d)), SET_KEY);
    d = identity_release_key(&a, given_json(&a, "{\"artifact\":\"k\",\"release\":{\"x\":1}}"));
    assert_string_equal(str_to_c(&a, digest_hex(&a, &d)), RELEASE_KEY);
    assert_string_equal(str_to_c(&a, identity_owner(&a, &subject)), OWNER);
    assert_string_equal(str_to_c(&a, identity_idempotency_key(&a, &subject, 7, S("create"), &d)),
                        IDEMPOTENCY);
    assert_true(str_eq_c(identity_set_name(&a, S("api"), &d), "api@" RELEASE_SHORT));
    assert_true(str_eq_c(identity_instance_name(&a, S("api"), &d, 2), "api@" RELEASE_SHORT ".2"));
    again.incarnation = 2;
    assert_false(str_eq(identity_owner(&a, &again), identity_owner(&a, &subject)));
    assert_false(str_eq(identity_idempotency_key(&a, &subject, 8, S("create"), &d),
                        identity_idempotency_key(&a, &subject, 7, S("create"), &d)));
    assert_false(str_eq(identity_idempotency_key(&a, &subject, 7, S("delete"), &d),
                        identity_idempotency_key(&a, &subject, 7, S("create"), &d)));
    arena_fini(&a);
}

/* --- judge --------------------------------------------------------------------------------------- */

static void test_the_world_is_as_asked(void **state)
{
    static const struct {
        const char *sentence, *kind, *desired, *observed;
        int is_as_asked;
    } rows[] = {
        { "an instance that runs", "instance", "{}", "{\"state\":\"running\"}", 1 },
        { "an instance that starts again has its place", "instance", "{}",
          "{\"state\":\"restarting\"}", 1 },
        { "an instance whose command cannot be started is not", "instance", "{}",
          "{\"message\":\"command '/no' does not exist\",\"state\":\"restarting\"}", 0 },
        { "a lost instance is not", "instance", "{}", "{\"state\":\"lost\"}", 0 },
        { "an instance that nothing is said of is not", "instance", "{}", "{}", 0 },
        { "an artifact that is built", "artifact", "{}", "{\"state\":\"built\"}", 1 },
        { "an artifact that is being built is not", "artifact", "{}", "{\"state\":\"building\"}",
          0 },
        { "a build that failed is not", "artifact", "{}", "{\"state\":\"failed\",\"exit\":1}", 0 },
        { "a release that went well", "release", "{}", "{\"state\":\"exited\",\"exit\":0}", 1 },
        { "a release that failed is not", "release", "{}", "{\"state\":\"exited\",\"exit\":3}", 0 },
        { "a release that runs is not", "release", "{}", "{\"state\":\"running\"}", 0 },
        { "a backend with its servers", "backend", "{\"servers\":[\"a:1\"]}",
          "{\"servers\":{\"a:1\":\"UP\"}}", 1 },
        { "a backend without one of them is not", "backend", "{\"servers\":[\"a:1\",\"a:2\"]}",
          "{\"servers\":{\"a:1\":\"UP\"}}", 0 },
        { "a backend with one too many is not", "backend", "{\"servers\":[\"a:1\"]}",
          "{\"servers\":{\"a:1\":\"UP\",\"a:2\":\"UP\"}}", 0 },
        { "a backend whose server is not up is not", "backend", "{\"servers\":[\"a:1\"]}",
          "{\"servers\":{\"a:1\":\"MAINT\"}}", 0 },
        { "routes that are served", "routes", "{\"generation\":7,\"routes\":[{\"path\":\"/\"}]}",
          "{\"generation\":7,\"routes\":[{\"path\":\"/\"}]}", 1 },
        { "routes that the proxy does not have are not", "routes",
          "{\"generation\":7,\"routes\":[{\"path\":\"/\"}]}", "{\"generation\":7,\"routes\":[]}",
          0 },
        { "a backend with a server that is down is not", "backend", "{\"servers\":[\"a:1\"]}",
          "{\"servers\":{\"a:1\":\"DOWN\"}}", 0 },
        { "routes that are served", "routes", "{\"generation\":7,\"routes\":[1]}",
          "{\"generation\":7,\"routes\":[1]}", 1 },
        { "routes of which one is not are not", "routes", "{\"generation\":7,\"routes\":[1,2]}",
          "{\"generation\":7,\"routes\":[1]}", 0 },
        { "a switch at its generation", "switch", "{\"generation\":7}", "{\"generation\":7}", 1 },
        { "a switch at another is not", "switch", "{\"generation\":7}", "{\"generation\":6}", 0 },
        { "a switch that says nothing is not", "switch", "{\"generation\":7}", "{}", 0 },
        { "an address that is there", "address", "{}", "{}", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;

        arena_init(&a, 0);
        if (judge_is_as_asked(str_from_c(rows[i].kind), given_json(&a, rows[i].desired),
                              given_json(&a, rows[i].observed)) != rows[i].is_as_asked)
            fail_msg("%s", rows[i].sentence);
        arena_fini(&a);
    }
}

static void test_a_fault_is_of_what_was_deployed(void **state)
{
    static const struct {
        const char *sentence, *kind;
        enum rv_verdict verdict;
        enum rv_acted acted;
        int is_at_fault;
    } rows[] = {
        { "a release that ran and failed", "release", RV_USER, RV_ACTED_YES, 1 },
        { "a build that may have run", "artifact", RV_USER, RV_ACTED_MAYBE, 1 },
        { "an instance whose command does not exist", "instance", RV_USER, RV_ACTED_YES, 1 },
        { "what was refused unseen", "instance", RV_USER, RV_ACTED_NO, 0 },
        { "a machine without a free port", "instance", RV_WAIT, RV_ACTED_YES, 0 },
        { "a proxy that cannot do it", "backend", RV_USER, RV_ACTED_YES, 0 },
        { "a kind that nobody judges", "thing", RV_USER, RV_ACTED_YES, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (judge_is_at_fault(str_from_c(rows[i].kind), rows[i].verdict, rows[i].acted) !=
            rows[i].is_at_fault)
            fail_msg("%s", rows[i].sentence);
}

/* --- retry --------------------------------------------------------------------------------------- */

static void test_every_verdict_has_its_next(void **state)
{
    static const struct {
        const char *sentence;
        struct retry_facts facts;
        enum retry_next next;
    } rows[] = {
        { "done is read back", { RV_DONE, RV_ACTED_YES, 1, 0 }, RETRY_SETTLED },
        { "done without acting too", { RV_DONE, RV_ACTED_NO, 1, 0 }, RETRY_SETTLED },
        { "pending is asked later", { RV_PENDING, RV_ACTED_YES, 1, 0 }, RETRY_PENDING },
        { "pending without acting too", { RV_PENDING, RV_ACTED_NO, 1, 0 }, RETRY_PENDING },
        { "wrong fails", { RV_USER, RV_ACTED_NO, 1, 0 }, RETRY_FAILED },
        { "wrong after acting fails", { RV_USER, RV_ACTED_YES, 1, 0 }, RETRY_FAILED },
        { "waiting tries again", { RV_WAIT, RV_ACTED_NO, 1, 0 }, RETRY_AGAIN },
        { "waiting looks first when it may have acted",
          { RV_WAIT, RV_ACTED_MAYBE, 1, 0 },
          RETRY_LOOK },
        { "a fault tries again", { RV_RETRY, RV_ACTED_NO, 7, 0 }, RETRY_AGAIN },
        { "a fault looks first when it may have acted",
          { RV_RETRY, RV_ACTED_MAYBE, 1, 0 },
          RETRY_LOOK },
        { "a fault looks first when it acted", { RV_RETRY, RV_ACTED_YES, 9, 0 }, RETRY_LOOK },
        { "the eighth time fails", { RV_RETRY, RV_ACTED_NO, 8, 0 }, RETRY_FAILED },
        { "but not what is tried for ever", { RV_RETRY, RV_ACTED_NO, 99, 1 }, RETRY_AGAIN },
        { "stale is planned anew", { RV_STALE, RV_ACTED_NO, 1, 0 }, RETRY_SUPERSEDED },
        { "stale after acting looks", { RV_STALE, RV_ACTED_YES, 1, 0 }, RETRY_LOOK },
        { "a revert is not planned anew", { RV_STALE, RV_ACTED_NO, 1, 1 }, RETRY_AGAIN },
        { "absent is read back", { RV_ABSENT, RV_ACTED_NO, 1, 0 }, RETRY_SETTLED },
        { "absent after acting too", { RV_ABSENT, RV_ACTED_YES, 1, 0 }, RETRY_SETTLED },
        { "cancelled ends", { RV_CANCELLED, RV_ACTED_NO, 1, 0 }, RETRY_CANCELLED },
        { "cancelled looks when it may have acted",
          { RV_CANCELLED, RV_ACTED_MAYBE, 1, 0 },
          RETRY_LOOK },
        { "never fails", { RV_FATAL, RV_ACTED_NO, 1, 0 }, RETRY_FAILED },
        { "never after acting fails", { RV_FATAL, RV_ACTED_MAYBE, 1, 0 }, RETRY_FAILED },
        { "a revert is tried for ever", { RV_FATAL, RV_ACTED_NO, 50, 1 }, RETRY_AGAIN },
        { "and what is wrong about it too", { RV_USER, RV_ACTED_YES, 50, 1 }, RETRY_AGAIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (retry_judge(&rows[i].facts) != rows[i].next)
            fail_msg("%s", rows[i].sentence);
}

static void test_delays_double_and_have_an_end(void **state)
{
    static const struct {
        int64_t attempt, most;
    } rows[] = { { 1, 1000 },   { 2, 2000 },    { 3, 4000 },      { 8, 128000 },
                 { 9, 256000 }, { 10, 300000 }, { 1000, 300000 }, { 0, 1000 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(retry_delay_ms(rows[i].attempt, 0), rows[i].most);
        for (uint64_t random = 1; random < 1u << 20; random = random * 3 + 1) {
            int64_t delay = retry_delay_ms(rows[i].attempt, random);

            assert_in_range(delay, rows[i].most - rows[i].most / 4, rows[i].most);
        }
    }
}

static void test_who_answers_may_say_when_to_ask_again(void **state)
{
    static const struct {
        const char *headers;
        int64_t ms;
    } rows[] = {
        { "", 0 },
        { "Date: now\r\nRETRY-AFTER:  7 \r\nX: 9\r\n", 7000 },
        { "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 0 },
        { "Retry-After: -1\r\n", 0 },
        { "Retry-After:\r\n", 0 },
        { "Retry-After: 600000\r\n", 0 },
        { "X-Retry-After: 7\r\n", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(retry_asked_ms(str_from_c(rows[i].headers)), rows[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences_are_told_path_by_path),
        cmocka_unit_test(test_a_long_value_is_cut_and_says_so),
        cmocka_unit_test(test_cycles_are_named_with_their_place),
        cmocka_unit_test(test_needs_go_through_others),
        cmocka_unit_test(test_a_set_key_is_made_of_what_makes_instances_differ),
        cmocka_unit_test(test_identities_have_known_values),
        cmocka_unit_test(test_the_world_is_as_asked),
        cmocka_unit_test(test_a_fault_is_of_what_was_deployed),
        cmocka_unit_test(test_every_verdict_has_its_next),
        cmocka_unit_test(test_delays_double_and_have_an_end),
        cmocka_unit_test(test_who_answers_may_say_when_to_ask_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
