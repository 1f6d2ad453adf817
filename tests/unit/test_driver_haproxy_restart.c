/* The proxy, its keeper or the file end; somebody edits. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/test_driver_haproxy_given.h"

/* --- restarts --- */

static void given_two_environments(struct test_edge *e)
{
    char one[16], two[16];

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "one", NULL), one));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "two", NULL), two));
    assert_true(given_routes(e, "e", 1, two));
    assert_true(given_routes(e, "e", 2, one));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    assert_int_equal(when_switched(e, "e", 2), RV_DONE);
    assert_true(given_routes(e, "f", 1, two));
    assert_int_equal(when_switched(e, "f", 1), RV_DONE);
}

static void test_a_killed_proxy_comes_back_as_it_was(void **state)
{
    struct test_edge *e = *state;
    char since[512];
    pid_t pid;
    int64_t began_ms;

    given_two_environments(e);
    assert_int_equal(test_edge_counters(e, "rv1a"), RV_DONE);
    (void)snprintf(since, sizeof(since), "%s", strstr(e->ret.observed.p, "\"since\"")); /* cut */
    pid = test_edge_proxy(e);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    began_ms = sys_mono_ms();
    expect_proxy(e, pid);
    (void)printf("    back after kill -9: %d ms\n", (int)(sys_mono_ms() - began_ms));
    expect_version(e, "e.test", "one");
    expect_version(e, "f.test", "two");
    assert_int_equal(test_edge_counters(e, "rv1a"), RV_DONE);
    assert_string_not_equal(strstr(e->ret.observed.p, "\"since\""), since);
    assert_int_equal(test_edge_read(e, "switch", "rv1esw", "e"), RV_DONE);
    assert_string_equal(e->ret.observed.p, "{\"generation\":2}");
}

static void test_a_call_waits_for_a_proxy_that_restarts(void **state)
{
    struct test_edge *e = *state;
    pid_t pid;

    given_two_environments(e);
    pid = test_edge_proxy(e);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(when_switched(e, "f", 1), RV_DONE);
    expect_version(e, "f.test", "two");
}

static void test_everything_gone_but_the_directory(void **state)
{
    struct test_edge *e = *state;

    given_two_environments(e);
    when_the_keeper_dies(e);
    assert_int_equal(test_edge_reopen(e), 0);
    assert_int_equal(test_edge_find(e, "switch", "rv1esw"), RV_DONE);
    assert_string_equal(e->ret.id.p, "e");
    assert_int_equal(test_edge_find(e, "backend", "rv1b"), RV_DONE);
    expect_version(e, "e.test", "one");
    expect_version(e, "f.test", "two");
}

/* Who asks how the edge is brings it back, but starts none that nobody needed yet. */
static void test_asking_how_it_is_brings_it_back(void **state)
{
    struct test_edge *e = *state;

    assert_int_equal(test_edge_health(e), RV_ABSENT);
    assert_int_equal(test_edge_proxy(e), 0);
    given_two_environments(e);
    assert_int_equal(test_edge_health(e), RV_DONE);
    assert_string_equal(e->ret.observed.p, "{\"serving\":true}");
    when_the_keeper_dies(e);
    assert_int_equal(test_edge_health(e), RV_DONE);
    expect_version(e, "e.test", "one");
    expect_version(e, "f.test", "two");
}

/* Nobody brings the proxy back, and nobody says so. */
static void test_a_keeper_that_hangs_is_replaced(void **state)
{
    struct test_edge *e = *state;

    given_two_environments(e);
    assert_int_equal(kill(keeper_of(e), SIGSTOP), 0);
    assert_int_equal(kill(test_edge_proxy(e), SIGKILL), 0);
    assert_int_equal(test_edge_health(e), RV_RETRY);
    assert_true(test_rv_has(e->ret.message, "does not answer: killed"));
    if (test_edge_health(e) != RV_DONE)
        fail_msg("%.*s", (int)e->ret.message.n, e->ret.message.p);
    expect_version(e, "e.test", "one");
}

static void test_a_port_in_use_is_named(void **state)
{
    struct test_edge *e = *state;
    int taken = tiny_http_listen(e->http, NULL);
    char address[32];

    assert_true(taken >= 0);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", e->http); /* fits */
    assert_int_equal(test_edge_apply(e, RV_CREATE, "address", "a", "rv1a", "{}"), RV_WAIT);
    if (!test_rv_has(e->ret.message, address))
        assert_string_equal(e->ret.message.p, address);
    assert_true(test_rv_has(e->ret.message, "cannot bind"));
    (void)close(taken); /* free again */
    assert_true(test_edge_must(e, RV_CREATE, "address", "a", "rv1a", "{}"));
}

/* --- what people do --- */

