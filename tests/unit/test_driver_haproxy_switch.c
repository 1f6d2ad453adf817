/* Switches under load, restarts, faults in the middle. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "specs/json_io.h"
#include "tests/support/test_edge.h"

#define PATIENCE_MS 20000

static const struct tiny_http closes_idle = { .idle_ms = 50, .health_fail_ms = -1 };

static int given_edge(void **state)
{
    static struct test_edge e;

    *state = &e;
    return test_edge_init(&e, 256, 8); /* the size of a real pool */
}

static int given_edge_gone(void **state)
{
    test_edge_fini(*state);
    return 0;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

static int given_routes(struct test_edge *e, const char *env, int generation, const char *backend)
{
    char desired[512], owner[64];

    (void)snprintf(desired, sizeof(desired), /* fits */
                   "{\"environment\":\"%s\",\"generation\":%d,\"label\":{},\"routes\":[{\"route\":"
                   "\"web\",\"host\":\"%s.test\",\"path\":\"/\",\"backend\":\"%s\"}]}",
                   env, generation, env, backend);
    (void)snprintf(owner, sizeof(owner), "rv1%sg%d", env, generation); /* fits */
    return test_edge_must(e, RV_CREATE, "routes", "G", owner, desired);
}

static uint32_t when_switched(struct test_edge *e, const char *env, int generation)
{
    char desired[128], owner[64];

    (void)snprintf(desired, sizeof(desired), "{\"environment\":\"%s\",\"generation\":%d}", env,
                   generation);                           /* fits */
    (void)snprintf(owner, sizeof(owner), "rv1%ssw", env); /* fits */
    return test_edge_apply(e, RV_UPDATE, "switch", env, owner, desired);
}

static int without_routes(struct test_edge *e, const char *env, int generation)
{
    char owner[64];

    (void)snprintf(owner, sizeof(owner), "rv1%sg%d", env, generation); /* fits */
    return test_edge_must(e, RV_DELETE, "routes", "G", owner, "");
}

static void expect_version(struct test_edge *e, const char *host, const char *version)
{
    struct test_edge_answer a;

    test_edge_get(e->http, host, "/", &a);
    assert_int_equal(a.status, 200);
    a.body[strcspn(a.body, "\n")] = 0;
    assert_string_equal(a.body, version);
}

/* --- load --- */

struct load {
    pid_t pid;
    int out;
};

static void given_load(struct test_edge *e, const char *host, struct load *ret)
{
    char path[4096], target[32];
    int out[2];

    (void)snprintf(path, sizeof(path), "%.*s/tests/e2e/load", /* fits */
                   (int)(strrchr(e->keeper, '/') - e->keeper), e->keeper);
    (void)snprintf(target, sizeof(target), "127.0.0.1:%u", e->http); /* fits */
    assert_int_equal(access(path, X_OK), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    ret->pid = fork();
    assert_true(ret->pid >= 0);
    if (!ret->pid) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        (void)dup2(out[1], 1);
        (void)execl(path, path, "--target", target, "--host", host, "--new", "2", "--kept", "3",
                    "--slow", "2", "--slow-path", "/slow?ms=1500", "--post", "30", (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]); /* the child's */
    ret->out = out[0];
}

/* What it counted, after it has ended its requests. */
static const struct value *when_load_ends(struct load *load, struct arena *a)
{
    struct value *v = NULL;
    struct err err = ERR_INIT;
    char text[8192];
    size_t n = 0;

    assert_int_equal(kill(load->pid, SIGTERM), 0);
    for (ssize_t got; (got = read(load->out, text + n, sizeof(text) - n)) > 0;)
        n += (size_t)got;
    (void)close(load->out); /* read to its end */
    assert_int_equal(waitpid(load->pid, NULL, 0), load->pid);
    assert_int_equal(json_parse(a, str_trim((struct str){ text, n }), sizeof(text), &v, &err), 0);
    (void)printf("    load: %.*s\n", (int)str_trim((struct str){ text, n }).n, text);
    return v;
}

static void expect_nothing_lost(const struct value *counts)
{
    assert_int_equal(value_get_int(counts, S("lost"), -1), 0);
    assert_int_equal(value_get_int(counts, S("unrouted"), -1), 0);
    assert_int_equal(value_get_int(counts, S("ok"), -1), value_get_int(counts, S("sent"), -2));
    assert_true(value_get_int(counts, S("sent"), 0) > 500);
}

static void test_fifty_switches_lose_nothing(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16];
    struct load load;
    AUTO_ARENA struct arena a;
    const struct value *counts;

    arena_init(&a, 0);
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", &closes_idle), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", &closes_idle), ids[1]));
    assert_true(given_routes(e, "e", 1, ids[1]));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);

    given_load(e, "e.test", &load);
    for (int g = 2; g <= 51; g++) {
        assert_true(given_routes(e, "e", g, ids[g % 2]));
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        assert_true(without_routes(e, "e", g - 1));
        pause_ms(20);
    }
    counts = when_load_ends(&load, &a);
    expect_nothing_lost(counts);
    assert_int_equal(value_count(value_get(counts, S("versions"))), 2);
}

