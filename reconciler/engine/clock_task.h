/*
 * clock_task: watches the wall clock, and is asked by what time things expire. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> LOOK -> REST ...
 *
 * What it finds stands in the row `clock` of meta, so that a new life goes on from there.
 *
 * Thread   the task is the loop's; the watch is STATE's.
 */
#pragma once

#include "reconciler/core/clock.h"
#include "reconciler/rt/task.h"
#include "state/tx.h"

struct engine;

struct clock_task {
    struct task task;
    struct engine *engine;
    struct arena round;
    struct clock_watch watch;
    struct str boot; /* of this machine's start */
    int told;        /* the row says that it is suspect */
    int tells;       /* it was written last time, ... */
    int failed;      /* ... and could not be committed: the loop's */
};

/* Before the loop runs: what a former life wrote down. */
int clock_task_open(struct clock_task *c, struct engine *e, struct err *err);
void clock_task_start(struct clock_task *c);
void clock_task_fini(struct clock_task *c);

/* --- on STATE ------------------------------------------------------------------------------------ */

/* The time by which approvals, holds and quarantines end. */
int64_t clock_task_due_ms(struct clock_task *c);
int clock_task_is_suspect(struct clock_task *c);
/* How much of a time that began in a former life is over: nothing that the clock cannot prove. */
int64_t clock_task_gone_ms(struct clock_task *c, int64_t since_ms);
/* A person says that it is right. */
void clock_task_trust(struct clock_task *c);
int clock_task_put(struct clock_task *c, struct tx *tx, struct arena *a, struct err *err);
