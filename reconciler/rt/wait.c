/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/wait.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/rt/loop_ops.h"

#define WAIT_SHARE 4 /* one share gets this part of a pool */

/* A wait of a task has ended: hand over the result. */
static void wait_ended_for_task(struct wait *w)
{
    struct task *t = w->task;
    int rc = w->rc;

    alloc_free(w);
    task_wake(t, rc);
}

static void wait_deadline_passed(void *ctx)
{
    wait_ask(ctx, ERR_TIMEOUT);
}

static void wait_set_deadline(struct wait *w, int64_t length_ms)
{
    if (length_ms <= 0)
        return;
    w->deadline_ms = length_ms;
    loop_timer_set(&w->deadline, loop_mono_ms(w->loop) + length_ms);
}

/* NULL: the task is cancelled or memory ran out, and it was woken with that. A join begins all the same. */
static struct wait *wait_new(struct task *t, enum wait_kind kind)
{
    struct wait *w;

    PRE(t->running && !t->wait && !t->woken); /* one wait a state */
    if (t->cancelled && kind != WAIT_JOIN) {
        task_wake(t, err_set(&t->err, t->cancelled, "cancelled"));
        return NULL;
    }
    w = alloc_zero(sizeof(*w));
    if (!w) {
        task_wake(t, err_set(&t->err, ERR_NOMEM, "out of memory"));
        return NULL;
    }
    w->loop = t->loop;
    w->task = t;
    w->kind = kind;
    w->err = &t->err;
    w->ended = wait_ended_for_task;
    loop_timer_init(&w->deadline, t->loop, wait_deadline_passed, w);
    wait_set_deadline(w, t->states[t->state].deadline_ms);
    t->wait = w;
    return w;
}

void wait_end(struct wait *w, int rc)
{
    w->rc = rc;
    if (w->asked == ERR_TIMEOUT && w->deadline_ms)
        w->rc = err_set(w->err, ERR_TIMEOUT, "not done within %lld ms", (long long)w->deadline_ms);
    else if (w->asked)
        w->rc = err_set(w->err, w->asked, "cancelled");
    loop_timer_set(&w->deadline, -1);
    w->ended(w);
}

/* Kinds that only common code knows end at once. */
static void wait_cancel(struct wait *w)
{
    switch (w->kind) {
    case WAIT_UNTIL:
    case WAIT_SIGNAL:
        loop_timer_set(&w->u.until, -1);
        wait_end(w, 0);
        return;
    case WAIT_JOIN: /* ends when the last child has */
        for (struct task *t = w->loop->all; t; t = t->all_next)
            if (t->joiner == w)
                task_cancel(t, w->asked);
        return;
    case WAIT_WORK:
    case WAIT_EXEC:
    case WAIT_HTTP:
    case WAIT_CONNECT:
        w->loop->ops->cancel(w);
        return;
    }
    UNREACHABLE();
}

void wait_ask(struct wait *w, int code)
{
    if (w->asked)
        return;
    w->asked = code;
    wait_cancel(w);
}

void wait_drop(struct wait *w)
{
    loop_timer_set(&w->deadline, -1);
    if (w->kind == WAIT_UNTIL || w->kind == WAIT_SIGNAL)
        loop_timer_set(&w->u.until, -1);
    else if (w->kind != WAIT_JOIN)
        w->loop->ops->drop(w);
    alloc_free(w);
}

static void wait_time_came(void *ctx)
{
    wait_end(ctx, 0);
}

void wait_until_start(struct task *t, int64_t at_ms)
{
    struct wait *w = wait_new(t, WAIT_UNTIL);

    if (!w)
        return;
    loop_timer_init(&w->u.until, w->loop, wait_time_came, w);
    loop_timer_set(&w->u.until, at_ms < 0 ? 0 : at_ms);
}

static void wait_signal_is_late(void *ctx)
{
    struct wait *w = ctx;

    wait_end(w, err_set(w->err, ERR_TIMEOUT, "nobody signalled in time"));
}

void wait_signal_start(struct task *t, int64_t at_ms)
{
    struct wait *w = wait_new(t, WAIT_SIGNAL);

    if (!w)
        return;
    loop_timer_init(&w->u.until, w->loop, wait_signal_is_late, w);
    if (t->signalled) {
        t->signalled = 0;
        wait_end(w, 0);
    } else if (at_ms >= 0) {
        loop_timer_set(&w->u.until, at_ms);
    }
}

void wait_signal(struct task *t)
{
    if (!t->running)
        return;
    if (t->wait && t->wait->kind == WAIT_SIGNAL) {
        loop_timer_set(&t->wait->u.until, -1);
        wait_end(t->wait, 0);
    } else {
        t->signalled = 1;
    }
}

void wait_join_start(struct task *t, struct task **children, size_t n)
{
    struct wait *w = wait_new(t, WAIT_JOIN);

    for (size_t i = 0; w && i < n; i++) {
        if (!children[i]->running)
            continue;
        PRE(!children[i]->joiner && children[i] != t);
        children[i]->joiner = w;
        w->u.n_joined++;
    }
    if (w && !w->u.n_joined)
        wait_end(w, 0);
    else if (w && t->cancelled)
        wait_ask(w, t->cancelled);
}

