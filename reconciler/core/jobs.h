/*
 * jobs: when a job is due, and what is done about it. SPDX-License-Identifier: Apache-2.0
 *
 * A run is known by its job and its instant: the time of the schedule that it is for, or when a person asked. Of instants that
 * nobody looked at the last one is due, once. Nothing is due before the job was first seen.
 *
 * Times are milliseconds. Pure.
 */
#pragma once

#include "base/cron.h"
#include "specs/value.h"
#include "state/records.h"

#define JOBS_KEPT 20 /* runs of a job whose rows are kept, beside those that are not over */

struct jobs_facts {
    const struct value *desired;    /* the job as it was applied */
    const struct tz *tz;            /* of its schedule; NULL: not known, so nothing is due */
    int64_t since_ms;               /* it is as it is since then */
    const struct rec_job_run *runs; /* of this job, the newest instant first */
    size_t n_runs;
    int64_t now_ms;
};

enum jobs_act {
    JOBS_NOTHING,
    JOBS_START,   /* the run of `at_ms` */
    JOBS_SKIP,    /* it is noted and not run: another one is under way */
    JOBS_REPLACE, /* what is open makes way, then this one starts */
};

struct jobs_move {
    enum jobs_act act;
    int64_t at_ms;
    int64_t next_ms; /* when there will be something to do; TZ_NEVER: it has no schedule */
};

/* What becomes of one that is due, or asked for: START, SKIP or REPLACE. */
enum jobs_act jobs_act_beside(const struct jobs_facts *f);
/* ERR_INVALID: the schedule cannot be read, which specs do not let through. */
int jobs_judge(const struct jobs_facts *f, struct jobs_move *ret, struct err *err);
/* waiting running: it is not over. */
int jobs_is_open(const struct rec_job_run *run);
/* It is cancelled, and may still run: the one that takes its place waits. */
int jobs_is_ending(const struct rec_job_run *run);
/* The row of one that makes way for another. */
void jobs_make_way(struct rec_job_run *run, int64_t now_ms);
/* Whether the row may go, so many newer ones of its job being there. */
int jobs_is_old(const struct rec_job_run *run, size_t n_newer);
