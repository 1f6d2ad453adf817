/* Who asks, and how often: networks, trusted proxies and limits of a route, on a real HAProxy. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_driver_haproxy_ruled.h"

/* --- networks, and who asks --- */

static const struct network_row {
    const char *sentence, *from, *forwarded;
    int status;
} network_rows[] = {
    { "nobody names a client", "127.0.0.1", "", 403 },
    { "a stranger names one that is allowed", "127.0.0.1", "X-Forwarded-For: 10.0.0.1\r\n", 403 },
    { "a trusted proxy names one", TRUSTED, "X-Forwarded-For: 10.127.255.255\r\n", 200 },
    { "just outside the network", TRUSTED, "X-Forwarded-For: 10.128.0.0\r\n", 403 },
    { "one address alone", TRUSTED, "X-Forwarded-For: 192.0.2.7\r\n", 200 },
    { "the next address", TRUSTED, "X-Forwarded-For: 192.0.2.8\r\n", 403 },
    { "IPv6", TRUSTED, "X-Forwarded-For: 2001:db8:17ff::1\r\n", 200 },
    { "IPv6 outside", TRUSTED, "X-Forwarded-For: 2001:db8:1800::1\r\n", 403 },
    { "IPv4 as IPv6", TRUSTED, "X-Forwarded-For: ::ffff:192.0.2.7\r\n", 200 },
    { "the last one is who it spoke to", TRUSTED, "X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n",
      403 },
    { "and of two headers too", TRUSTED,
      "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 203.0.113.9\r\n", 403 },
    { "what a client wrote before is nothing", TRUSTED, "X-Forwarded-For: x, 10.0.0.1\r\n", 200 },
    { "two trusted proxies", TRUSTED, "X-Forwarded-For: 10.0.0.1, 127.0.1.9\r\n", 200 },
    { "two trusted proxies, a stranger", TRUSTED,
      "X-Forwarded-For: 10.0.0.1, 203.0.113.9, 127.0.1.9\r\n", 403 },
    { "five trusted proxies are too many", TRUSTED,
      "X-Forwarded-For: 10.0.0.1, 127.0.1.1, 127.0.1.2, 127.0.1.3, 127.0.1.4\r\n", 403 },
    { "a name that is no address", TRUSTED, "X-Forwarded-For: 10.0.0.1, unknown\r\n", 403 },
    { "a trusted proxy that names nobody", TRUSTED, "", 403 },
};

static void test_networks(void **state)
{
    const struct network_row *row = *state;
    struct test_edge_answer a;

    if (row == network_rows)
        given_served(ROUTE("a.test", "/",
                           "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.0/9\",\"192.0.2.7\","
                           "\"2001:db8:1000::/37\"]}}"));
    when_asked(row->from, "a.test", "/", row->forwarded, &a);
    assert_int_equal(a.status, row->status);
}

/* The proxies' own network is allowed: whoever they name wrongly is not one of them. */
static void test_who_is_named_wrongly_is_nobody(void **state)
{
    static const struct network_row rows[] = {
        { "the proxy itself", TRUSTED, "", 200 },
        { "no proxy", "127.0.0.1", "X-Forwarded-For: unknown\r\n", 200 },
        { "a client of it", TRUSTED, "X-Forwarded-For: 203.0.113.9\r\n", 403 },
        { "no address", TRUSTED, "X-Forwarded-For: unknown\r\n", 403 },
        { "nothing", TRUSTED, "X-Forwarded-For: \r\n", 403 },
        { "nothing behind something", TRUSTED, "X-Forwarded-For: 127.0.0.1,\r\n", 403 },
        { "an address and a port", TRUSTED, "X-Forwarded-For: 203.0.113.9:5555\r\n", 403 },
        { "no address before another proxy", TRUSTED, "X-Forwarded-For: x, 127.0.1.1\r\n", 403 },
        { "more proxies than are asked", TRUSTED,
          "X-Forwarded-For: 203.0.113.9, 127.0.1.1, 127.0.1.2, 127.0.1.3, 127.0.1.4\r\n", 403 },
    };

    (void)state;
    given_served(
        ROUTE("a.test", "/", "{\"access\":{\"type\":\"ip\",\"allow\":[\"127.0.0.0/8\"]}}"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct test_edge_answer a;

        when_asked(rows[i].from, "a.test", "/", rows[i].forwarded, &a);
        if (a.status != rows[i].status)
            fail_msg("%s: %d", rows[i].sentence, a.status);
    }
}

static void test_all_networks_and_none(void **state)
{
    (void)state;
    given_served(
        ROUTE("a.test", "/all", "{\"access\":{\"type\":\"ip\",\"allow\":[\"0.0.0.0/0\"]}}") "," ROUTE(
            "a.test", "/none",
            "{\"access\":{\"type\":\"ip\",\"allow\":[]}}") "," ROUTE("a.test", "/six",
                                                                     "{\"access\":{\"type\":\"ip\","
                                                                     "\"allow\":[\"::/0\"]}}"));
    assert_int_equal(status_of("a.test", "/all", ""), 200);
    assert_int_equal(status_of("a.test", "/none", ""), 403);
    assert_int_equal(status_of("a.test", "/six", ""), 403);
}

/* --- limits --- */

static void test_a_limit_is_of_a_client_and_a_route(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/", LIMIT(3)) "," ROUTE("b.test", "/", LIMIT(3)) "," ROUTE(
        "a.test", "/x", LIMIT(3)));
    assert_int_equal(status_by("10.1.0.1", "a.test", "/"), 200);
    assert_int_equal(status_by("10.1.0.1", "b.test", "/"),
                     200); /* hosts of a route count together */
    assert_int_equal(status_by("10.1.0.1", "A.TEST.:80", "//y"), 200);
    for (int i = 0; i < 5; i++)
        assert_int_equal(status_by("10.1.0.1", "a.test", "/"), 429);
    assert_int_equal(status_by("10.1.0.1", "a.test", "/x"), 200); /* another route */
    assert_int_equal(status_by("10.1.0.2", "a.test", "/"), 200);  /* another client */
    assert_int_equal(status_by("2001:db8::1", "a.test", "/"), 200);
    assert_int_equal(status_by("2001:db8::2", "a.test", "/"), 200); /* one network of one client */
    assert_int_equal(status_by("2001:db8::3", "a.test", "/"), 200);
    assert_int_equal(status_by("2001:db8::4", "a.test", "/"), 429);
    assert_int_equal(status_by("2001:db8:0:1::1", "a.test", "/"), 200);
}