void wait_join_one(struct wait *w)
{
    if (!--w->u.n_joined)
        wait_end(w, 0);
}

void wait_work_start(struct task *t, enum loop_pool pool, wait_work_fn *fn)
{
    wait_work_share_start(t, pool, NULL, fn);
}

void wait_work_share_start(struct task *t, enum loop_pool pool, struct wait_share *share,
                           wait_work_fn *fn)
{
    struct wait *w = wait_new(t, WAIT_WORK);

    if (!w)
        return;
    w->u.work = (struct wait_work){ .pool = pool, .fn = fn, .share = share };
    w->loop->ops->start(w);
}

int wait_work_run(struct wait *w)
{
    struct wait_work *work = &w->u.work;
    int rc;

    log_about(w->task ? w->task->about : NULL);
    rc = w->task ? work->fn(w->task, w->err) : work->call(work->call_ctx, w->err);
    log_about(NULL);
    return rc;
}

void wait_work_run_group(struct loop *loop, struct wait **jobs, size_t n)
{
    const struct loop_batch *batch = &loop->batch;
    struct err err = ERR_INIT;
    int rc = batch->begin ? batch->begin(batch->ctx, &err) : 0;

    for (size_t i = 0; rc >= 0 && i < n; i++)
        jobs[i]->rc = wait_work_run(jobs[i]);
    if (rc >= 0 && batch->commit)
        rc = batch->commit(batch->ctx, &err);
    for (size_t i = 0; rc < 0 && i < n; i++) {
        jobs[i]->rc = rc;
        *jobs[i]->err = err;
    }
}

void wait_queue_push(struct wait_queue *q, struct wait *job)
{
    q->n++;
    job->u.work.prev = q->last;
    job->u.work.next = NULL;
    if (q->last)
        q->last->u.work.next = job;
    else
        q->first = job;
    q->last = job;
}

void wait_queue_remove(struct wait_queue *q, struct wait *job)
{
    struct wait *next = job->u.work.next, *prev = job->u.work.prev;

    q->n--;
    if (next)
        next->u.work.prev = prev;
    else
        q->last = prev;
    if (prev)
        prev->u.work.next = next;
    else
        q->first = next;
}

int wait_share_enter(struct wait *job, size_t n_threads)
{
    struct wait_share *share = job->u.work.share;
    size_t max = n_threads / WAIT_SHARE ? n_threads / WAIT_SHARE : 1;

    if (share && share->n_admitted >= max) {
        wait_queue_push(&share->waiting, job);
        return 0;
    }
    if (share)
        share->n_admitted++;
    job->u.work.admitted = 1;
    return 1;
}

struct wait *wait_share_leave(struct wait *job)
{
    struct wait_share *share = job->u.work.share;
    struct wait *next = share ? share->waiting.first : NULL;

    if (!share)
        return NULL;
    if (!job->u.work.admitted) {
        wait_queue_remove(&share->waiting, job);
        return NULL;
    }
    if (!next) {
        share->n_admitted--;
        return NULL;
    }
    wait_queue_remove(&share->waiting, next);
    next->u.work.admitted = 1; /* in its place */
    return next;
}

void wait_exec_start(struct task *t, const struct exec_request *in, struct arena *a,
                     struct exec_result *ret)
{
    struct wait *w = wait_new(t, WAIT_EXEC);

    if (!w)
        return;
    *ret = (struct exec_result){ 0 };
    w->u.exec = (struct wait_exec){ in, a, ret };
    w->loop->ops->start(w);
}

void wait_http_start(struct task *t, const struct http_request *in, struct arena *a,
                     struct http_reply *ret)
{
    struct wait *w = wait_new(t, WAIT_HTTP);

    if (!w)
        return;
    *ret = (struct http_reply){ 0 };
    w->u.http = (struct wait_http){ in, a, ret };
    w->loop->ops->start(w);
}

void wait_connect_start(struct task *t, const char *host, int port, int64_t timeout_ms)
{
    struct wait *w = wait_new(t, WAIT_CONNECT);

    if (!w)
        return;
    w->u.connect = (struct wait_connect){ host, port, timeout_ms };
    w->loop->ops->start(w);
}

/* Its result stays in w, on the caller's stack. */
static int wait_call(struct wait *w, const atomic_int *stop)
{
    loop_timer_init(&w->deadline, w->loop, wait_deadline_passed, w);
    w->loop->ops->call(w, stop);
    return w->rc;
}

int wait_work_call(struct loop *loop, enum loop_pool pool, wait_call_fn *fn, void *ctx,
                   struct err *err)
{
    struct wait w = { .loop = loop, .kind = WAIT_WORK, .err = err };

    w.u.work = (struct wait_work){ .pool = pool, .call = fn, .call_ctx = ctx };
    return wait_call(&w, NULL);
}

int wait_http_call(struct loop *loop, const struct http_request *in, struct arena *a,
                   struct http_reply *ret, const atomic_int *stop, struct err *err)
{
    struct wait w = { .loop = loop, .kind = WAIT_HTTP, .err = err };

    *ret = (struct http_reply){ 0 };
    w.u.http = (struct wait_http){ in, a, ret };
    return wait_call(&w, stop);
}

void wait_sleep_call(struct loop *loop, int64_t ms)
{
    loop->ops->sleep(loop, ms);
}
