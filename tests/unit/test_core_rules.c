/* What routes ask of requests, before and after. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/edge_rules.h"
#include "specs/json_io.h"

#define IP(nets) "{\"access\":{\"type\":\"ip\",\"allow\":[" nets "]}}"
#define USERS(users) "{\"access\":{\"type\":\"basic\",\"users\":{" users "}}}"
#define ANN "\"ann\":{\"secret\":\"s\",\"version\":\"1\"}"
#define LIMIT(n, per) "{\"rate_limit\":{\"requests\":" #n ",\"per_ms\":" #per "}}"
#define DENY "{\"deny\":true}"

/* "DOMAIN HOST PATH SERVICE RULES" each, by lines. */
static void given_routes(struct arena *a, const char *lines, struct plan_routes *ret)
{
    struct str rest = str_from_c(lines), line;

    *ret = (struct plan_routes){ 0 };
    while (str_next(&rest, '\n', &line)) {
        struct plan_route *r = line.n ? vec_push(a, ret) : NULL;
        struct err err = ERR_INIT;
        struct value *rules = NULL;
        struct str domain;

        if (!r)
            continue;
        assert_true(str_next(&line, ' ', &domain) && str_next(&line, ' ', &r->host) &&
                    str_next(&line, ' ', &r->path) && str_next(&line, ' ', &r->service));
        r->route = str_fmt(a, "%.*s:%.*s", STR_ARG(domain), STR_ARG(r->path));
        r->address = S("");
        if (line.n && json_parse(a, line, 1u << 20, &rules, &err))
            fail_msg("%s", err.text);
        r->rules = rules;
    }
}

static const struct {
    const char *sentence, *before, *after, *weaker; /* at domain d */
} rows[] = {
    { "nothing was asked", "d h / a", "d h / a", "" },
    { "the same is asked", "d h / a " DENY, "d h / a " DENY, "" },
    { "something new is asked", "d h / a", "d h / a " DENY, "" },
    { "a denial goes", "d h / a " DENY, "d h / a", "h/ access from nobody to everybody" },
    { "a denial becomes a password", "d h / a " DENY, "d h / a " USERS(ANN),
      "h/ access from nobody to basic of ann" },
    { "a password becomes a denial", "d h / a " USERS(ANN), "d h / a " DENY, "" },
    { "a password goes", "d h / a " USERS(ANN), "d h / a",
      "h/ access from basic of ann to everybody" },
    { "one more may come in", "d h / a " USERS(ANN), "d h / a " USERS(ANN ",\"bob\":{}"),
      "h/ access from basic of ann to basic of ann bob" },
    { "one less may come in", "d h / a " USERS(ANN ",\"bob\":{}"), "d h / a " USERS(ANN), "" },
    { "a new version of a password", "d h / a " USERS(ANN),
      "d h / a " USERS("\"ann\":{\"secret\":\"s\",\"version\":\"2\"}"), "" },
    { "a password becomes an address", "d h / a " USERS(ANN), "d h / a " IP("\"10.0.0.1\""),
      "h/ access from basic of ann to ip of 10.0.0.1" },
    { "an address less", "d h / a " IP("\"10.0.0.1\",\"10.0.0.2\""), "d h / a " IP("\"10.0.0.1\""),
      "" },
    { "a network within", "d h / a " IP("\"10.0.0.0/8\""), "d h / a " IP("\"10.3.0.0/16\""), "" },
    { "a network around", "d h / a " IP("\"10.3.0.0/16\""), "d h / a " IP("\"10.0.0.0/8\""),
      "h/ access from ip of 10.3.0.0/16 to ip of 10.0.0.0/8" },
    { "a network beside", "d h / a " IP("\"10.3.0.0/16\""), "d h / a " IP("\"10.4.0.0/16\""),
      "h/ access from ip of 10.3.0.0/16 to ip of 10.4.0.0/16" },
    { "one of IPv6", "d h / a " IP("\"0.0.0.0/0\""), "d h / a " IP("\"::1\""),
      "h/ access from ip of 0.0.0.0/0 to ip of ::1" },
    { "a lower limit", "d h / a " LIMIT(10, 1000), "d h / a " LIMIT(5, 1000), "" },
    { "a higher limit", "d h / a " LIMIT(10, 1000), "d h / a " LIMIT(11, 1000),
      "h/ rate_limit from 10 in 1s to 11 in 1s" },
    { "the same limit in longer", "d h / a " LIMIT(10, 1000), "d h / a " LIMIT(10, 2000), "" },
    { "the same rate in longer", "d h / a " LIMIT(10, 1000), "d h / a " LIMIT(20, 2000), "" },
    { "a limit goes", "d h / a " LIMIT(10, 1000), "d h / a",
      "h/ rate_limit from 10 in 1s to none" },
    { "headers go", "d h / a {\"headers\":{\"remove\":[\"Server\"]}}", "d h / a", "" },
    { "an open path in a closed one", "d h / a " DENY, "d h / a " DENY "\nd h /x a",
      "h/x access from nobody to everybody" },
    { "a closed path in an open one goes", "d h / a\nd h /x a " DENY, "d h / a",
      "h/x access from nobody to everybody" },
    { "a closed path in a closed one goes", "d h / a " DENY "\nd h /x a " DENY, "d h / a " DENY,
      "" },
    { "a longer name is no path in it", "d h / a\nd h /x a " DENY,
      "d h / a\nd h /x a " DENY "\nd h /xy a", "" },
    { "a closed path goes with all around it", "d h /x a " DENY, "d h /y b", "" },
    { "another domain opens its host", "e h / a " DENY, "d h / a",
      "h/ access from nobody to everybody" },
    { "another domain, looked at alone", "e h / a " DENY, "e h / a", "" },
    { "a closed service gets another host", "e h / a " USERS(ANN),
      "e h / a " USERS(ANN) "\nd i / a", "i/ leads to service/a and asks nobody" },
    { "a closed service gets an open path", "d h /x a " USERS(ANN),
      "d h /x a " USERS(ANN) "\nd h /y a", "h/y leads to service/a and asks nobody" },
    { "and it asks too", "d h /x a " USERS(ANN), "d h /x a " USERS(ANN) "\nd h /y a " DENY, "" },
    { "a service with an open path gets another", "d h /x a " USERS(ANN) "\nd h /z a",
      "d h /x a " USERS(ANN) "\nd h /z a\nd h /y a", "" },
    { "a closed host leads to another", "d h / a " DENY, "d h / a {\"redirect\":\"i\"}", "" },
};

