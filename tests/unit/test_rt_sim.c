/* rt: simulated histories are repeatable, and a crash leaves nothing running. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#define N_WALKERS 30

/* Tasks that hop between pools and clocks; every move is noted, so that the log is the history. */
struct history {
    struct loop *loop;
    char log[8192];
    int n_ended, crash_at, n_works;
};

struct walker {
    struct task task;
    struct history *history;
    int number, n_steps;
};

enum { WALKER_HOP, WALKER_END };

/* clang-format off */
static const struct task_state walker_states[] = {
    [WALKER_HOP] = { "HOP", TO2(WALKER_HOP, WALKER_END), WALKER_END, 0 },
    [WALKER_END] = { "END", TO(WALKER_END), NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static int walker_work(struct task *t, struct err *err)
{
    struct walker *w = container_of(t, struct walker, task);
    struct history *h = w->history;

    (void)err;
    if (++h->n_works == h->crash_at)
        loop_sim_crash(h->loop);
    return 0;
}

static enum task_verdict walker_step(struct task *t)
{
    struct walker *w = container_of(t, struct walker, task);
    struct history *h = w->history;
    size_t n = strlen(h->log);

    (void)snprintf(h->log + n, sizeof(h->log) - n, "%d@%lld ", w->number,
                   (long long)loop_mono_ms(t->loop));
    if (t->state == WALKER_END)
        return task_done(t);
    wait_work_start(t, w->n_steps % 2 ? POOL_STATE : POOL_DRIVER, walker_work);
    return task_then(t, ++w->n_steps < 6 ? WALKER_HOP : WALKER_END);
}

static void walker_ended(struct task *t, void *ctx)
{
    (void)t;
    ((struct history *)ctx)->n_ended++;
}

static void given_walkers(struct history *h, struct walker *walkers)
{
    for (int i = 0; i < N_WALKERS; i++) {
        walkers[i] = (struct walker){ .history = h, .number = i };
        task_start(&walkers[i].task, h->loop, "walker", walker_states, 2, WALKER_HOP, walker_step,
                   walker_ended, h);
    }
}

static void given_history(struct history *h, uint64_t seed)
{
    struct loop_sim_options options = { .seed = seed, .work_ms_max = 20 };

    *h = (struct history){ .loop = loop_sim_new(&options) };
    assert_non_null(h->loop);
}

static void run_history(struct history *h, uint64_t seed)
{
    struct walker walkers[N_WALKERS];

    given_history(h, seed);
    given_walkers(h, walkers);
    assert_int_equal(loop_sim_run(h->loop, INT64_MAX), 0);
    assert_int_equal(h->n_ended, N_WALKERS);
    loop_free(h->loop);
}

static void test_the_same_seed_gives_the_same_order(void **state)
{
    static struct history a, b, c;

    (void)state;
    run_history(&a, 1);
    run_history(&b, 1);
    run_history(&c, 2);
    assert_true(strlen(a.log) > 1000);
    assert_string_equal(a.log, b.log);
    assert_string_not_equal(a.log, c.log);
}

static void test_a_crash_inside_work_drops_every_task(void **state)
{
    static struct history h;

    (void)state;
    for (int at = 1; at <= 6 * N_WALKERS; at += 13) {
        struct walker walkers[N_WALKERS];
        int n_ended, n_works;

        given_history(&h, (uint64_t)at);
        h.crash_at = at;
        given_walkers(&h, walkers);
        assert_int_equal(loop_sim_run(h.loop, INT64_MAX), 1);
        n_ended = h.n_ended;
        n_works = h.n_works;
        assert_int_equal(n_works, at);
        assert_true(n_ended < N_WALKERS);
        assert_int_equal(loop_sim_run(h.loop, INT64_MAX), 0); /* nothing is left to do */
        assert_int_equal(h.n_ended, n_ended);
        assert_int_equal(h.n_works, n_works);

        h.crash_at = 0; /* the caller builds anew on the same clock */
        h.n_ended = 0;
        given_walkers(&h, walkers);
        assert_int_equal(loop_sim_run(h.loop, INT64_MAX), 0);
        assert_int_equal(h.n_ended, N_WALKERS);
        loop_free(h.loop);
    }
}

/* --- a crash in a hook, in a post, and with timers that their owner frees later */

static int exec_that_crashes(void *ctx, const struct exec_request *in, struct arena *a,
                             struct exec_result *ret, int64_t *ret_delay_ms)
{
    (void)in;
    (void)a;
    (void)ret;
    (void)ret_delay_ms;
    loop_sim_crash(*(struct loop **)ctx);
}

static void wait_crashing_exec(struct probe *p)
{
    static const char *const argv[] = { "/bin/true", NULL };
    static const struct exec_request in = { .argv = argv };
    static struct exec_result result;

    wait_exec_start(&p->task, &in, &p->fixture->arena, &result);
}

static void never(void *ctx)
{
    (void)ctx;
    fail_msg("it was dropped");
}

static void test_a_crash_forgets_timers_and_posts(void **state)
{
    static struct loop *loop;
    struct loop_sim_options options = { .seed = 3, .exec = exec_that_crashes, .ctx = &loop };
    struct fixture f = { 0 };
    struct probe p = { .ctx = NULL };
    struct loop_timer *timer;

    (void)state;
    arena_init(&f.arena, 0);
    f.loop = loop = loop_sim_new(&options);
    timer = loop_timer_new(loop, never, NULL);
    loop_timer_set(timer, loop_mono_ms(loop) + 50);
    given_probe(&p, &f, wait_crashing_exec);
    assert_int_equal(loop_sim_run(loop, INT64_MAX), 1);
    assert_int_equal(p.n_ended, 0);
    assert_false(p.task.running);
    task_cancel(&p.task, ERR_CANCELLED); /* as on an ended one */
    assert_int_equal(loop_sim_run(loop, INT64_MAX), 0);
    loop_timer_free(timer);
    loop_free(loop);
    arena_fini(&f.arena);
}

/* --- clocks and answers */

static void test_the_wall_clock_steps_alone(void **state)
{
    struct loop_sim_options options = { .seed = 1, .wall_ms = 1700000000000 };
    struct loop *loop = loop_sim_new(&options);
    int64_t mono_ms = loop_mono_ms(loop), boot_ms = loop_boot_ms(loop);

    (void)state;
    assert_int_equal(loop_wall_ms(loop), 1700000000000);
    loop_sim_step_wall(loop, -3600000);
    assert_int_equal(loop_wall_ms(loop), 1700000000000 - 3600000);
    assert_int_equal(loop_mono_ms(loop), mono_ms);
    assert_int_equal(loop_boot_ms(loop), boot_ms);
    loop_free(loop);
}

static int exec_says_hello(void *ctx, const struct exec_request *in, struct arena *a,
                           struct exec_result *ret, int64_t *ret_delay_ms)
{
    *ret_delay_ms = *(int64_t *)ctx;
    ret->out = str_fmt(a, "hello from %s", in->argv[0]);
    return 0;
}

static struct exec_result hello_result;

static void wait_hello(struct probe *p)
{
    static const char *const argv[] = { "/bin/hello", NULL };
    static const struct exec_request in = { .argv = argv, .timeout_ms = 1000 };

    wait_exec_start(&p->task, &in, &p->fixture->arena, &hello_result);
}

static void test_hooks_answer_after_their_delay(void **state)
{
    static const struct {
        const char *name, *trace;
        int64_t delay_ms, took_ms;
        int rc;
    } rows[] = {
        { "at once", "WAIT AFTER ", 0, 0, 0 },
        { "later", "WAIT AFTER ", 999, 999, 0 },
        { "too late", "WAIT FAILED ", 5000, 1000, ERR_TIMEOUT },
    };

    (void)state;
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        int64_t delay_ms = rows[r].delay_ms, began_ms;
        struct loop_sim_options options = { .exec = exec_says_hello, .ctx = &delay_ms };
        struct fixture f = { .loop = loop_sim_new(&options) };
        struct probe p = { .ctx = NULL };

        arena_init(&f.arena, 0);
        began_ms = loop_mono_ms(f.loop);
        given_probe(&p, &f, wait_hello);
        loop_run(f.loop);
        expect_end(&p, rows[r].trace, rows[r].rc);
        assert_int_equal(loop_mono_ms(f.loop) - began_ms, rows[r].took_ms);
        assert_string_equal(str_to_c(&f.arena, hello_result.out), "hello from /bin/hello");
        assert_int_equal(hello_result.timed_out, rows[r].rc == ERR_TIMEOUT);
        loop_free(f.loop);
        arena_fini(&f.arena);
    }
}

static void wait_an_hour(struct probe *p)
{
    wait_until_start(&p->task, loop_mono_ms(p->fixture->loop) + 3600000);
}

static void test_a_run_stops_at_its_time_and_goes_on(void **state)
{
    struct fixture f;
    struct probe p = { .ctx = NULL };
    int64_t began_ms;

    (void)state;
    given_simulated_loop(&f, NULL);
    began_ms = loop_mono_ms(f.loop);
    given_probe(&p, &f, wait_an_hour);
    assert_int_equal(loop_sim_run(f.loop, began_ms + 1000), 0);
    assert_int_equal(loop_mono_ms(f.loop), began_ms + 1000);
    assert_int_equal(p.n_ended, 0);
    assert_int_equal(loop_sim_run(f.loop, INT64_MAX), 0);
    assert_int_equal(loop_mono_ms(f.loop), began_ms + 3600000);
    expect_end(&p, "WAIT AFTER ", 0);
    fixture_fini(&f);
}

static int work_sleeps(struct task *t, struct err *err)
{
    int64_t before_ms = loop_mono_ms(t->loop);

    (void)err;
    wait_sleep_call(t->loop, 250);
    assert_int_equal(loop_mono_ms(t->loop), before_ms + 250);
    return 0;
}

static void wait_sleeping_work(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_sleeps);
}

static void test_work_that_sleeps_takes_virtual_time(void **state)
{
    struct fixture f;
    struct probe p = { .ctx = NULL };
    int64_t began_ms;

    (void)state;
    given_simulated_loop(&f, NULL);
    began_ms = loop_mono_ms(f.loop);
    given_probe(&p, &f, wait_sleeping_work);
    loop_run(f.loop);
    assert_in_range(loop_mono_ms(f.loop) - began_ms, 250, 260);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_seed_gives_the_same_order),
        cmocka_unit_test(test_a_crash_inside_work_drops_every_task),
        cmocka_unit_test(test_a_crash_forgets_timers_and_posts),
        cmocka_unit_test(test_the_wall_clock_steps_alone),
        cmocka_unit_test(test_hooks_answer_after_their_delay),
        cmocka_unit_test(test_a_run_stops_at_its_time_and_goes_on),
        cmocka_unit_test(test_work_that_sleeps_takes_virtual_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