static int is_drained(struct test_edge *e, const char *owner)
{
    return test_edge_counters(e, owner) == RV_DONE &&
           test_rv_has(e->ret.observed, "\"current\":0,") &&
           test_rv_has(e->ret.observed, "\"queued\":0,");
}

static void expect_drained(struct test_edge *e, const char *owner)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;

    for (int in_a_row = 0; in_a_row < 2; pause_ms(50)) {
        in_a_row = is_drained(e, owner) ? in_a_row + 1 : 0;
        assert_true(sys_mono_ms() < until_ms);
    }
}

/* Each round: a new server, switch, drain, kill -9 of the old one. */
static void test_replaced_servers_lose_nothing(void **state)
{
    struct test_edge *e = *state;
    char id[16], owner[16], before[16] = "rv1r0", version[16];
    struct load load;
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    assert_true(test_edge_backend(e, before, test_edge_server(e, "v0", &closes_idle), id));
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);

    given_load(e, "e.test", &load);
    for (int round = 1; round <= 4; round++) {
        (void)snprintf(owner, sizeof(owner), "rv1r%d", round);  /* fits */
        (void)snprintf(version, sizeof(version), "v%d", round); /* fits */
        assert_true(test_edge_backend(e, owner, test_edge_server(e, version, &closes_idle), id));
        assert_true(given_routes(e, "e", round + 1, id));
        assert_int_equal(when_switched(e, "e", round + 1), RV_DONE);
        expect_drained(e, before);
        test_edge_kill_server(e, (size_t)round - 1, SIGKILL);
        assert_true(without_routes(e, "e", round));
        assert_true(test_edge_must(e, RV_DELETE, "backend", "n", before, ""));
        (void)snprintf(before, sizeof(before), "%s", owner); /* fits */
    }
    expect_nothing_lost(when_load_ends(&load, &a));
}

/* One of two servers dies between being chosen and being connected to: the other one answers. */
static void test_a_dead_server_beside_a_live_one_loses_nothing(void **state)
{
    struct test_edge *e = *state;
    uint16_t dies = test_edge_server(e, "dies", NULL), lives = test_edge_server(e, "lives", NULL);
    char desired[128], id[16];

    (void)snprintf(desired, sizeof(desired), "{\"servers\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}",
                   dies, lives); /* fits */
    assert_true(test_edge_must(e, RV_CREATE, "backend", "n", "rv1two", desired));
    (void)snprintf(id, sizeof(id), "%s", e->ret.id.p); /* fits */
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    test_edge_kill_server(e, 0, SIGKILL);
    for (int i = 0; i < 20; i++)
        expect_version(e, "e.test", "lives");
    assert_int_equal(test_edge_counters(e, "rv1two"), RV_DONE);
    assert_false(test_rv_has(e->ret.observed, "\"redispatches\":0"));
}

static void test_undo_is_fast(void **state)
{
    struct test_edge *e = *state;
    int64_t best_ms = PATIENCE_MS;
    char ids[2][16];

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), ids[1]));
    assert_true(given_routes(e, "e", 1, ids[1]));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    for (int g = 2; g < 22; g++) {
        int64_t began_ms = sys_mono_ms(), took_ms;

        assert_true(given_routes(e, "e", g, ids[g % 2]));
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        took_ms = sys_mono_ms() - began_ms;
        best_ms = took_ms < best_ms ? took_ms : best_ms;
    }
    (void)printf("    undo (routes and switch): %d ms\n", (int)best_ms);
    expect_version(e, "e.test", "v1");
}

/* --- restarts --- */

static void expect_proxy(struct test_edge *e, pid_t not_this)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
    pid_t pid;

    while (!(pid = test_edge_proxy(e)) || pid == not_this) {
        assert_true(sys_mono_ms() < until_ms);
        pause_ms(5);
    }
}

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
    char path[128], text[4096];
    ssize_t n;
    int fd;

    given_two_environments(e);
    (void)snprintf(path, sizeof(path), "%s/run/edge/state", e->dir); /* fits */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = 0;
    (void)close(fd); /* read only */
    assert_non_null(strstr(text, "\"keeper\":"));
    assert_int_equal(kill((pid_t)atoi(strstr(text, "\"keeper\":") + 9), SIGKILL), 0);
    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS; test_edge_proxy(e); pause_ms(5))
        assert_true(sys_mono_ms() < until_ms); /* it dies with its keeper */

    assert_int_equal(test_edge_reopen(e), 0);
    assert_int_equal(test_edge_find(e, "switch", "rv1esw"), RV_DONE);
    assert_string_equal(e->ret.id.p, "e");
    assert_int_equal(test_edge_find(e, "backend", "rv1b"), RV_DONE);
    expect_version(e, "e.test", "one");
    expect_version(e, "f.test", "two");
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

