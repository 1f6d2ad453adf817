/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/tidy_task.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/history_keep.h"
#include "reconciler/engine/hook_call.h"

#define TIDY_RESTED_MIN 32 /* a few leave too little */

#define TIDY_FIRST_MS 5000 /* after the beginning: a life may be shorter than an hour */
#define TIDY_PRUNE_MS 3600000
#define TIDY_GOES_ON_MS 1000

enum { TIDY_REST, TIDY_GIVE, TIDY_PRUNE, TIDY_PRUNED };

/* clang-format off */
static const struct task_state tidy_states[] = {
    /*                name      successors       on error     deadline_ms */
    [TIDY_REST]   = { "REST",   TO(TIDY_GIVE),   TIDY_PRUNE,  0 }, /* nobody woke it in time */
    [TIDY_GIVE]   = { "GIVE",   TO(TIDY_REST),   TIDY_REST,   0 },
    [TIDY_PRUNE]  = { "PRUNE",  TO(TIDY_PRUNED), TIDY_PRUNED, 0 },
    [TIDY_PRUNED] = { "PRUNED", TO(TIDY_REST),   TIDY_REST,   0 },
};
/* clang-format on */

static int tidy_give(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    alloc_give_back();
    return 0;
}

static int tidy_prune(struct task *t, struct err *err)
{
    struct tidy_task *tidy = container_of(t, struct tidy_task, task);

    if (clock_task_is_suspect(&tidy->engine->clock))
        return 0; /* nothing is old that it cannot prove */
    return hook_call_prune(tidy->engine, &tidy->round, err)
               ? err->code
               : history_keep_prune(tidy->engine, &tidy->round, &tidy->goes_on, err);
}

static enum task_verdict tidy_step(struct task *t)
{
    struct tidy_task *tidy = container_of(t, struct tidy_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case TIDY_REST:
        wait_signal_start(t, tidy->prune_mono_ms);
        return task_then(t, TIDY_GIVE);
    case TIDY_GIVE:
        wait_work_start(t, POOL_FILE, tidy_give);
        return task_then(t, TIDY_REST);
    case TIDY_PRUNE:
        tidy->goes_on = 0;
        wait_work_start(t, POOL_STATE, tidy_prune);
        return task_then(t, TIDY_PRUNED);
    case TIDY_PRUNED:
        if (t->rc)
            LOG(LOG_WARN, "what is old cannot be removed, in an hour again",
                LOG_C("err", t->err.text));
        tidy->prune_mono_ms = loop_mono_ms(t->loop) +
                              (tidy->goes_on ? TIDY_GOES_ON_MS : TIDY_PRUNE_MS);
        arena_reset(&tidy->round);
        return task_goto(t, TIDY_REST);
    }
    UNREACHABLE();
}

static int hears_hooks(const struct engine *e)
{
    for (size_t i = 0; i < e->n_sources; i++)
        if (value_get(e->sources[i]->config, S("webhook")))
            return 1;
    return 0;
}

void tidy_task_start(struct tidy_task *t, struct engine *e)
{
    *t = (struct tidy_task){ .engine = e, .prune_mono_ms = -1 };
    arena_init(&t->round, 0);
    if (hears_hooks(e) || history_keep_is_asked(e))
        t->prune_mono_ms = loop_mono_ms(e->loop) + TIDY_FIRST_MS;
    task_start(&t->task, e->loop, "tidy", tidy_states, N_ELEMENTS(tidy_states), TIDY_REST,
               tidy_step, engine_task_ended, e);
}

void tidy_task_fini(struct tidy_task *t)
{
    arena_fini(&t->round);
}

void tidy_task_rested(struct tidy_task *t)
{
    t->n_rested++;
}

void tidy_task_all_rest(struct tidy_task *t)
{
    if (t->n_rested < TIDY_RESTED_MIN)
        return;
    t->n_rested = 0;
    wait_signal(&t->task);
}
