/*
 * tidy_task: memory goes back to the system when many environments have come to rest. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> GIVE -> REST      woken by the last of them
 *
 * What many cycles side by side leave is free but scattered: without this a daemon would stay as big as it was
 * once.
 *
 * Thread   the loop's; the giving on FILE.
 */
#pragma once

#include "reconciler/rt/task.h"

struct engine;

struct tidy_task {
    struct task task;
    int n_rested; /* since the last time */
};

void tidy_task_start(struct tidy_task *t, struct engine *e);
/* An environment rests; the last of those that were under way. */
void tidy_task_rested(struct tidy_task *t);
void tidy_task_all_rest(struct tidy_task *t);