/* --- faults and company --- */

/* The nth command to the proxy fails: what is served is the old or the new, never nothing; what the
 * files say is what is served; and the same call again succeeds. */
static void test_a_fault_in_the_middle_leaves_old_or_new(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16];
    int g = 1, n_failed = 0;

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), ids[1]));
    assert_true(given_routes(e, "e", g, ids[g % 2]));
    assert_int_equal(when_switched(e, "e", g), RV_DONE);
    for (size_t nth = 1; nth <= 24; nth++) {
        struct test_edge_answer a;
        char want[32];

        g++;
        assert_true(given_routes(e, "e", g, ids[g % 2]));
        test_host_fail(&e->t, TEST_HOST_CONNECT, nth, RV_RETRY);
        n_failed += when_switched(e, "e", g) != RV_DONE;
        test_host_fail(&e->t, TEST_HOST_NONE, 0, 0);
        test_edge_get(e->http, "e.test", "/", &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(test_edge_read(e, "switch", "rv1esw", "e"), RV_DONE);
        (void)snprintf(want, sizeof(want), "{\"generation\":%d}",
                       a.body[1] == '0' + g % 2 ? g : g - 1); /* fits */
        assert_string_equal(e->ret.observed.p, want);
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        expect_version(e, "e.test", g % 2 ? "v1" : "v0");
        assert_true(without_routes(e, "e", g - 1));
    }
    assert_in_range(n_failed, 8,
                    20); /* each command of a switch, and the last rows had none left */
}

struct company {
    struct test_edge *e;
    const char *env;
    char ids[2][16];
    int failures;
    pthread_t thread;
};

static void company_apply(struct company *c, struct rv_op op)
{
    struct rv_result ret = { .size = sizeof(ret) };

    c->e->driver->apply(c->e->self, &c->e->t.host, &op, &ret);
    c->failures += ret.verdict != RV_DONE;
}

static void *company_run(void *arg)
{
    struct company *c = arg;
    char routes[512], change[128], owner[64], switch_owner[64];

    (void)snprintf(switch_owner, sizeof(switch_owner), "rv1%ssw", c->env); /* fits */
    for (int g = 1; g <= 15; g++) {
        (void)snprintf(routes, sizeof(routes), /* fits */
                       "{\"environment\":\"%s\",\"generation\":%d,\"routes\":[{\"route\":\"w\","
                       "\"host\":\"%s.test\",\"path\":\"/\",\"backend\":\"%s\"}]}",
                       c->env, g, c->env, c->ids[g % 2]);
        (void)snprintf(change, sizeof(change), "{\"environment\":\"%s\",\"generation\":%d}", c->env,
                       g);                                           /* fits */
        (void)snprintf(owner, sizeof(owner), "rv1%sg%d", c->env, g); /* fits */
        company_apply(c, test_op(RV_CREATE, "routes", "G", owner, "k", routes));
        company_apply(c, test_op(RV_UPDATE, "switch", c->env, switch_owner, "k", change));
    }
    return NULL;
}

static void test_environments_change_at_once(void **state)
{
    struct test_edge *e = *state;
    struct company companies[3] = { { .e = e, .env = "x" },
                                    { .e = e, .env = "y" },
                                    { .e = e, .env = "z" } };

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), companies[0].ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), companies[0].ids[1]));
    for (size_t i = 0; i < N_ELEMENTS(companies); i++) {
        memcpy(companies[i].ids, companies[0].ids, sizeof(companies[i].ids));
        assert_int_equal(pthread_create(&companies[i].thread, NULL, company_run, &companies[i]), 0);
    }
    for (size_t i = 0; i < N_ELEMENTS(companies); i++) {
        assert_int_equal(pthread_join(companies[i].thread, NULL), 0);
        assert_int_equal(companies[i].failures, 0);
    }
    expect_version(e, "x.test", "v1");
    expect_version(e, "y.test", "v1");
    expect_version(e, "z.test", "v1");
}

#define EDGE_TEST(f) cmocka_unit_test_setup_teardown(f, given_edge, given_edge_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_fifty_switches_lose_nothing),
        EDGE_TEST(test_replaced_servers_lose_nothing),
        EDGE_TEST(test_a_dead_server_beside_a_live_one_loses_nothing),
        EDGE_TEST(test_undo_is_fast),
        EDGE_TEST(test_a_killed_proxy_comes_back_as_it_was),
        EDGE_TEST(test_a_call_waits_for_a_proxy_that_restarts),
        EDGE_TEST(test_everything_gone_but_the_directory),
        EDGE_TEST(test_a_port_in_use_is_named),
        EDGE_TEST(test_a_fault_in_the_middle_leaves_old_or_new),
        EDGE_TEST(test_environments_change_at_once),
    };

    return cmocka_run_group_tests_name("haproxy switch", tests, NULL, NULL);
}
