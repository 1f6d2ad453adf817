/* What tests of the edge under load and after restarts share. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "tests/support/test_edge.h"

#define PATIENCE_MS 20000

static inline int given_edge(void **state)
{
    static struct test_edge e;

    *state = &e;
    return test_edge_init(&e, 256, 8); /* the size of a real pool */
}

static inline int given_edge_gone(void **state)
{
    test_edge_fini(*state);
    return 0;
}

static inline void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

static inline int given_routes(struct test_edge *e, const char *env, int generation,
                               const char *backend)
{
    char desired[512], owner[64];

    (void)snprintf(desired, sizeof(desired), /* fits */
                   "{\"environment\":\"%s\",\"generation\":%d,\"label\":{},\"routes\":[{\"route\":"
                   "\"web\",\"host\":\"%s.test\",\"path\":\"/\",\"backend\":\"%s\"}]}",
                   env, generation, env, backend);
    (void)snprintf(owner, sizeof(owner), "rv1%sg%d", env, generation); /* fits */
    return test_edge_must(e, RV_CREATE, "routes", "G", owner, desired);
}

static inline uint32_t when_switched(struct test_edge *e, const char *env, int generation)
{
    char desired[128], owner[64];

    (void)snprintf(desired, sizeof(desired), "{\"environment\":\"%s\",\"generation\":%d}", env,
                   generation);                           /* fits */
    (void)snprintf(owner, sizeof(owner), "rv1%ssw", env); /* fits */
    return test_edge_apply(e, RV_UPDATE, "switch", env, owner, desired);
}

static inline int without_routes(struct test_edge *e, const char *env, int generation)
{
    char owner[64];

    (void)snprintf(owner, sizeof(owner), "rv1%sg%d", env, generation); /* fits */
    return test_edge_must(e, RV_DELETE, "routes", "G", owner, "");
}

static inline void expect_version(struct test_edge *e, const char *host, const char *version)
{
    struct test_edge_answer a;

    test_edge_get(e->http, host, "/", &a);
    assert_int_equal(a.status, 200);
    a.body[strcspn(a.body, "\n")] = 0;
    assert_string_equal(a.body, version);
}

#define EDGE_TEST(f) cmocka_unit_test_setup_teardown(f, given_edge, given_edge_gone)
