/*
 * job_run: one run of a job, from its row to its end. SPDX-License-Identifier: Apache-2.0
 *
 *   LOAD -> NEXT -> WRITE -> NEXT -> ACT -> JUDGE -> NEXT -> WRITE -> NEXT -> CLEAR -> SWEPT -> NEXT -> WRITE -> NEXT -> OVER
 *
 * NEXT waits, and looks what is to be done: a row that is not written, the effect, a LOOK after a doubt, what is left of it.
 *
 * Its row is durable before anything is started, and the key of the effect is the job and the instant: what was begun is
 * never begun again. One whose row says that it makes way is ended, whoever finds it. Where nobody can say how it ended it is `unknown`. What it leaves with its provider goes when
 * the end of its output stands in the row.
 *
 * Owns     its arenas.
 * Thread   the loop's.
 */
#pragma once

#include "base/map.h"
#include "reconciler/engine/driver_call.h"

struct job_task;

struct job_run {
    struct task task;
    struct job_run *next;
    struct job_task *of;
    struct arena own, round;     /* round: of one answer */
    struct rec_job_run row, was; /* was: before it was written */
    struct str env_name, name, commit, key, body;
    struct str token, leaves; /* of what runs, of what is taken away */
    const struct value *refs; /* of its secrets */
    struct map pins, made;
    struct driver_answer answer;
    int64_t attempt, until_mono_ms, since_mono_ms;
    int is_loaded, is_untold; /* untold: the row is to be written */
    int is_written;           /* it was, and nobody knows yet whether that lasts */
    int makes_way;            /* for another one: it is ended */
    int rests;                /* it waits */
    int is_watched;        /* what it was asked for is not known any more: it is looked at alone */
    int doubts, is_looked; /* looked: the answer is that of a look */
};

/* From a row that is not over, or whose provider still has something of it. */
struct job_run *job_run_start(struct job_task *of, const struct rec_job_run *row);
/* Its row says so. */
void job_run_make_way(struct job_run *r);
/* It waits, and did for a while: `once` may end. */
int job_run_may_be_left(const struct job_run *r);
void job_run_fini(struct job_run *r);
