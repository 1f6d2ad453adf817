/*
 * tidy_task: what nobody needs any more goes. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> GIVE -> REST      memory goes back to the system; woken by the last of many environments
 *     `---> PRUNE -> REST     once an hour: deliveries of hooks that no replay needs, what old events wrote
 *
 * What many cycles side by side leave is free but scattered: without this a daemon would stay as big as it was
 * once.
 *
 * Thread   the loop's; the giving on FILE, the pruning on STATE.
 */
#pragma once

#include "reconciler/rt/task.h"

struct engine;

struct tidy_task {
    struct task task;
    struct engine *engine;
    struct arena round;
    int64_t prune_mono_ms; /* -1: nothing is to be removed */
    int goes_on;           /* there is more of it */
    int n_rested;          /* since the last time */
};

void tidy_task_start(struct tidy_task *t, struct engine *e);
void tidy_task_fini(struct tidy_task *t);
/* An environment rests; the last of those that were under way. */
void tidy_task_rested(struct tidy_task *t);
void tidy_task_all_rest(struct tidy_task *t);
