/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/tidy_task.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/engine/env_task.h"

#define TIDY_RESTED_MIN 32 /* a few leave too little */

enum { TIDY_REST, TIDY_GIVE };

/* clang-format off */
static const struct task_state tidy_states[] = {
    /*              name    successors     on error    deadline_ms */
    [TIDY_REST] = { "REST", TO(TIDY_GIVE), TIDY_GIVE,  0 },
    [TIDY_GIVE] = { "GIVE", TO(TIDY_REST), TIDY_REST,  0 },
};
/* clang-format on */

static int tidy_give(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    alloc_give_back();
    return 0;
}

static enum task_verdict tidy_step(struct task *t)
{
    if (t->cancelled)
        return task_done(t);
    if (t->state == TIDY_REST) {
        wait_signal_start(t, -1);
        return task_then(t, TIDY_GIVE);
    }
    wait_work_start(t, POOL_FILE, tidy_give);
    return task_then(t, TIDY_REST);
}

void tidy_task_start(struct tidy_task *t, struct engine *e)
{
    *t = (struct tidy_task){ 0 };
    task_start(&t->task, e->loop, "tidy", tidy_states, N_ELEMENTS(tidy_states), TIDY_REST,
               tidy_step, engine_task_ended, e);
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
