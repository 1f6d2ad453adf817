/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_jobs.h"

#include "base/guard.h"
#include "providers/kit.h"
#include "reconciler/core/jobs.h"
#include "reconciler/core/render.h"
#include "reconciler/core/windows.h"
#include "reconciler/engine/zones.h"

#define RUNS_EXPLAINED 3

static struct value *run_value(const struct view *v, const struct rec_job_run *run)
{
    struct value *one = value_map(v->a);

    value_set_int(v->a, one, S("at_ms"), run->at_ms);
    value_set_text(v->a, one, S("cause"), run->cause);
    value_set_text(v->a, one, S("actor"), run->actor);
    value_set_text(v->a, one, S("state"), run->state);
    view_set_int(v, one, "began_ms", run->began_ms);
    view_set_int(v, one, "ended_ms", run->ended_ms);
    view_set_int(v, one, "exit", run->exit);
    view_set(v, one, "message", run->message);
    return one;
}

static int set_next(const struct view *v, const struct value *desired, struct value *one,
                    struct err *err)
{
    struct value *list = value_list(v->a);
    struct jobs_facts facts = { .desired = desired, .now_ms = v->now_ms };
    struct jobs_move move;
    struct map zones;

    map_init(&zones, v->a);
    value_add(v->a, list, value_copy(v->a, desired));
    if (zones_add(v->a, list, &zones, err))
        return err->code;
    facts.since_ms = v->now_ms;
    facts.tz = windows_zone(&zones, value_get_text(desired, S("tz"), S("UTC")));
    if (jobs_judge(&facts, &move, err))
        return err->code;
    if (move.next_ms != TZ_NEVER)
        value_set_int(v->a, one, S("next_ms"), move.next_ms);
    return 0;
}

static int job_value(const struct view *v, const struct rec_resource *row, struct value **ret,
                     struct err *err)
{
    static const char *const taken[] = { "schedule", "tz", "concurrency" };
    struct value *one = value_map(v->a), *runs = value_list(v->a), *desired;
    struct rec_job_run *rows;
    struct str body;
    size_t n;

    if (db_document(v->db, v->a, &row->desired, &body, err) ||
        json_parse(v->a, body, KIT_BODY_MAX, &desired, err) ||
        DB_SELECT(v->db, v->a, job_run, "WHERE env = $1 AND job = $2 ORDER BY at_ms DESC LIMIT $3",
                  &rows, &n, err, DB_T(row->env), DB_T(row->name), DB_I(JOBS_KEPT)))
        return err->code;
    value_set_text(v->a, one, S("name"), row->name);
    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        view_set(v, one, taken[i], value_get_text(desired, str_from_c(taken[i]), STR_NONE));
    for (size_t i = 0; i < n; i++)
        value_add(v->a, runs, run_value(v, &rows[i]));
    value_set(v->a, one, S("runs"), runs);
    *ret = one;
    return set_next(v, desired, one, err);
}

int view_jobs_set(const struct view *v, struct value *map, struct str env, struct err *err)
{
    struct value *list = value_list(v->a), *one = NULL;
    struct rec_resource *rows;
    size_t n;

    if (DB_SELECT(v->db, v->a, resource,
                  "WHERE env = $1 AND kind = 'job' AND valid_to IS NULL AND status <> 'gone' "
                  "ORDER BY name",
                  &rows, &n, err, DB_T(env)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        if (job_value(v, &rows[i], &one, err))
            return err->code;
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("jobs"), list);
    return 0;
}

static void explain_run(const struct view *v, const struct value *run, struct value *reasons)
{
    int64_t exit = value_get_int(run, S("exit"), REC_NONE);

    value_add(
        v->a, reasons,
        value_text(v->a, str_fmt(v->a, "the run of %.*s, started by %.*s, is %.*s%.*s",
                                 STR_ARG(render_time(v->a, value_get_int(run, S("at_ms"), 0))),
                                 STR_ARG(value_get_text(run, S("actor"), S(""))),
                                 STR_ARG(value_get_text(run, S("state"), S(""))),
                                 STR_ARG(exit == REC_NONE ? S("")
                                                          : str_fmt(v->a, ", exit status %lld",
                                                                    (long long)exit)))));
}

int view_jobs_explain(const struct view *v, struct str env, struct str subject,
                      struct value *reasons, struct err *err)
{
    struct value *map = value_map(v->a);
    const struct value *jobs, *runs;

    if (!str_starts(subject, S("job/")))
        return 0;
    if (view_jobs_set(v, map, env, err))
        return err->code;
    jobs = value_get(map, S("jobs"));
    for (size_t i = 0; i < value_count(jobs); i++) {
        const struct value *job = value_item(jobs, i);
        int64_t next_ms = value_get_int(job, S("next_ms"), 0);

        if (!str_eq(value_get_text(job, S("name"), S("")), str_slice(subject, 4, subject.n)))
            continue;
        runs = value_get(job, S("runs"));
        for (size_t k = 0; k < value_count(runs) && k < RUNS_EXPLAINED; k++)
            explain_run(v, value_item(runs, k), reasons);
        if (next_ms)
            value_add(v->a, reasons,
                      value_text(v->a, str_fmt(v->a, "it runs next at %.*s",
                                               STR_ARG(render_time(v->a, next_ms)))));
    }
    return arena_status(v->a, err);
}
