/* A job that a person starts. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/jobs.h"
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/job_rows.h"
#include "specs/json_io.h"
#include "state/holds.h"

#define RUNS_LOOKED_AT 64

static int refuse_held(struct command_call *c, const struct command_found *f, struct err *err)
{
    struct rec_hold *holds;
    size_t n, i = 0;

    if (holds_active(c->engine->db, &c->arena, f->env.uid, clock_task_due_ms(&c->engine->clock),
                     &holds, &n, err))
        return err->code;
    while (i < n && holds[i].service.p)
        i++;
    if (i < n)
        return err_set(err, ERR_REFUSED,
                       "environment '%.*s' is held by %.*s: %.*s (reeve resume %.*s)",
                       STR_ARG(f->env.name), STR_ARG(holds[i].actor), STR_ARG(holds[i].reason),
                       STR_ARG(f->env.name));
    return c->engine->options.hold_all ? err_set(err, ERR_REFUSED, "held: the daemon observes only")
                                       : 0;
}

/* As it was applied. */
static int find_job(struct command_call *c, const struct command_found *f,
                    struct value **ret_desired, struct err *err)
{
    struct rec_resource row;
    struct str body;
    int rc = resources_now(c->engine->db, &c->arena, f->env.uid, S("job"), c->in.service, &row,
                           err);

    if (rc == ERR_NOT_FOUND || (!rc && !engine_resource_exists(&row)) ||
        digest_is_none(&f->env.live_rev))
        return err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no job '%.*s' that was applied",
                       STR_ARG(f->env.name), STR_ARG(c->in.service));
    if (rc || db_document(c->engine->db, &c->arena, &row.desired, &body, err))
        return err->code;
    return json_parse(&c->arena, body, KIT_BODY_MAX, ret_desired, err);
}

/* No two of one instant; and none beside another where that is not allowed. */
static int make_room(struct command_call *c, const struct command_found *f, struct tx *tx,
                     const struct value *desired, int64_t *at_ms, struct err *err)
{
    struct jobs_facts facts = { .desired = desired };
    struct rec_job_run *runs;
    enum jobs_act act;
    size_t n;

    if (DB_SELECT(c->engine->db, &c->arena, job_run,
                  "WHERE env = $1 AND job = $2 ORDER BY at_ms DESC LIMIT $3", &runs, &n, err,
                  DB_T(f->env.uid), DB_T(c->in.service), DB_I(RUNS_LOOKED_AT)))
        return err->code;
    facts.runs = runs;
    facts.n_runs = n;
    act = jobs_act_beside(&facts);
    if (act == JOBS_SKIP)
        return err_set(err, ERR_CONFLICT, "job '%.*s' runs already", STR_ARG(c->in.service));
    for (size_t i = n; i-- > 0;)
        if (*at_ms <= runs[i].at_ms)
            *at_ms = runs[i].at_ms + 1;
    return act == JOBS_REPLACE ? job_rows_make_way(tx, runs, n, err) : 0;
}

int command_write_run(struct command_call *c, struct command_found *f, struct tx *tx,
                      struct err *err)
{
    struct rec_job_run row = { .env = f->env.uid,
                               .job = c->in.service,
                               .at_ms = tx_time_ms(tx),
                               .cause = S("person"),
                               .actor = c->in.actor,
                               .state = S("waiting"),
                               .provider = S(""),
                               .owner = S(""),
                               .revision = f->env.live_rev,
                               .began_ms = REC_NONE,
                               .ended_ms = REC_NONE,
                               .exit = REC_NONE };
    struct value *desired;

    if (refuse_held(c, f, err) || find_job(c, f, &desired, err) ||
        make_room(c, f, tx, desired, &row.at_ms, err))
        return err->code;
    f->state = row.state;
    f->message = str_fmt(&c->arena, "%.*s@%lld", STR_ARG(row.job), (long long)row.at_ms);
    return tx_put(tx, REC_job_run, &row, err);
}