static void test_a_switch_does_not_forget_who_asked(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/again", LIMIT(2)));
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 200);
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 200);
    given_served(ROUTE("a.test", "/again", LIMIT(2)) "," ROUTE("a.test", "/", "{}"));
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 429);
}

/* Without a wait: the window of one second ends while requests go on. */
static void test_a_limit_lets_through_again(void **state)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
    int n_refused = 0;

    (void)state;
    given_served(ROUTE("a.test", "/soon", "{\"rate_limit\":{\"requests\":2,\"per_ms\":1000}}"));
    while (!n_refused) {
        assert_true(sys_mono_ms() < until_ms);
        n_refused += status_by("10.3.0.1", "a.test", "/soon") == 429;
    }
    while (status_by("10.3.0.1", "a.test", "/soon") != 200)
        assert_true(sys_mono_ms() < until_ms);
}

/* --- who names a client --- */

static const char *const naming[] = {
    "X-Forwarded-For", "x-forwarded-for",      "X-FORWARDED-USER",   "X-Forwarded-Client-Cert",
    "Forwarded",       "Forwarded-For",        "X-Real-IP",          "X-Client-IP",
    "True-Client-IP",  "CF-Connecting-IP",     "CF-Connecting-IPv6", "Client-IP",
    "Proxy-Client-IP", "WL-Proxy-Client-IP",   "Fastly-Client-IP",   "X-Cluster-Client-IP",
    "X-ProxyUser-Ip",  "X-Azure-ClientIP",     "X-Originating-IP",   "X-Remote-IP",
    "X-Remote-Addr",   "X-Original-URL",       "X-Rewrite-URL",      "X-Envoy-Original-Path",
    "X-Host",          "X-HTTP-Host-Override", "X-Scheme",           "X-URL-Scheme",
    "Front-End-Https",
};

static int is_told(const char *from, const char *name)
{
    struct test_edge_answer a;
    char header[128];

    (void)snprintf(header, sizeof(header), "%s: 10.9.8.7\r\n", name); /* fits */
    when_asked(from, "a.test", "/headers", header, &a);
    assert_int_equal(a.status, 200);
    return strstr(a.body, "10.9.8.7") != NULL;
}

static void test_only_a_trusted_proxy_names_a_client_to_the_application(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/", "{}"));
    for (size_t i = 0; i < N_ELEMENTS(naming); i++)
        if (is_told("127.0.0.1", naming[i]) || !is_told(TRUSTED, naming[i]))
            fail_msg("%s", naming[i]);
    assert_false(is_told("127.0.0.1", "Proxy"));
    assert_false(is_told(TRUSTED, "Proxy"));
    assert_true(is_told("127.0.0.1", "X-Mine"));
}

/* The path that was judged is the path that is read: nobody takes its beginning for a host. */
static void test_the_application_reads_the_path_that_was_judged(void **state)
{
    static const struct {
        const char *asked, *read;
    } rows[] = {
        { "/a//b/;c?d=//e", "/a//b/;c?d=//e" },
        { "//b.test/x?y=//z", "/b.test/x?y=//z" },
        { "////b.test//x", "/b.test//x" },
        { "/x/..//b.test/y", "/b.test/y" },
        { "/.//b.test/y", "/b.test/y" },
        { "//", "/" },
        { "http://a.test//b.test/y", "/b.test/y" },
    };
    struct test_edge_answer a;
    char line[128];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/closed", "{\"deny\":true}"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        when_asked("127.0.0.1", "a.test", rows[i].asked, "", &a);
        (void)snprintf(line, sizeof(line), "app\nGET %s\n", rows[i].read); /* fits */
        assert_string_equal(a.body, line);
    }
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_all_networks_and_none),
        cmocka_unit_test(test_who_is_named_wrongly_is_nobody),
        cmocka_unit_test(test_a_limit_is_of_a_client_and_a_route),
        cmocka_unit_test(test_a_switch_does_not_forget_who_asked),
        cmocka_unit_test(test_a_limit_lets_through_again),
        cmocka_unit_test(test_only_a_trusted_proxy_names_a_client_to_the_application),
        cmocka_unit_test(test_the_application_reads_the_path_that_was_judged),
    };
    struct CMUnitTest tests[N_ELEMENTS(others) + N_ELEMENTS(network_rows)] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(network_rows); i++)
        tests[n++] = (struct CMUnitTest){ network_rows[i].sentence, test_networks, NULL, NULL,
                                          (void *)(uintptr_t)&network_rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        tests[n++] = others[i];
    return _cmocka_run_group_tests("haproxy clients", tests, n, given_trusting_edge,
                                   given_edge_gone_again);
}
