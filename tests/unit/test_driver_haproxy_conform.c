/* The edge meets the rules of every driver. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/conform.h"
#include "tests/support/test_edge.h"

static int given_edge(void **state)
{
    static struct test_edge e;

    *state = &e;
    return test_edge_init(&e, 8, 2);
}

static int given_edge_gone(void **state)
{
    test_edge_fini(*state);
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
    };
    struct test_edge *e = *state;
    struct conform_subject subject = { e->driver, e->config, &e->t.host, types, N_ELEMENTS(types) };
    AUTO_ARENA struct arena a;
    struct str report = STR_NONE;
    size_t n_broken;

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
