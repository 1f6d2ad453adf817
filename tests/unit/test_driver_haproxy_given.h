/* What tests of the edge under load and after restarts share. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static inline void expect_proxy(struct test_edge *e, pid_t not_this)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
    pid_t pid;

    while (!(pid = test_edge_proxy(e)) || pid == not_this) {
        assert_true(sys_mono_ms() < until_ms);
        pause_ms(5);
    }
}

/* A number of the keeper's state. */
static inline int keeper_number(struct test_edge *e, const char *name)
{
    char path[128], text[4096], quoted[32];
    const char *at;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/run/edge/state", e->dir); /* fits */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = 0;
    (void)close(fd);                                         /* read only */
    (void)snprintf(quoted, sizeof(quoted), "\"%s\":", name); /* fits */
    at = strstr(text, quoted);
    assert_non_null(at);
    return atoi(at + strlen(quoted));
}

static inline pid_t keeper_of(struct test_edge *e)
{
    return (pid_t)keeper_number(e, "keeper");
}

static inline void when_the_keeper_dies(struct test_edge *e)
{
    assert_int_equal(kill(keeper_of(e), SIGKILL), 0);
    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS; test_edge_proxy(e); pause_ms(5))
        assert_true(sys_mono_ms() < until_ms); /* it dies with its keeper */
}

#define EDGE_TEST(f) cmocka_unit_test_setup_teardown(f, given_edge, given_edge_gone)
