/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/task.h"

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/rt/loop_ops.h"

static void task_enqueue(struct task *t)
{
    struct loop *loop = t->loop;

    t->queue_next = NULL;
    *loop->queue_end = t;
    loop->queue_end = &t->queue_next;
}

static struct task *task_dequeue(struct loop *loop)
{
    struct task *t = loop->queue;

    loop->queue = t->queue_next;
    if (!loop->queue)
        loop->queue_end = &loop->queue;
    return t;
}

static void task_link(struct task *t)
{
    t->all_next = t->loop->all;
    if (t->all_next)
        t->all_next->all_prev = t;
    t->loop->all = t;
}

static void task_unlink(struct task *t)
{
    if (t->all_next)
        t->all_next->all_prev = t->all_prev;
    if (t->all_prev)
        t->all_prev->all_next = t->all_next;
    else
        t->loop->all = t->all_next;
}

void task_start(struct task *t, struct loop *loop, const char *name,
                const struct task_state *states, int n_states, int first, task_step *step,
                task_ended *ended, void *ended_ctx)
{
    PRE(n_states <= TASK_STATES_MAX && first >= 0 && first < n_states);
    *t = (struct task){
        .loop = loop,
        .name = name,
        .states = states,
        .n_states = n_states,
        .step = step,
        .ended = ended,
        .ended_ctx = ended_ctx,
        .state = first,
        .next = first,
        .running = 1,
    };
    task_link(t);
    task_enqueue(t);
}

static int task_may_go(const struct task *t, int next)
{
    return next >= 0 && next < t->n_states && (t->states[t->state].to & TO(next));
}

static void task_enter(struct task *t, int next)
{
    LOG(LOG_DEBUG, "task moves", LOG_C("task", t->name), LOG_C("from", t->states[t->state].name),
        LOG_C("to", t->states[next].name), LOG_C("rc", err_name(t->rc)));
    t->state = next;
}

enum task_verdict task_then(struct task *t, int next)
{
    PRE(t->wait || t->woken); /* a wait was started */
    PRE(task_may_go(t, next));
    t->next = next;
    return TASK_WAITS;
}

enum task_verdict task_goto(struct task *t, int next)
{
    PRE(!t->wait && !t->woken);
    PRE(task_may_go(t, next));
    task_enter(t, next);
    return TASK_AGAIN;
}

enum task_verdict task_done(struct task *t)
{
    PRE(!t->wait && !t->woken);
    return TASK_ENDED;
}

enum task_verdict task_fail(struct task *t, const struct err *err)
{
    PRE(!t->wait && !t->woken);
    if (err != &t->err)
        t->err = *err;
    t->rc = err->code;
    return TASK_ENDED;
}

void task_wake(struct task *t, int rc)
{
    t->rc = rc;
    if (rc >= 0)
        t->err.code = t->err.text[0] = 0;
    t->wait = NULL;
    t->woken = 1;
    task_enqueue(t);
}

static void task_end(struct task *t)
{
    struct wait *joiner = t->joiner;

    LOG(LOG_DEBUG, "task ended", LOG_C("task", t->name), LOG_C("state", t->states[t->state].name),
        LOG_C("rc", err_name(t->rc)));
    t->running = 0;
    task_unlink(t);
    log_about(NULL); /* which may go with it */
    if (t->ended)
        t->ended(t, t->ended_ctx); /* t may be gone now */
    if (joiner)
        wait_join_one(joiner);
}

/* Go where the wait that ended leads, if there was one. Returns 0 when that is the end of the task. */
static int task_move(struct task *t)
{
    int next = t->rc < 0 ? t->states[t->state].on_error : t->next;

    if (!t->woken)
        return 1;
    t->woken = 0;
    if (next == NO_ERROR_EDGE)
        return 0;
    PRE(next >= 0 && next < t->n_states);
    task_enter(t, next);
    return 1;
}

static void task_run(struct task *t)
{
    enum task_verdict verdict;

    log_about(t->about);
    verdict = task_move(t) ? TASK_AGAIN : TASK_ENDED;
    while (verdict == TASK_AGAIN)
        verdict = t->step(t);
    if (verdict == TASK_ENDED)
        task_end(t);
    log_about(NULL);
}

int task_run_queue(struct loop *loop)
{
    struct task *last = loop->queue ? container_of(loop->queue_end, struct task, queue_next) : NULL;

    while (last) {
        struct task *t = task_dequeue(loop);

        if (t == last)
            last = NULL;
        task_run(t);
    }
    return loop->queue != NULL;
}

void task_cancel(struct task *t, int code)
{
    PRE(code < 0);
    if (!t->running)
        return;
    if (!t->cancelled)
        t->cancelled = code;
    if (t->wait)
        wait_ask(t->wait, code);
}

void task_clear_cancel(struct task *t)
{
    t->cancelled = 0;
}

void task_drop_all(struct loop *loop)
{
    while (loop->all) {
        struct task *t = loop->all;

        if (t->wait)
            wait_drop(t->wait);
        t->wait = NULL;
        t->running = 0;
        task_unlink(t);
    }
    loop->queue = NULL;
    loop->queue_end = &loop->queue;
}
