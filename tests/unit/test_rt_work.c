/* rt: work on the pools, and STATE jobs that share a batch. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define N_JOBS 100

/* What the STATE thread did. */
struct batches {
    atomic_int n_queued; /* begin waits for all, so that the first group is not alone */
    int n_wanted;
    int n_begun, n_committed, n_jobs, open, largest, n_in_group;
    int begin_rc, commit_rc;
};

static int batches_begin(void *ctx, struct err *err)
{
    struct batches *b = ctx;

    for (int i = 0; i < 1000 && b->n_queued < b->n_wanted; i++)
        (void)usleep(1000);
    assert_false(b->open);
    if (b->begin_rc)
        return err_set(err, b->begin_rc, "begin says no");
    b->open = 1;
    b->n_begun++;
    b->n_in_group = 0;
    return 0;
}

static int batches_commit(void *ctx, struct err *err)
{
    struct batches *b = ctx;

    assert_true(b->open);
    b->open = 0;
    b->n_committed++;
    if (b->n_in_group > b->largest)
        b->largest = b->n_in_group;
    return b->commit_rc ? err_set(err, b->commit_rc, "commit says no") : 0;
}

static int job_in_batch(struct task *t, struct err *err)
{
    struct batches *b = container_of(t, struct probe, task)->ctx;

    assert_true(b->open);
    b->n_in_group++;
    if (b->n_jobs++ == 3)
        return err_set(err, ERR_REFUSED, "this job says no");
    return 0;
}

static void wait_state(struct probe *p)
{
    struct batches *b = p->ctx;

    wait_work_start(&p->task, POOL_STATE, job_in_batch);
    b->n_queued++;
}

static struct loop_batch given_batch(struct batches *b)
{
    b->n_wanted = N_JOBS; /* simulated, all are queued before the first group begins */
    return (struct loop_batch){ batches_begin, batches_commit, b };
}

static void run_jobs(struct probe *probes, struct fixture *f, struct batches *b)
{
    for (size_t k = 0; k < N_JOBS; k++) {
        probes[k].ctx = b;
        given_probe(&probes[k], f, wait_state);
    }
    loop_run(f->loop);
}

static void test_state_jobs_share_a_begin_and_a_commit(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct batches b = { 0 };
        struct loop_batch batch = given_batch(&b);
        static struct probe probes[N_JOBS];
        int n_refused = 0;

        both_loops[i](&f, &batch);
        run_jobs(probes, &f, &b);
        for (size_t k = 0; k < N_JOBS; k++) {
            n_refused += probes[k].task.rc == ERR_REFUSED;
            assert_int_equal(probes[k].n_ended, 1);
        }
        assert_int_equal(n_refused, 1); /* its own failure is its own */
        assert_int_equal(b.n_jobs, N_JOBS);
        assert_int_equal(b.n_begun, b.n_committed);
        assert_true(b.n_begun <= 3); /* one alone, one full, the rest */
        assert_true(b.largest <= LOOP_BATCH_MAX);
        fixture_fini(&f);
    }
}

static void test_a_batch_that_fails_fails_all_its_jobs(void **state)
{
    static const struct {
        const char *name, *text;
        int begin_rc, commit_rc, n_jobs;
    } rows[] = {
        { "begin fails: nothing runs", "begin says no", ERR_LOCKED, 0, 0 },
        { "commit fails: all ran", "commit says no", 0, ERR_FULL, N_JOBS },
    };

    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        struct fixture f;
        struct batches b = { .begin_rc = rows[r].begin_rc, .commit_rc = rows[r].commit_rc };
        struct loop_batch batch = given_batch(&b);
        static struct probe probes[N_JOBS];

        both_loops[i](&f, &batch);
        run_jobs(probes, &f, &b);
        for (size_t k = 0; k < N_JOBS; k++) {
            expect_end(&probes[k], "WAIT FAILED ", rows[r].begin_rc + rows[r].commit_rc);
            assert_string_equal(probes[k].task.err.text, rows[r].text);
        }
        assert_int_equal(b.n_jobs, rows[r].n_jobs);
        fixture_fini(&f);
    }
}

/* --- calls from inside work */

static int call_in_batch(void *ctx, struct err *err)
{
    struct batches *b = ctx;

    assert_true(b->open);
    b->n_jobs++;
    return err_set(err, ERR_CONFLICT, "seen on the state thread");
}

static int work_that_calls(struct task *t, struct err *err)
{
    struct probe *p = container_of(t, struct probe, task);

    return wait_work_call(t->loop, POOL_STATE, call_in_batch, p->ctx, err);
}

static void wait_calling_work(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_that_calls);
}

static void test_work_may_call_on_the_state_thread_in_its_middle(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct batches b = { 0 };
        struct loop_batch batch = { batches_begin, batches_commit, &b };
        struct probe p = { .ctx = &b };

        both_loops[i](&f, &batch);
        given_probe(&p, &f, wait_calling_work);
        loop_run(f.loop);
        expect_end(&p, "WAIT FAILED ", ERR_CONFLICT);
        assert_string_equal(p.task.err.text, "seen on the state thread");
        assert_int_equal(b.n_committed, 1);
        fixture_fini(&f);
    }
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void test_a_call_is_answered_while_the_loop_is_freed(void **state)
{
    struct fixture f;
    struct batches b = { 0 };
    struct loop_batch batch = { batches_begin, batches_commit, &b };
    struct probe p = { .ctx = &b };

    (void)state;
    given_real_loop(&f, &batch);
    given_probe(&p, &f, wait_calling_work);
    f.n_running = 0;
    loop_post(f.loop, stop_loop, f.loop);
    loop_run(f.loop);
    fixture_fini(&f);
    assert_int_equal(p.n_ended, 0);
    assert_true(b.n_jobs <= 1);
    assert_int_equal(b.n_begun, b.n_committed);
}