static void test_what_is_weaker(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan_routes before, after;
        struct str weaker;
        struct arena a;

        arena_init(&a, 0);
        given_routes(&a, rows[i].before, &before);
        given_routes(&a, rows[i].after, &after);
        weaker = edge_rules_weaker(&a, &before, &after, S("d"));
        if (!str_eq_c(weaker, rows[i].weaker))
            fail_msg("%s: '%.*s'", rows[i].sentence, STR_ARG(weaker));
        arena_fini(&a);
    }
}

static void test_a_route_stands_before_its_domain(void **state)
{
    static const struct {
        const char *sentence, *domain, *route, *rules;
    } routes[] = {
        { "nothing", "{}", "{}", NULL },
        { "the domain's access", IP("\"::1\""), "{}", IP("\"::1\"") },
        { "the route's", IP("\"::1\""), USERS(ANN), USERS(ANN) },
        { "the route asks nobody", IP("\"::1\""), "{\"access\":{\"type\":\"none\"}}", NULL },
        { "everything", "{\"headers\":{\"remove\":[\"A\"]},\"hosts\":[\"h\"],\"noindex\":true}",
          "{\"deny\":true,\"service\":\"a\"}",
          "{\"deny\":true,\"headers\":{\"remove\":[\"A\"]},\"noindex\":true}" },
        { "what is served", IP("\"::1\""), "{\"rules\":" DENY "}", DENY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct value *domain, *route, *wanted = NULL;
        struct err err = ERR_INIT;
        struct arena a;

        arena_init(&a, 0);
        assert_int_equal(json_parse(&a, str_from_c(routes[i].domain), 9999, &domain, &err), 0);
        assert_int_equal(json_parse(&a, str_from_c(routes[i].route), 9999, &route, &err), 0);
        if (routes[i].rules)
            assert_int_equal(json_parse(&a, str_from_c(routes[i].rules), 9999, &wanted, &err), 0);
        if (!value_eq(edge_rules_of_route(&a, domain, route), wanted))
            fail_msg("%s", routes[i].sentence);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_weaker),
        cmocka_unit_test(test_a_route_stands_before_its_domain),
    };

    return cmocka_run_group_tests_name("edge rules", tests, NULL, NULL);
}
