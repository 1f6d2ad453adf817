/*
 * copy_task: copies of the database, as often as `state.backup` says. SPDX-License-Identifier: Apache-2.0
 *
 * A reader's work on QUERY: the writer goes on. One that fails is tried again after COPY_AGAIN_MS; that it
 * fails is told once in the history, in the log and for as long as it lasts in `status`.
 *
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/copy_store.h"
#include "reconciler/rt/task.h"

struct engine;

struct copy_task {
    struct task task;
    struct engine *engine;
    struct arena round;
    int64_t made_mono_ms; /* when the newest was found as new as the database; 0: not yet */
    int is_failing;
    char trouble[ERR_TEXT_MAX]; /* why the last one failed; "": it did not */
};

/* Nothing where the configuration asks for no copies. */
void copy_task_start(struct copy_task *c, struct engine *e);
void copy_task_stop(struct copy_task *c);
void copy_task_fini(struct copy_task *c);
/* {made_ms_ago, error?}; NULL: there are none. */
struct value *copy_task_view(const struct copy_task *c, struct arena *a);
