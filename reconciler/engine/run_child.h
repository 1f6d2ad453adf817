/*
 * run_child: one item of a plan that is being applied. SPDX-License-Identifier: Apache-2.0
 *
 * An operation, a gate or a mark, as its task; what it came to goes into the run's schedule, and the run is
 * woken.
 *
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/run.h"

/* Out of memory: the item stays as it is, and the next walk tries again. */
void run_child_begin(struct run *r, size_t index);
/* A task that was dropped with its loop. */
void run_child_fini(struct run_child *c);

/* Of one whose task runs: what it does now has to wait; it was tried again and again. */
int run_child_waits(const struct run_child *c);
int run_child_is_stuck(const struct run_child *c);

/* Nobody wants it any more: a gate ends, an operation is not tried again. */
void run_child_give_up(struct run_child *c);
/* The daemon ends: its row stays open. */
void run_child_stop(struct run_child *c);

void run_mark_start(struct mark_task *m, struct run *r, size_t index, task_ended *ended, void *ctx);
