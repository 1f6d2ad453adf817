/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/jobs.h"

int jobs_is_open(const struct rec_job_run *run)
{
    return str_eq_c(run->state, "waiting") || str_eq_c(run->state, "running");
}

int jobs_is_ending(const struct rec_job_run *run)
{
    return str_eq_c(run->state, "cancelled") && run->is_left;
}

/* One that waits was not begun: nothing of it is left. */
void jobs_make_way(struct rec_job_run *run, int64_t now_ms)
{
    run->state = S("cancelled");
    run->ended_ms = now_ms;
    run->message = S("ended: another one takes its place");
}

int jobs_is_old(const struct rec_job_run *run, size_t n_newer)
{
    return !jobs_is_open(run) && n_newer >= JOBS_KEPT;
}

static int is_under_way(const struct jobs_facts *f)
{
    for (size_t i = 0; i < f->n_runs; i++)
        if (jobs_is_open(&f->runs[i]))
            return 1;
    return 0;
}

/* What a person asked for stands in no schedule. */
static int64_t newest_scheduled(const struct jobs_facts *f)
{
    for (size_t i = 0; i < f->n_runs; i++)
        if (str_eq_c(f->runs[i].cause, "schedule"))
            return f->runs[i].at_ms;
    return -TZ_NEVER;
}

enum jobs_act jobs_act_beside(const struct jobs_facts *f)
{
    struct str word = value_get_text(f->desired, S("concurrency"), S("forbid"));

    if (!is_under_way(f) || str_eq_c(word, "allow"))
        return JOBS_START;
    return str_eq_c(word, "replace") ? JOBS_REPLACE : JOBS_SKIP;
}

int jobs_judge(const struct jobs_facts *f, struct jobs_move *ret, struct err *err)
{
    struct str schedule = value_get_text(f->desired, S("schedule"), STR_NONE);
    struct jobs_move move = { JOBS_NOTHING, 0, TZ_NEVER };
    struct cron c;
    size_t at;

    if (schedule.p && f->tz) {
        if (cron_parse(schedule, &c, &at, err))
            return err_wrap(err, "schedule '%.*s'", STR_ARG(schedule));
        move.at_ms = cron_previous_ms(&c, f->tz, f->now_ms);
        move.next_ms = cron_next_ms(&c, f->tz, f->now_ms);
        if (move.at_ms > f->since_ms && move.at_ms > newest_scheduled(f))
            move.act = jobs_act_beside(f);
    }
    *ret = move;
    return 0;
}
