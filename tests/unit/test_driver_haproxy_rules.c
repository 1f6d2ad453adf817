/* Rules of routes on a real HAProxy: what is done to answers, how they come and go, and which are refused. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_driver_haproxy_ruled.h"

/* --- answers --- */

static void test_headers_are_set_and_removed(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE(
        "a.test", "/",
        "{\"noindex\":true,\"headers\":{\"set\":{\"X-Frame-Options\":\"DENY\","
        "\"Content-Security-Policy\":\"default-src 'self'; a=b, \\\"%[x]\\\" ~:\"},"
        "\"remove\":[\"X-App\"]}}") "," ROUTE("a.test", "/closed",
                                              "{\"noindex\":true,\"deny\":true}") "," ROUTE("a."
                                                                                            "test",
                                                                                            "/bare",
                                                                                            "{}"));
    when_asked("127.0.0.1", "a.test", "/", "", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strcasestr(a.head, "x-frame-options: DENY"));
    assert_non_null(
        strcasestr(a.head, "content-security-policy: default-src 'self'; a=b, \"%[x]\" ~:"));
    assert_non_null(strcasestr(a.head, "x-robots-tag: noindex, nofollow"));
    assert_null(strcasestr(a.head, "x-app"));
    when_asked("127.0.0.1", "a.test", "/closed", "", &a);
    assert_int_equal(a.status, 403);
    assert_non_null(strcasestr(a.head, "x-robots-tag: noindex, nofollow"));
    when_asked("127.0.0.1", "a.test", "/bare", "", &a);
    assert_non_null(strcasestr(a.head, "x-app: app"));
    assert_null(strcasestr(a.head, "x-frame-options"));
    assert_null(strcasestr(a.head, "x-robots-tag"));
}

static void expect_location(const char *from, const char *host, const char *target,
                            const char *headers, const char *location)
{
    struct test_edge_answer a;
    char line[512];

    when_asked(from, host, target, headers, &a);
    assert_int_equal(a.status, 308);
    (void)snprintf(line, sizeof(line), "location: %s\r\n", location); /* fits */
    if (!strcasestr(a.head, line))
        assert_string_equal(a.head, line);
}

static void test_a_host_leads_to_another(void **state)
{
    (void)state;
    given_served(
        ROUTE("www.a.test", "/", "{\"redirect\":\"a.test\"}") "," ROUTE("a.test", "/", "{}"));
    expect_location("127.0.0.1", "www.a.test", "/", "", "http://a.test/");
    expect_location("127.0.0.1", "WWW.a.test.", "/x/../y?z=1&u=//b.test", "",
                    "http://a.test/y?z=1&u=//b.test");
    expect_location("127.0.0.1", "www.a.test:8080", "//b.test/", "", "http://a.test:8080/b.test/");
    expect_location("127.0.0.1", "www.a.test", "/", "X-Forwarded-Proto: https\r\n",
                    "http://a.test/");
    expect_location(TRUSTED, "www.a.test", "/", "X-Forwarded-Proto: https\r\n", "https://a.test/");
}

/* --- with the routes --- */

static void test_rules_come_and_go_with_the_switch(void **state)
{
    int64_t first;

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    first = generation;
    assert_int_equal(when_routed(ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE(
                         "a.test", "/x", "{}") "," ROUTE("a.test", "/y", "{\"deny\":true}")),
                     RV_DONE);
    assert_int_equal(status_of("a.test", "/", ""), 200);
    assert_int_equal(status_of("a.test", "/x", ""), 403);
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    when_switched_to(generation);
    assert_int_equal(status_of("a.test", "/", ""), 401);
    assert_int_equal(status_of("a.test", "/x", ""), 200);
    assert_int_equal(status_of("a.test", "/y", ""), 403);
    assert_true(file_has("users.map", ":ann "));
    assert_int_equal(when_routed(ROUTE("a.test", "/", "{}")), RV_DONE);
    when_switched_to(generation);
    for (int64_t g = first; g < generation; g++) {
        char owner[32];

        (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)g); /* fits */
        assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", owner, ""));
    }
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    assert_false(file_has("users.map", ":ann "));
    assert_false(file_has("rules.map", ":"));
}

