/* The edge meets the rules of every driver. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/conform.h"
#include "tests/support/test_edge.h"

static struct test_edge edge;

/* With the backend that routes lead to. */
static int given_edge(void **state)
{
    char backend[16];

    (void)state;
    if (test_edge_init(&edge, 8, 2))
        return -1;
    test_host_secret(&edge.t, "ann", "correct horse battery staple");
    edge.epoch = 5; /* of the kit's own */
    return !test_edge_backend(&edge, "rv1b0", 9, backend) || strcmp(backend, "b0");
}

static int given_generation(void *ctx, const char *number)
{
    struct rv_result ret = { .size = sizeof(ret) };
    char owner[32], text[256];
    struct rv_op op;

    (void)ctx;
    (void)snprintf(owner, sizeof(owner), "rv1g%s", number); /* fits */
    (void)snprintf(text, sizeof(text),                      /* fits */
                   "{\"environment\":\"s%s\",\"generation\":1,\"routes\":[]}", number);
    op = test_op(RV_CREATE, "routes", "G1", owner, "key", text);
    op.epoch = edge.epoch;
    edge.driver->apply(edge.self, &edge.t.host, &op, &ret);
    return ret.verdict != RV_DONE;
}

static int given_edge_gone(void **state)
{
    (void)state;
    test_edge_fini(&edge);
    return 0;
}

static void test_it_conforms(void **state)
{
    static const struct conform_type types[] = {
        { .type = "backend",
          .name = "api@s1",
          .action = RV_CREATE,
          .desired = "{\"label\":{\"env\":\"e\"},\"servers\":[\"127.0.0.1:9\"]}" },
        { .type = "address", .name = "api", .action = RV_CREATE, .desired = "{\"label\":{}}" },
        { .type = "routes",
          .name = "G1",
          .action = RV_CREATE,
          .every = 5,
          .desired = "{\"label\":{},\"environment\":\"r$N\",\"generation\":1,\"routes\":["
                     "{\"route\":\"a:/\",\"host\":\"r$N.test\",\"path\":\"/\",\"backend\":\"b0\","
                     "\"rules\":{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":"
                     "\"ann\"}}}}}]}" },
        { .type = "switch",
          .name = "s",
          .action = RV_CREATE,
          .every = 5,
          .desired = "{\"label\":{},\"environment\":\"s$N\",\"generation\":1}",
          .given = given_generation },
    };
    struct conform_subject subject = { edge.driver, edge.config, &edge.t.host, types,
                                       N_ELEMENTS(types) };
    AUTO_ARENA struct arena a;
    struct str report = STR_NONE;
    size_t n_broken;

    (void)state;
    arena_init(&a, 0);
    n_broken = conform_run(&subject, &a, &report);
    if (n_broken)
        (void)printf("%.*s\n", STR_ARG(report));
    assert_int_equal(n_broken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_conforms, given_edge, given_edge_gone),
    };

    return cmocka_run_group_tests_name("haproxy conform", tests, NULL, NULL);
}
