/*
 * job_run_parts: what job_run.c walks between. SPDX-License-Identifier: Apache-2.0
 *
 * job_run_rows.c reads on STATE what a run is asked for and writes its row, job_run_call.c calls its driver on DRIVER: these are what
 * waits run. Only these files include this.
 *
 * Memory   what is loaded lives as long as the run; an answer in `round`, until the next one.
 * Fails    as db.h, and as the driver's call.
 */
#pragma once

#include "base/guard.h"
#include "reconciler/engine/job_run.h"
#include "reconciler/engine/job_task.h"

static inline struct job_run *run_of(struct task *t)
{
    return container_of(t, struct job_run, task);
}

static inline struct engine *run_engine(const struct job_run *r)
{
    return r->of->engine;
}

/* STATE: what it runs, for whom, and what it is given, as its revision said it. */
int job_run_rows_load(struct task *t, struct err *err);
/* STATE: its row, with what is new of it as an event. */
int job_run_rows_write(struct task *t, struct err *err);

/* DRIVER: begin or go on, see how it stands, take away what is left of it. */
int job_run_call_act(struct task *t, struct err *err);
int job_run_call_look(struct task *t, struct err *err);
int job_run_call_clear(struct task *t, struct err *err);