static void test_a_rule_that_is_lost_opens_nothing(void **state)
{
    char owner[32];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    test_edge_tell(&edge, "clear map rules.map\n");
    assert_int_equal(status_of("a.test", "/", ""), 200);
    assert_int_equal(status_of("a.test", "/x", ""), 503);
    (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)generation); /* fits */
    assert_int_equal(test_edge_read(&edge, "routes", owner, NULL), RV_DONE);
    assert_false(test_rv_has(edge.ret.observed, "\"/x\""));
    when_switched_to(generation); /* and is there again */
    assert_int_equal(status_of("a.test", "/x", ""), 403);
}

/* Upper case is no way around a route of another environment on the same host either. */
static void test_a_guard_is_whoever_has_the_path(void **state)
{
    char text[512];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}"));
    (void)snprintf(text, sizeof(text),
                   "{\"environment\":\"a0\",\"generation\":1,\"routes\":[{\"route\":\"a:/x\","
                   "\"host\":\"a.test\",\"path\":\"/x\",\"backend\":\"%s\","
                   "\"rules\":{\"deny\":true}}]}",
                   backend); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "routes", "G", "rv1a0r1", text));
    assert_true(test_edge_must(&edge, RV_CREATE, "switch", "a0", "rv1a0sw",
                               "{\"environment\":\"a0\",\"generation\":1}"));
    assert_int_equal(status_of("a.test", "/x", ""), 403);
    assert_int_equal(status_of("a.test", "/X", ""), 400);
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    assert_true(test_edge_must(&edge, RV_DELETE, "switch", "a0", "rv1a0sw", ""));
    assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", "rv1a0r1", ""));
}

/* --- whose it is --- */

static uint32_t when_made(uint32_t action, const char *type, const char *owner, const char *env,
                          const char *body)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "{\"label\":{\"env_uid\":\"%s\"},%s}", env, body); /* fits */
    return test_edge_apply(&edge, action, type, "x", owner, text);
}

static void test_routes_lead_to_their_own_environment(void **state)
{
    char mine[256], theirs[256];

    (void)state;
    assert_int_equal(when_made(RV_CREATE, "backend", "rv1theirs", "e8", "\"servers\":[]"), RV_DONE);
    (void)snprintf(theirs, sizeof(theirs), /* fits */
                   "\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"route\":\"a:/\","
                   "\"host\":\"e9.test\",\"path\":\"/\",\"backend\":\"%.*s\"}]",
                   (int)edge.ret.id.n, edge.ret.id.p);
    assert_int_equal(when_made(RV_CREATE, "routes", "rv1e9r1", "e9", theirs), RV_USER);
    assert_true(test_rv_has(edge.ret.message, "another environment's"));
    assert_int_equal(edge.ret.acted, RV_ACTED_NO);

    /* one that was theirs when the routes were made, and that somebody else took since */
    assert_int_equal(when_made(RV_CREATE, "backend", "rv1mine", "e9", "\"servers\":[]"), RV_DONE);
    (void)snprintf(mine, sizeof(mine), /* fits */
                   "\"environment\":\"e9\",\"generation\":2,\"routes\":[{\"route\":\"a:/\","
                   "\"host\":\"e9.test\",\"path\":\"/\",\"backend\":\"%.*s\"}]",
                   (int)edge.ret.id.n, edge.ret.id.p);
    assert_int_equal(when_made(RV_CREATE, "routes", "rv1e9r2", "e9", mine), RV_DONE);
    assert_true(test_edge_must(&edge, RV_DELETE, "backend", "x", "rv1mine", ""));
    assert_int_equal(
        when_made(RV_CREATE, "switch", "rv1e9sw", "e9", "\"environment\":\"e9\",\"generation\":2"),
        RV_USER);
    assert_true(test_rv_has(edge.ret.message, "serves no set"));
    for (int i = 0; i < 4; i++) { /* until it has gone round */
        char owner[16];

        (void)snprintf(owner, sizeof(owner), "rv1n%d", i); /* fits */
        (void)when_made(RV_CREATE, "backend", owner, "e8",
                        "\"servers\":[]"); /* the last one: none is free */
    }
    assert_int_equal(
        when_made(RV_CREATE, "switch", "rv1e9sw", "e9", "\"environment\":\"e9\",\"generation\":2"),
        RV_USER);
    assert_true(test_rv_has(edge.ret.message, "another environment's"));
    assert_int_equal(status_of("e9.test", "/", ""), 404);

    assert_int_equal(when_made(RV_CREATE, "address", "rv1adr", "e8", "\"x\":1"), RV_DONE);
    (void)snprintf(mine, sizeof(mine), /* fits */
                   "\"environment\":\"e9\",\"generation\":3,\"routes\":[{\"route\":\"internal:a\","
                   "\"host\":\"\",\"port\":%.*s,\"path\":\"/\",\"backend\":\"%s\"}]",
                   (int)edge.ret.id.n, edge.ret.id.p, backend);
    assert_int_equal(when_made(RV_CREATE, "routes", "rv1e9r3", "e9", mine), RV_USER);
    assert_true(test_rv_has(edge.ret.message, "another environment's"));
    assert_true(test_edge_must(&edge, RV_DELETE, "address", "x", "rv1adr", ""));
    assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", "rv1e9r2", ""));
    for (int i = 0; i < 4; i++) {
        char owner[16];

        (void)snprintf(owner, sizeof(owner), "rv1n%d", i); /* fits */
        assert_true(test_edge_must(&edge, RV_DELETE, "backend", "x", owner, ""));
    }
    assert_true(test_edge_must(&edge, RV_DELETE, "backend", "x", "rv1theirs", ""));
}

