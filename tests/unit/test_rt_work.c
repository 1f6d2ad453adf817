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

#define N_MEETING 4 /* as many as there are driver threads */

struct meeting {
    atomic_int n_there, n_missed; /* who came, and who met not all */
};

static int work_that_meets(struct task *t, struct err *err)
{
    struct meeting *m = container_of(t, struct probe, task)->ctx;

    (void)err;
    m->n_there++;
    for (int i = 0; i < 20000 && m->n_there < N_MEETING; i++)
        wait_sleep_call(t->loop, 1);
    m->n_missed += m->n_there < N_MEETING;
    return 0;
}

static void wait_meeting(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_that_meets);
}

/* The threads sleep again between the rounds. */
static void test_jobs_that_wait_for_each_other_all_have_a_thread(void **state)
{
    struct fixture f;

    (void)state;
    given_real_loop(&f, NULL);
    for (int round = 0; round < 50; round++) {
        struct probe probes[N_MEETING];
        struct meeting m = { 0 };

        for (int k = 0; k < N_MEETING; k++) {
            probes[k].ctx = &m;
            given_probe(&probes[k], &f, wait_meeting);
        }
        loop_run(f.loop);
        assert_int_equal(m.n_there, N_MEETING);
        assert_int_equal(m.n_missed, 0);
    }
    fixture_fini(&f);
}

/* --- shares */

#define N_SHARERS 12

/* One share's jobs run until all of another one have. */
struct sharing {
    struct wait_share stuck, other;
    atomic_int n_stuck, most;       /* of the stuck ones, at once */
    atomic_int n_others;            /* that have run */
    int max;                        /* of one share at once */
    struct probe *order[N_SHARERS]; /* in which they ran */
    int n_order;
    struct task *cancelled;
    atomic_int is_cancelled;
};

static int work_is_stuck(struct task *t, struct err *err)
{
    struct sharing *s = container_of(t, struct probe, task)->ctx;
    int n = ++s->n_stuck;

    (void)err;
    if (n > s->most)
        s->most = n;
    for (int i = 0; i < 20000 && s->n_others < N_SHARERS && !t->cancelled; i++)
        wait_sleep_call(t->loop, 1);
    s->n_stuck--;
    return 0;
}

static int work_overtakes(struct task *t, struct err *err)
{
    struct sharing *s = container_of(t, struct probe, task)->ctx;

    (void)err;
    s->n_others++;
    return 0;
}

static void wait_in_stuck_share(struct probe *p)
{
    wait_work_share_start(&p->task, POOL_DRIVER, &((struct sharing *)p->ctx)->stuck, work_is_stuck);
}

static void wait_in_other_share(struct probe *p)
{
    wait_work_share_start(&p->task, POOL_DRIVER, &((struct sharing *)p->ctx)->other,
                          work_overtakes);
}

/* One thread of four: nobody else would run if the stuck ones took more. */
static void test_a_share_holds_a_quarter_of_the_threads(void **state)
{
    struct fixture f;
    struct sharing s = { 0 };
    struct probe stuck[N_SHARERS], others[N_SHARERS];

    (void)state;
    given_real_loop(&f, NULL);
    for (int k = 0; k < N_SHARERS; k++) {
        stuck[k].ctx = &s;
        given_probe(&stuck[k], &f, wait_in_stuck_share);
    }
    for (int k = 0; k < N_SHARERS; k++) {
        others[k].ctx = &s;
        given_probe(&others[k], &f, wait_in_other_share);
    }
    loop_run(f.loop);
    for (int k = 0; k < N_SHARERS; k++) {
        expect_end(&stuck[k], "WAIT AFTER ", 0);
        expect_end(&others[k], "WAIT AFTER ", 0);
    }
    assert_int_equal(s.most, 1);
    assert_int_equal(s.stuck.n_admitted + s.other.n_admitted, 0);
    fixture_fini(&f);
}

/* Their order, on both loops; the first one that runs has one of those that wait cancelled. */
static void cancel_a_sharer(void *ctx)
{
    struct sharing *s = ctx;

    task_cancel(s->cancelled, ERR_CANCELLED);
    s->is_cancelled = 1;
}

static int work_in_order(struct task *t, struct err *err)
{
    struct probe *p = container_of(t, struct probe, task);
    struct sharing *s = p->ctx;

    (void)err;
    s->order[s->n_order++] = p;
    if (s->n_order == 1)
        loop_post(t->loop, cancel_a_sharer, s);
    for (int i = 0; s->max == 1 && i < 20000 && !s->is_cancelled; i++)
        wait_sleep_call(t->loop, 1);
    if (s->max > 1) /* those that began and have not ended; one was cancelled */
        assert_in_range(s->n_order - (N_SHARERS - p->fixture->n_running - s->is_cancelled), 1,
                        s->max);
    return 0;
}

static void wait_in_order(struct probe *p)
{
    wait_work_share_start(&p->task, POOL_DRIVER, &((struct sharing *)p->ctx)->stuck, work_in_order);
}

static void test_a_share_keeps_its_order(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct probe probes[N_SHARERS];
        struct sharing s = { .max = i ? LOOP_DRIVER_THREADS / 4 : 1,
                             .cancelled = &probes[N_SHARERS - 2].task };

        both_loops[i](&f, NULL);
        for (int k = 0; k < N_SHARERS; k++) {
            probes[k].ctx = &s;
            given_probe(&probes[k], &f, wait_in_order);
        }
        loop_run(f.loop);
        expect_end(&probes[N_SHARERS - 2], "WAIT FAILED ", ERR_CANCELLED);
        assert_int_equal(s.n_order, N_SHARERS - 1);
        for (int k = 0; k < s.n_order; k++) /* simulated, eight begin at once in any order */
            assert_true(i || s.order[k] == &probes[k < N_SHARERS - 2 ? k : N_SHARERS - 1]);
        assert_int_equal(s.stuck.n_admitted, 0);
        fixture_fini(&f);
    }
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
        cmocka_unit_test(test_jobs_that_wait_for_each_other_all_have_a_thread),
        cmocka_unit_test(test_a_share_holds_a_quarter_of_the_threads),
        cmocka_unit_test(test_a_share_keeps_its_order),
        cmocka_unit_test(test_posts_of_many_threads_all_arrive),
        cmocka_unit_test(test_a_watched_descriptor_and_a_signal_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
