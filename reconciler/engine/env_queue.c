/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_queue.h"

#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/source_task.h"

#define ENV_CYCLES_MAX 64 /* at once: a cycle holds specs, rows and a plan */

static int is_careful(const struct engine *e)
{
    return loop_mono_ms(e->loop) < e->careful_until_mono_ms;
}

static int has_room(const struct engine *e)
{
    return is_careful(e) ? !e->n_cycles && !e->reader : e->n_cycles < ENV_CYCLES_MAX;
}

int env_queue_enter(struct env_task *env)
{
    struct engine *e = env->engine;

    if (env->is_cycling)
        return 1;
    if (has_room(e) || env_is_asked(&env->asked)) {
        e->n_cycles++;
        env->is_cycling = 1;
        return 1;
    }
    if (!env->is_queued) {
        if (!e->queue)
            e->queue_end = &e->queue;
        env->is_queued = 1;
        env->queue_next = NULL;
        *e->queue_end = env;
        e->queue_end = &env->queue_next;
    }
    return 0;
}

/* 1: somebody is. */
static int wake_next(struct engine *e)
{
    while (e->queue) {
        struct env_task *next = e->queue;

        e->queue = next->queue_next;
        next->is_queued = 0;
        if (next->is_cycling)
            continue; /* it got in by itself */
        wait_signal(&next->task);
        return 1;
    }
    return 0;
}

int env_queue_may_read(struct source_task *s)
{
    struct engine *e = s->engine;

    if (!is_careful(e))
        return 1;
    if (!e->reader)
        e->reader = s;
    return e->reader == s && !e->n_cycles;
}

void env_queue_has_read(struct source_task *s)
{
    struct engine *e = s->engine;

    if (e->reader != s)
        return;
    e->reader = NULL;
    (void)wake_next(e); /* whoever waits */
}

void env_queue_leave(struct env_task *env)
{
    struct engine *e = env->engine;

    if (!env->is_cycling)
        return;
    env->is_cycling = 0;
    e->n_cycles--;
    env->has_looked = 1;
    if (!env->is_in_trouble)
        env->reconciled_ms = loop_wall_ms(e->loop);
    heartbeat_task_beat(&e->heartbeat);
    tidy_task_rested(&e->tidy);
    if (!wake_next(e) && !e->n_cycles)
        tidy_task_all_rest(&e->tidy);
}
