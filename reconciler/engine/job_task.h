/*
 * job_task: the jobs of an environment, at their times. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> LOOK -> BEGIN -> REST
 *
 * LOOK asks core/jobs what is due of each job as it was applied, and writes a row for it, with those of the runs that make way for
 * it; BEGIN starts what has a row (job_run), as soon as nothing of its job is on its way out. Nothing
 * starts while the environment is held, is suspected, or the clock is; a freeze stops none. Without jobs it sleeps until something
 * is applied or asked for.
 *
 * Owns     its runs.
 * Thread   the loop's.
 */
#pragma once

#include "base/vec.h"
#include "reconciler/engine/job_run.h"

struct env_task;

struct job_task {
    struct task task;
    struct engine *engine;
    struct env_task *env;
    struct arena round;
    struct job_run *runs;
    VEC(struct rec_job_run) open; /* of this look: not over, or something is left */
    int64_t next_ms;              /* wall; TZ_NEVER: nothing is due by itself */
    int is_held;
    int is_resting; /* nothing moved since it looked */
};

void job_task_start(struct job_task *j, struct engine *e, struct env_task *env);
/* Something was applied, asked for or resumed. */
void job_task_wake(struct job_task *j);
void job_task_stop(struct job_task *j);
void job_task_fini(struct job_task *j);
/* Whether `once` may end: what is due was begun; what runs on is left to the next life. */
int job_task_is_settled(const struct job_task *j);
/* A run has ended. */
task_ended job_task_ended;