/* --- how much of it --- */

/* `n_routes` routes that all ask for one of `n_networks` addresses; `differ`: none asks the same as another. */
static uint32_t when_routed_with_networks(int n_routes, int n_networks, int differ)
{
    static char text[5u << 20];
    size_t n = (size_t)sprintf(text, "{\"environment\":\"big\",\"generation\":1,\"routes\":[");
    uint32_t verdict;

    for (int r = 0; r < n_routes; r++) {
        n += (size_t)sprintf(
            text + n,
            "%s{\"route\":\"a:/%d\",\"host\":\"big.test\",\"path\":\"/%d\","
            "\"backend\":\"%s\",\"rules\":{\"access\":{\"type\":\"ip\",\"allow\":[",
            r ? "," : "", r, r, backend);
        for (int i = 0; i < n_networks; i++)
            n += (size_t)sprintf(text + n, "%s\"10.%d.%d.%d/29\"", i ? "," : "", differ ? r : 0,
                                 i / 32, i % 32 * 8);
        n += (size_t)sprintf(text + n, "]}}}");
    }
    (void)sprintf(text + n, "]}"); /* fits */
    verdict = test_edge_apply(&edge, RV_CREATE, "routes", "G", "rv1big", text);
    return verdict;
}

/* One environment does not make the edge of all unreadable, or slow. */
static void test_an_environment_has_its_share(void **state)
{
    static const struct {
        const char *sentence;
        int n_routes, n_networks, differ;
        const char *message;
    } rows[] = {
        { "text that could not be read again", 90, 1000, 0, "bytes" },
        { "routes without end", 1001, 1, 0, "1001 routes" },
        { "addresses without end", 30, 1000, 1, "networks" },
    };

    (void)state;
    given_served(ROUTE("a.test", "/", "{}"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        uint32_t verdict = when_routed_with_networks(rows[i].n_routes, rows[i].n_networks,
                                                     rows[i].differ);

        if (verdict != RV_USER || !test_rv_has(edge.ret.message, rows[i].message))
            fail_msg("%s: %u %.*s", rows[i].sentence, verdict, (int)edge.ret.message.n,
                     edge.ret.message.p ? edge.ret.message.p : "");
        assert_int_equal(edge.ret.acted, RV_ACTED_NO);
        given_served(ROUTE("a.test", "/", "{}"));
    }
    assert_int_equal(when_routed_with_networks(8, 100, 0), RV_DONE);
    assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", "rv1big", ""));
}

/* --- refused --- */

static const struct refusal_row {
    const char *sentence, *rules, *message;
} refusal_rows[] = {
    { "rules that are none", "[]", "rules is not a map" },
    { "an access that is not known", "{\"access\":{\"type\":\"login\"}}", "access.type" },
    { "a user with a command",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"a;b\":{\"secret\":\"s\"}}}}",
      "'a;b' is not a name" },
    { "a password written out", "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":\"pw\"}}}",
      "names no secret" },
    { "a password that cannot be read",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"gone@1\"}}}}", "'gone@1'" },
    { "a short password",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"short@1\"}}}}",
      "the password of 'ann' (secret 'short@1') has under 16 bytes" },
    { "a network that is none", "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.0/33\"]}}",
      "access.allow[0]" },
    { "a network with bits behind its prefix",
      "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.1/8\"]}}", "access.allow[0]" },
    { "a limit of nothing", "{\"rate_limit\":{\"requests\":0,\"per_ms\":1000}}", "requests" },
    { "a limit over days", "{\"rate_limit\":{\"requests\":1,\"per_ms\":86400001}}", "per_ms" },
    { "a header with a line end", "{\"headers\":{\"set\":{\"X-A\":\"b\\r\\nX-C: d\"}}}",
      "headers.set.X-A" },
    { "a header with a colon", "{\"headers\":{\"set\":{\"X-A: b\":\"c\"}}}", "'X-A: b'" },
    { "a header of the connection", "{\"headers\":{\"set\":{\"Transfer-encoding\":\"x\"}}}",
      "'Transfer-encoding'" },
    { "a length to be removed", "{\"headers\":{\"remove\":[\"CONTENT-LENGTH\"]}}",
      "headers.remove[0]" },
    { "a rule that nobody knows", "{\"deny\":false,\"acces\":{\"type\":\"ip\",\"allow\":[]}}",
      "'acces' is no rule" },
    { "a denial that is no bool", "{\"deny\":\"true\"}", "deny is not a bool" },
    { "a noindex that is no bool", "{\"noindex\":1}", "noindex is not a bool" },
    { "an access that is a word", "{\"access\":\"ip\"}", "access is not a map" },
    { "a limit that is a number", "{\"rate_limit\":5}", "rate_limit is not a map" },
    { "headers that are a list", "{\"headers\":[\"X-A\"]}", "headers is not a map" },
    { "headers to be set in a list", "{\"headers\":{\"set\":[\"X-A\"]}}",
      "headers.set is not a map" },
    { "a redirect that is no text", "{\"redirect\":1}", "redirect is not a text" },
    { "a redirect to a path", "{\"redirect\":\"b.test/x\"}", "redirect" },
};

static void test_refused(void **state)
{
    const struct refusal_row *row = *state;
    char route[1024];

    (void)snprintf(route, sizeof(route),
                   "{\"route\":\"n:/\",\"host\":\"n.test\",\"path\":\"/\",\"backend\":{B},"
                   "\"rules\":%s}",
                   row->rules); /* fits */
    assert_int_not_equal(when_routed(route), RV_DONE);
    if (!test_rv_has(edge.ret.message, row->message))
        assert_string_equal(edge.ret.message.p, row->message);
    assert_false(test_rv_has(edge.ret.message, "tr0ub4dor"));
    assert_int_equal(edge.ret.acted, RV_ACTED_NO);
    assert_int_equal(status_of("n.test", "/", ""), 404);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_headers_are_set_and_removed),
        cmocka_unit_test(test_a_host_leads_to_another),
        cmocka_unit_test(test_rules_come_and_go_with_the_switch),
        cmocka_unit_test(test_a_rule_that_is_lost_opens_nothing),
        cmocka_unit_test(test_a_guard_is_whoever_has_the_path),
        cmocka_unit_test(test_routes_lead_to_their_own_environment),
        cmocka_unit_test(test_an_environment_has_its_share),
    };
    struct CMUnitTest tests[N_ELEMENTS(others) + N_ELEMENTS(refusal_rows)] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        tests[n++] = others[i];
    for (size_t i = 0; i < N_ELEMENTS(refusal_rows); i++)
        tests[n++] = (struct CMUnitTest){ refusal_rows[i].sentence, test_refused, NULL, NULL,
                                          (void *)(uintptr_t)&refusal_rows[i] };
    return _cmocka_run_group_tests("haproxy rules", tests, n, given_trusting_edge,
                                   given_edge_gone_again);
}