/* --- queues */

static int work_blocks(struct task *t, struct err *err)
{
    (void)err;
    for (int i = 0; i < 5000 && !t->cancelled; i++)
        wait_sleep_call(t->loop, 1);
    return 0;
}

static int work_never_runs(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    fail_msg("cancelled work ran");
    return 0;
}

static void wait_file_blocks(struct probe *p)
{
    wait_work_start(&p->task, POOL_FILE, work_blocks);
}

static void wait_file_never(struct probe *p)
{
    wait_work_start(&p->task, POOL_FILE, work_never_runs);
}

static void cancel_all(void *ctx)
{
    struct probe *probes = ctx;

    for (int k = 3; k >= 0; k--)
        task_cancel(&probes[k].task, ERR_CANCELLED);
}

static void test_queued_work_that_is_cancelled_never_runs(void **state)
{
    struct fixture f;
    struct probe probes[4];
    struct loop_timer *timer;

    (void)state;
    given_real_loop(&f, NULL); /* two threads */
    for (int k = 0; k < 4; k++)
        given_probe(&probes[k], &f, k < 2 ? wait_file_blocks : wait_file_never);
    timer = loop_timer_new(f.loop, cancel_all, probes);
    loop_timer_set(timer, loop_mono_ms(f.loop) + 30);
    loop_run(f.loop);
    for (int k = 0; k < 4; k++)
        expect_end(&probes[k], "WAIT FAILED ", ERR_CANCELLED);
    loop_timer_free(timer);
    fixture_fini(&f);
}

static int work_is_quick(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    return 0;
}

static void wait_on_revert(struct probe *p)
{
    wait_work_start(&p->task, POOL_REVERT, work_is_quick);
}

static void wait_on_driver_blocks(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_blocks);
}

static void stop_blocking(struct task *t, void *ctx)
{
    struct probe *probes = ctx;

    (void)t;
    for (int k = 0; k < 8; k++)
        task_cancel(&probes[k].task, ERR_CANCELLED);
}

static void test_reverts_do_not_wait_for_drivers(void **state)
{
    struct fixture f;
    struct probe busy[8], revert;

    (void)state;
    given_real_loop(&f, NULL); /* four driver threads */
    for (int k = 0; k < 8; k++)
        given_probe(&busy[k], &f, wait_on_driver_blocks);
    revert = (struct probe){ .fixture = &f, .start = wait_on_revert };
    task_start(&revert.task, f.loop, "revert", probe_states, 3, PROBE_WAIT, probe_step,
               stop_blocking, busy);
    loop_run(f.loop);
    assert_string_equal(revert.trace, "WAIT AFTER ");
    for (int k = 0; k < 8; k++)
        expect_end(&busy[k], "WAIT FAILED ", ERR_CANCELLED);
    fixture_fini(&f);
}

/* --- what reaches the loop from outside */

struct posts {
    struct fixture *f;
    atomic_int n;
};

static void count_post(void *ctx)
{
    struct posts *posts = ctx;

    if (++posts->n == 4000)
        loop_stop(posts->f->loop);
}

static void *post_many(void *ctx)
{
    struct posts *posts = ctx;

    for (int i = 0; i < 1000; i++)
        loop_post(posts->f->loop, count_post, posts);
    return NULL;
}

static void test_posts_of_many_threads_all_arrive(void **state)
{
    struct fixture f;
    struct posts posts = { .f = &f };
    pthread_t threads[4];

    (void)state;
    given_real_loop(&f, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posts), 0);
    loop_run(f.loop);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(posts.n, 4000);
    fixture_fini(&f);
}

static void stop_the_loop(void *ctx)
{
    struct probe *p = ctx;

    probe_note(p, "!");
    loop_stop(p->fixture->loop);
}

static void test_a_watched_descriptor_and_a_signal_are_told(void **state)
{
    struct fixture f;
    struct probe p = { .fixture = &f };
    struct loop_watch *watch;
    struct err err = ERR_INIT;
    int fds[2];

    (void)state;
    given_real_loop(&f, NULL);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(loop_watch_fd(f.loop, fds[0], stop_the_loop, &p, &watch, &err), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run(f.loop);
    assert_string_equal(p.trace, "!");
    loop_unwatch(watch);
    assert_int_equal(loop_on_signal(f.loop, SIGUSR1, stop_the_loop, &p, &err), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    loop_run(f.loop);
    assert_string_equal(p.trace, "!!");
    assert_int_equal(kill(getpid(), SIGPIPE), 0); /* ignored */
    (void)close(fds[0]);
    (void)close(fds[1]);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_jobs_share_a_begin_and_a_commit),
        cmocka_unit_test(test_a_batch_that_fails_fails_all_its_jobs),
        cmocka_unit_test(test_work_may_call_on_the_state_thread_in_its_middle),
        cmocka_unit_test(test_a_call_is_answered_while_the_loop_is_freed),
        cmocka_unit_test(test_queued_work_that_is_cancelled_never_runs),
        cmocka_unit_test(test_reverts_do_not_wait_for_drivers),
        cmocka_unit_test(test_posts_of_many_threads_all_arrive),
        cmocka_unit_test(test_a_watched_descriptor_and_a_signal_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
