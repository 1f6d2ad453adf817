/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "reconciler/rt/loop_uv.h"

struct wait_work_thread {
    pthread_t id;
    struct wait_work_pool *pool;
    struct loop_post gone;
};

static const size_t wait_work_threads[N_POOLS] = {
    [POOL_STATE] = 1,  [POOL_DRIVER] = LOOP_DRIVER_THREADS, /* unless the options say so */
    [POOL_REVERT] = 4, [POOL_FILE] = 2,
    [POOL_QUERY] = 2,  [POOL_SIGN] = 8,
};

/* Somebody waits for what these say, and it is soon said. */
static int wait_work_is_short(const struct wait_work_pool *p)
{
    return p == &p->loop->pools[POOL_STATE] || p == &p->loop->pools[POOL_QUERY];
}

static int wait_work_is_state(const struct wait_work_pool *p)
{
    return p == &p->loop->pools[POOL_STATE];
}

/* Not under the lock: who wakes up needs it. */
static void wait_work_wake_one(struct wait_work_pool *p)
{
    PRE(!pthread_cond_signal(&p->more));
}

/* Under the lock: it has run, or never will. 1: another one has its turn. */
static int wait_work_leave(struct wait_work_pool *p, struct wait *job)
{
    struct wait *next = wait_share_leave(job);

    if (next)
        wait_queue_push(&p->queue, next);
    return next != NULL;
}

/* Up to `max` jobs off the queue; 0 when the pool stops. */
static size_t wait_work_take(struct wait_work_pool *p, struct wait **ret_jobs, size_t max)
{
    size_t n = 0;

    PRE(!pthread_mutex_lock(&p->lock));
    while (!p->queue.first && !p->stopping)
        PRE(!pthread_cond_wait(&p->more, &p->lock));
    while (n < max && p->queue.first && (!p->stopping || wait_work_is_state(p))) {
        struct wait *job = p->queue.first;

        wait_queue_remove(&p->queue, job);
        job->u.work.taken = 1;
        ret_jobs[n++] = job;
    }
    PRE(!pthread_mutex_unlock(&p->lock));
    return n;
}

/* From the thread to the loop, which may free it at once. Whose turn it is next needs nobody woken: this
 * thread looks at the queue now. */
static void wait_work_hand_back(struct wait_work_pool *p, struct wait *job)
{
    if (job->u.work.share) {
        PRE(!pthread_mutex_lock(&p->lock));
        (void)wait_work_leave(p, job);
        PRE(!pthread_mutex_unlock(&p->lock));
    }
    loop_uv_post(&p->loop->loop, &job->u.work.done);
}

static void wait_work_done(void *ctx)
{
    struct wait *w = ctx;

    wait_end(w, w->rc);
}

static void wait_work_thread_gone(void *ctx)
{
    struct wait_work_pool *p = ctx;

    p->n_alive--;
}

static void *wait_work_main(void *arg)
{
    struct wait_work_thread *me = arg;
    struct wait_work_pool *p = me->pool;
    struct loop *loop = &p->loop->loop;
    struct wait *jobs[LOOP_BATCH_MAX];
    size_t n, max = wait_work_is_state(p) ? LOOP_BATCH_MAX : 1;

    if (wait_work_is_short(p))
        slice_shorten();
    while ((n = wait_work_take(p, jobs, max))) {
        if (wait_work_is_state(p))
            wait_work_run_group(loop, jobs, n);
        else
            jobs[0]->rc = wait_work_run(jobs[0]);
        for (size_t i = 0; i < n; i++) {
            jobs[i]->u.work.done = (struct loop_post){ .fn = wait_work_done, .ctx = jobs[i] };
            wait_work_hand_back(p, jobs[i]);
        }
    }
    me->gone = (struct loop_post){ .fn = wait_work_thread_gone, .ctx = p };
    loop_uv_post(loop, &me->gone);
    return NULL;
}

static int wait_work_open_pool(struct loop_uv *l, enum loop_pool pool, size_t n_threads,
                               struct err *err)
{
    struct wait_work_pool *p = &l->pools[pool];

    PRE(!pthread_mutex_init(&p->lock, NULL) && !pthread_cond_init(&p->more, NULL));
    p->loop = l;
    p->threads = alloc_zero(n_threads * sizeof(*p->threads));
    if (!p->threads)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (; p->n_threads < n_threads; p->n_threads++) {
        struct wait_work_thread *t = &p->threads[p->n_threads];
        int number;

        t->pool = p;
        number = pthread_create(&t->id, NULL, wait_work_main, t);
        if (number)
            return err_set(err, ERR_BUSY, "start a thread: %s", strerror(number));
        p->n_alive++;
    }
    return 0;
}

int wait_work_uv_open(struct loop_uv *l, const struct loop_options *options, struct err *err)
{
    int rc = 0;

    for (int i = 0; !rc && i < N_POOLS; i++) {
        size_t n = wait_work_threads[i];

        if (i == POOL_DRIVER && options->n_driver_threads)
            n = options->n_driver_threads;
        rc = wait_work_open_pool(l, (enum loop_pool)i, n, err);
    }
    return rc;
}

void wait_work_uv_close(struct wait_work_pool *p)
{
    if (!p->loop)
        return; /* was never opened */
    PRE(!pthread_mutex_lock(&p->lock));
    p->stopping = 1;
    PRE(!pthread_cond_broadcast(&p->more));
    PRE(!pthread_mutex_unlock(&p->lock));
    while (p->n_alive)
        (void)uv_run(&p->loop->uv, UV_RUN_ONCE); /* their calls on the loop are still answered */
    for (size_t i = 0; i < p->n_threads; i++)
        PRE(!pthread_join(p->threads[i].id, NULL));
    alloc_free(p->threads);
    PRE(!pthread_cond_destroy(&p->more) && !pthread_mutex_destroy(&p->lock));
}

static struct wait_work_pool *wait_work_pool_of(struct wait *w)
{
    return &loop_uv_of(w->loop)->pools[w->u.work.pool];
}

void wait_work_uv_start(struct wait *w)
{
    struct wait_work_pool *p = wait_work_pool_of(w);
    int is_queued;

    PRE(!pthread_mutex_lock(&p->lock));
    is_queued = wait_share_enter(w, p->n_threads);
    if (is_queued)
        wait_queue_push(&p->queue, w);
    PRE(!pthread_mutex_unlock(&p->lock));
    if (is_queued)
        wait_work_wake_one(p);
}

void wait_work_uv_cancel(struct wait *w)
{
    struct wait_work_pool *p = wait_work_pool_of(w);
    int taken, is_queued = 0;

    PRE(!pthread_mutex_lock(&p->lock));
    taken = w->u.work.taken;
    if (!taken && w->u.work.admitted)
        wait_queue_remove(&p->queue, w);
    if (!taken)
        is_queued = wait_work_leave(p, w);
    PRE(!pthread_mutex_unlock(&p->lock));
    if (is_queued)
        wait_work_wake_one(p);
    if (!taken)
        wait_end(w, 0);
}

void wait_work_uv_drop(struct wait *w)
{
    (void)w; /* the threads have gone and the queues with them */
}

size_t wait_work_uv_queued(struct loop *loop, enum loop_pool pool)
{
    struct wait_work_pool *p = &loop_uv_of(loop)->pools[pool];
    size_t n;

    PRE(!pthread_mutex_lock(&p->lock));
    n = p->queue.n;
    PRE(!pthread_mutex_unlock(&p->lock));
    return n;
}
