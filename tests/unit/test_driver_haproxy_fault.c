/* Faults and deaths in the middle of a switch; several at once. SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test_driver_haproxy_given.h"

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

/* The file from which the proxy would restart. */
static int generation_on_disk(struct test_edge *e)
{
    char path[128], line[64] = "";
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/gen.map", e->dir); /* fits */
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    (void)fclose(f); /* read only */
    return atoi(line + 2);
}

/* The caller dies before the nth command of a switch: after a read the files say what is served, so
 * that a restart changes nothing, and the same switch again succeeds. */
static void test_a_death_in_the_middle_leaves_old_or_new(void **state)
{
    struct test_edge *e = *state;
    char ids[2][16], want[32];
    int g = 1, n_died = 0;

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), ids[1]));
    assert_true(given_routes(e, "e", g, ids[g % 2]));
    assert_int_equal(when_switched(e, "e", g), RV_DONE);
    for (size_t nth = 1; nth <= 12; nth++) {
        int status = 0, served;
        pid_t pid;

        g++;
        assert_true(given_routes(e, "e", g, ids[g % 2]));
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            test_host_fail(&e->t, TEST_HOST_CONNECT, nth, TEST_HOST_CRASH);
            (void)when_switched(e, "e", g);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        n_died += WIFSIGNALED(status);
        assert_int_equal(test_edge_read(e, "switch", "rv1esw", "e"), RV_DONE);
        (void)snprintf(want, sizeof(want), "{\"generation\":%d}", g); /* fits */
        served = strcmp(e->ret.observed.p, want) == 0 ? g : g - 1;

        assert_int_equal(generation_on_disk(e), served);
        expect_version(e, "e.test", served % 2 ? "v1" : "v0");
        assert_int_equal(when_switched(e, "e", g), RV_DONE);
        expect_version(e, "e.test", g % 2 ? "v1" : "v0");
        assert_true(without_routes(e, "e", g - 1));
    }
    assert_in_range(n_died, 6, 12);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_a_fault_in_the_middle_leaves_old_or_new),
        EDGE_TEST(test_a_death_in_the_middle_leaves_old_or_new),
        EDGE_TEST(test_environments_change_at_once),
    };

    return cmocka_run_group_tests_name("haproxy fault", tests, NULL, NULL);
}
