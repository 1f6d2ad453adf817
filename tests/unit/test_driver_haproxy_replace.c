/* Another pool: the proxy is replaced by one that has it, and nothing is lost. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_driver_haproxy_load.h"

#define N_OLD 2 /* backends */
#define N_NEW 4

static int given_a_small_edge(void **state)
{
    static struct test_edge e;

    *state = &e;
    return test_edge_init(&e, N_OLD, 2);
}

/* As a daemon that was started again with another configuration. */
static void given_a_pool_of(struct test_edge *e, int n_backends)
{
    char *pool = strstr(e->config, "\"backends\":");

    assert_non_null(pool);
    pool[strlen("\"backends\":")] = (char)('0' + n_backends);
    assert_int_equal(test_edge_reopen(e), 0);
}

static void given_a_full_pool(struct test_edge *e)
{
    char ids[2][16];

    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", &closes_idle), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", &closes_idle), ids[1]));
    assert_true(given_routes(e, "e", 1, ids[0]));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
}

/* A proxy that is slow to begin is waited for, as the engine would. */
static void expect_verdict(struct test_edge *e, const char *owner, enum rv_verdict verdict)
{
    int64_t until_ms = sys_mono_ms() + 3 * PATIENCE_MS;

    while (test_edge_apply(e, RV_CREATE, "backend", "n", owner, "{\"servers\":[]}") != verdict)
        if (e->ret.verdict != RV_WAIT || sys_mono_ms() > until_ms)
            fail_msg("backend %s: %.*s", owner, (int)e->ret.message.n, e->ret.message.p);
}

static void expect_a_pool_of(struct test_edge *e, int n_backends, int n_used)
{
    char owner[16], message[32];

    for (int i = n_used; i < n_backends; i++) {
        (void)snprintf(owner, sizeof(owner), "rv1n%d", i); /* fits */
        expect_verdict(e, owner, RV_DONE);
    }
    expect_verdict(e, "rv1no", RV_USER);
    (void)snprintf(message, sizeof(message), "all %d backends", n_backends); /* fits */
    if (!test_rv_has(e->ret.message, message))
        assert_string_equal(e->ret.message.p, message);
}

static void without_them(struct test_edge *e, int n_backends, int n_used)
{
    char owner[16];

    for (int i = n_used; i < n_backends; i++) {
        (void)snprintf(owner, sizeof(owner), "rv1n%d", i); /* fits */
        assert_true(test_edge_must(e, RV_DELETE, "backend", "n", owner, ""));
    }
}

static void expect_nobody_leaves(struct test_edge *e)
{
    for (int64_t until_ms = sys_mono_ms() + 90000; keeper_number(e, "leaving"); pause_ms(20))
        assert_true(sys_mono_ms() < until_ms);
}

static void test_another_pool_under_load_loses_nothing(void **state)
{
    struct test_edge *e = *state;
    AUTO_ARENA struct arena a;
    const struct value *counts;
    struct load load;
    pid_t proxy;

    arena_init(&a, 0);
    given_a_full_pool(e);
    expect_a_pool_of(e, N_OLD, N_OLD);
    given_load(e, "e.test", "30", &load);
    for (int round = 0; round < 3; round++) {
        proxy = test_edge_proxy(e);
        pause_ms(500);
        given_a_pool_of(e, N_NEW);
        expect_a_pool_of(e, N_NEW, N_OLD);
        assert_int_not_equal(test_edge_proxy(e), proxy);
        without_them(e, N_NEW, N_OLD);
        expect_nobody_leaves(e);
        given_a_pool_of(e, N_OLD);
        expect_a_pool_of(e, N_OLD, N_OLD);
        expect_nobody_leaves(e);
    }
    counts = when_load_ends(&load, &a);
    expect_nothing_lost(counts);
}

static void test_the_same_pool_is_left_alone(void **state)
{
    struct test_edge *e = *state;
    pid_t proxy;

    given_a_full_pool(e);
    proxy = test_edge_proxy(e);
    given_a_pool_of(e, N_OLD);
    assert_int_equal(test_edge_find(e, "backend", "rv1a"), RV_DONE);
    assert_int_equal(test_edge_proxy(e), proxy);
}

static pid_t given_a_request(struct test_edge *e, const char *target)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        struct test_edge_answer a;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        test_edge_get(e->http, "e.test", target, &a);
        _exit(a.status == 200 ? 0 : 1);
    }
    return pid;
}

static void expect_an_answer(pid_t request)
{
    int status = -1;

    assert_int_equal(waitpid(request, &status, 0), request);
    assert_int_equal(status, 0);
}