static void test_a_lost_file_is_not_replaced_by_an_empty_one(void **state)
{
    struct test_edge *e = *state;
    char path[128], aside[128];

    given_two_environments(e);
    (void)snprintf(path, sizeof(path), "%s/haproxy.cfg", e->dir); /* fits */
    (void)snprintf(aside, sizeof(aside), "%s/aside", e->dir);     /* fits */
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(test_edge_find(e, "switch", "rv1esw"), RV_WAIT);
    assert_true(test_rv_has(e->ret.message, "is gone while the proxy runs"));
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(test_edge_find(e, "switch", "rv1esw"), RV_DONE);
}

/* Backends b0 and b1 serve: a pool of one would forget one of them. */
static void test_a_configuration_that_does_not_fit_waits(void **state)
{
    struct test_edge *e = *state;
    char *pool = strstr(e->config, "\"backends\":256");

    given_two_environments(e);
    assert_non_null(pool);
    memcpy(pool, "\"backends\":1  ", 14);
    assert_int_equal(test_edge_reopen(e), 0);
    assert_int_equal(test_edge_find(e, "backend", "rv1b"), RV_DONE); /* runs: nothing changes */
    when_the_keeper_dies(e);
    assert_int_equal(test_edge_find(e, "backend", "rv1b"), RV_DONE); /* started as it was */
    expect_version(e, "f.test", "two");

    memcpy(pool, "\"backends\":3  ", 14);
    assert_int_equal(test_edge_reopen(e), 0);
    when_the_keeper_dies(e);
    assert_int_equal(test_edge_find(e, "backend", "rv1b"), RV_DONE); /* fits: started anew */
    expect_version(e, "f.test", "two");
    assert_true(test_edge_must(e, RV_CREATE, "backend", "n", "rv1c", "{\"servers\":[]}"));
    assert_int_equal(test_edge_apply(e, RV_CREATE, "backend", "n", "rv1d", "{\"servers\":[]}"),
                     RV_USER);
    assert_true(test_rv_has(e->ret.message, "all 3 backends"));
}

static void when_told(struct test_edge *e, const char *command)
{
    struct rv_str address;
    char text[128];
    int fd = -1;

    (void)snprintf(text, sizeof(text), "unix:%s/admin.sock", e->dir); /* fits */
    address = test_rv(text);
    assert_int_equal(e->t.host.connect(e->t.host.ctx, address, &fd), 0);
    assert_int_equal(write(fd, command, strlen(command)), strlen(command));
    assert_int_equal(e->t.host.wait_fd(e->t.host.ctx, fd, POLLIN, PATIENCE_MS), 0);
    (void)close(fd); /* it was told */
}

/* Somebody moved a generation and stopped a server by hand. */
static void test_an_editor_in_the_running_proxy_is_corrected(void **state)
{
    struct test_edge *e = *state;

    given_two_environments(e);
    when_told(e, "set map gen.map e 1\n");
    assert_int_equal(test_edge_read(e, "switch", "rv1esw", "e"), RV_DONE);
    assert_string_equal(e->ret.observed.p, "{\"generation\":1}"); /* who is served is the truth */
    assert_int_equal(when_switched(e, "e", 2), RV_DONE);
    expect_version(e, "e.test", "one");

    when_told(e, "set server b0/s0 state maint\n");
    assert_int_equal(test_edge_read(e, "backend", "rv1a", "b0"), RV_DONE);
    assert_true(test_rv_has(e->ret.observed, "\"MAINT\""));
    when_told(e, "del map sets.map 2:e:e.test/\n");
    assert_int_equal(test_edge_read(e, "routes", "rv1eg2", "e/2"), RV_DONE);
    assert_string_equal(e->ret.observed.p, "{\"generation\":2,\"routes\":[]}");
    assert_int_equal(when_switched(e, "e", 2), RV_DONE); /* puts the routes back */
    assert_int_equal(test_edge_read(e, "routes", "rv1eg2", "e/2"), RV_DONE);
    assert_true(test_rv_has(e->ret.observed, "\"e.test\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_a_killed_proxy_comes_back_as_it_was),
        EDGE_TEST(test_a_call_waits_for_a_proxy_that_restarts),
        EDGE_TEST(test_everything_gone_but_the_directory),
        EDGE_TEST(test_asking_how_it_is_brings_it_back),
        EDGE_TEST(test_a_keeper_that_hangs_is_replaced),
        EDGE_TEST(test_a_port_in_use_is_named),
        EDGE_TEST(test_a_lost_file_is_not_replaced_by_an_empty_one),
        EDGE_TEST(test_a_configuration_that_does_not_fit_waits),
        EDGE_TEST(test_an_editor_in_the_running_proxy_is_corrected),
    };

    return cmocka_run_group_tests_name("haproxy restart", tests, NULL, NULL);
}