static int64_t when_counted(struct test_edge *e, const char *owner, const char *name)
{
    const char *at;

    assert_int_equal(test_edge_counters(e, owner), RV_DONE);
    at = strstr(e->ret.observed.p, name);
    assert_non_null(at);
    return atoll(at + strlen(name));
}

static pid_t given_a_slow_request(struct test_edge *e, const char *target)
{
    pid_t pid = given_a_request(e, target);

    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS; !when_counted(e, "rv1a", "\"current\":");
         pause_ms(5))
        assert_true(sys_mono_ms() < until_ms);
    return pid;
}

/* A set is in use as long as the old proxy may have requests, and no number from before compares. */
static void test_the_requests_of_the_old_proxy_count(void **state)
{
    struct test_edge *e = *state;
    int64_t since;
    pid_t request;

    given_a_full_pool(e);
    since = when_counted(e, "rv1b", "\"since\":");
    assert_int_equal(when_counted(e, "rv1b", "\"current\":"), 0);
    request = given_a_slow_request(e, "/slow?ms=6000"); /* a proxy may be slow to begin */
    given_a_pool_of(e, N_NEW);
    assert_int_equal(test_edge_find(e, "backend", "rv1a"), RV_DONE);
    assert_true(keeper_number(e, "leaving") > 1);
    assert_int_equal(when_counted(e, "rv1b", "\"current\":"), 1);
    assert_int_not_equal(when_counted(e, "rv1b", "\"since\":"), since);
    expect_an_answer(request);
    expect_nobody_leaves(e);
    assert_int_equal(when_counted(e, "rv1b", "\"current\":"), 0);
}

/* The address that it shall have is somebody else's: the old one serves on, and says why. */
static void test_one_that_cannot_start_changes_nothing(void **state)
{
    struct test_edge *e = *state;
    char http[32], *at;
    uint16_t taken_port = 0;
    int taken = tiny_http_listen(0, &taken_port);
    pid_t proxy;

    given_a_full_pool(e);
    proxy = test_edge_proxy(e);
    (void)snprintf(http, sizeof(http), "127.0.0.1:%u", e->http); /* fits */
    at = strstr(e->config, http);
    assert_non_null(at);
    (void)snprintf(http, sizeof(http), "127.0.0.1:%u", taken_port); /* fits */
    memcpy(at, http, strlen(http));
    assert_int_equal(test_edge_reopen(e), 0);
    assert_int_equal(test_edge_find(e, "backend", "rv1a"), RV_DONE);
    assert_int_equal(test_edge_proxy(e), proxy);
    expect_version(e, "e.test", "v0");
    assert_int_equal(keeper_number(e, "taking"), 0);
    assert_int_equal(keeper_number(e, "leaving"), 0);
    expect_a_pool_of(e, N_OLD, N_OLD);
    (void)close(taken); /* free again */
}

/* --- kill -9 in the middle --- */

struct death_row {
    const char *sentence;
    const char *when; /* the number of the keeper's state that tells the moment */
    const char *who;  /* the number of its state that dies; NULL: who replaces the proxy */
    int is_answered;  /* the request that the old proxy has */
};

/* clang-format off */
static const struct death_row death_rows[] = {
    { "who replaces it dies before the new one serves",  "taking",  NULL,      1 },
    { "who replaces it dies while the old one leaves",   "leaving", NULL,      1 },
    { "the new one dies before it serves",               "taking",  "taking",  1 },
    { "the new one dies while the old one leaves",       "leaving", "pid",     1 },
    { "the old one dies before the new one serves",      "taking",  "pid",     0 },
    { "the old one dies while it leaves",                "leaving", "leaving", 0 },
    { "the keeper dies before the new one serves",       "taking",  "keeper",  0 },
    { "the keeper dies while the old one leaves",        "leaving", "keeper",  0 },
};
/* clang-format on */

struct death {
    pid_t former, request, caller, keeper;
};

static int is_running(pid_t pid)
{
    siginfo_t info = { 0 };

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == 0;
}

/* The moment lasts while the keeper is stopped. 0: it went by before anybody saw it. */
static int given_a_stopped_keeper(struct test_edge *e, const char *when, const struct death *d)
{
    int is_over;

    do {
        is_over = !is_running(d->caller);
        if (!keeper_number(e, when))
            continue;
        assert_int_equal(kill(d->keeper, SIGSTOP), 0);
        if (keeper_number(e, when) && is_running(d->request))
            return 1;
        assert_int_equal(kill(d->keeper, SIGCONT), 0);
        is_over = 1;
    } while (!is_over);
    return 0;
}

static int saw_the_moment(struct test_edge *e, const char *when, struct death *d)
{
    assert_int_equal(test_edge_init(e, N_OLD, 2), 0);
    given_a_full_pool(e);
    d->former = test_edge_proxy(e);
    d->keeper = keeper_of(e);
    d->request = given_a_slow_request(e, "/slow?ms=6000"); /* a proxy may be slow to begin */
    given_a_pool_of(e, N_NEW);
    d->caller = fork();
    assert_true(d->caller >= 0);
    if (!d->caller) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        _exit(test_edge_find(e, "backend", "rv1a") == RV_DONE);
    }
    if (given_a_stopped_keeper(e, when, d))
        return 1;
    assert_int_equal(waitpid(d->caller, NULL, 0), d->caller);
    assert_int_equal(waitpid(d->request, NULL, 0), d->request);
    expect_nobody_leaves(e);
    test_edge_fini(e);
    return 0;
}

static void given_the_moment(struct test_edge *e, const char *when, struct death *ret)
{
    for (int64_t until_ms = sys_mono_ms() + 3 * PATIENCE_MS; !saw_the_moment(e, when, ret);)
        assert_true(sys_mono_ms() < until_ms);
}

/* Who serves is not known then: neither proxy is told anything until it is. */
static void test_a_keeper_that_hangs_meanwhile_is_waited_for(void **state)
{
    struct test_edge edge, *e = &edge;
    struct death d;
    int status = 0;

    (void)state;
    given_the_moment(e, "taking", &d);
    assert_int_equal(waitpid(d.caller, &status, 0), d.caller);
    assert_int_equal(status, 0); /* not done */
    assert_int_equal(kill(d.keeper, SIGCONT), 0);
    expect_a_pool_of(e, N_NEW, N_OLD);
    expect_version(e, "e.test", "v0");
    expect_an_answer(d.request);
    expect_nobody_leaves(e);
    test_edge_fini(e);
}

static void expect_gone(pid_t pid)
{
    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS; pid > 1 && !kill(pid, 0); pause_ms(5))
        assert_true(sys_mono_ms() < until_ms);
}

static void test_death(void **state)
{
    const struct death_row *row = *state;
    struct test_edge edge, *e = &edge;
    struct death d;
    pid_t other;
    int status;

    given_the_moment(e, row->when, &d);
    other = keeper_number(e, strcmp(row->when, "taking") == 0 ? "taking" : "pid");
    assert_int_equal(kill(row->who ? keeper_number(e, row->who) : d.caller, SIGKILL), 0);
    (void)kill(d.keeper, SIGCONT); /* or it is the one that died */
    assert_int_equal(waitpid(d.caller, NULL, 0), d.caller);

    assert_int_equal(test_edge_reopen(e), 0);
    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS; test_edge_health(e) != RV_DONE;)
        assert_true(sys_mono_ms() < until_ms);
    expect_version(e, "e.test", "v0");
    assert_int_equal(waitpid(d.request, &status, 0), d.request);
    assert_int_equal(status == 0, row->is_answered);
    for (int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
         test_edge_find(e, "backend", "rv1a") != RV_DONE;)
        assert_true(sys_mono_ms() < until_ms);
    expect_nobody_leaves(e);
    expect_a_pool_of(e, N_NEW, N_OLD);
    expect_version(e, "e.test", "v0");

    expect_gone(d.former);
    if (other != test_edge_proxy(e))
        expect_gone(other);
    test_edge_fini(e);
}

#define SMALL_EDGE_TEST(f) cmocka_unit_test_setup_teardown(f, given_a_small_edge, given_edge_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_EDGE_TEST(test_another_pool_under_load_loses_nothing),
        SMALL_EDGE_TEST(test_the_same_pool_is_left_alone),
        SMALL_EDGE_TEST(test_the_requests_of_the_old_proxy_count),
        SMALL_EDGE_TEST(test_one_that_cannot_start_changes_nothing),
        cmocka_unit_test(test_a_keeper_that_hangs_meanwhile_is_waited_for),
    };
    struct CMUnitTest deaths[N_ELEMENTS(death_rows)];
    int n_failed = cmocka_run_group_tests_name("haproxy replace", tests, NULL, NULL);

    for (size_t i = 0; i < N_ELEMENTS(death_rows); i++)
        deaths[i] = (struct CMUnitTest){ .name = death_rows[i].sentence,
                                         .test_func = test_death,
                                         .initial_state = (void *)(uintptr_t)&death_rows[i] };
    return n_failed + cmocka_run_group_tests_name("haproxy replace deaths", deaths, NULL, NULL);
}
