/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/job_task.h"

#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/jobs.h"
#include "reconciler/core/windows.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/job_rows.h"
#include "reconciler/engine/zones.h"
#include "specs/json_io.h"
#include "state/events.h"
#include "state/holds.h"

#define JOB_ROUND_MAX (16u << 20)
#define JOB_LOOK_MS 60000 /* at least so often: clocks are set, holds end */
#define JOB_RUNS_MAX 256  /* of one job, that are looked at */

enum { JOB_REST, JOB_LOOK, JOB_BEGIN };

/* clang-format off */
static const struct task_state job_states[] = {
    /*              name     successors               on error   deadline_ms */
    [JOB_REST]  = { "REST",  TO(JOB_LOOK),            JOB_LOOK,  0 }, /* woken early: something moved */
    [JOB_LOOK]  = { "LOOK",  TO2(JOB_BEGIN, JOB_REST), JOB_REST, 0 },
    [JOB_BEGIN] = { "BEGIN", TO(JOB_REST),            JOB_REST,  0 },
};
/* clang-format on */

static struct job_task *job_of(struct task *t)
{
    return container_of(t, struct job_task, task);
}

/* --- what is due: on STATE ----------------------------------------------------------------------- */

struct job_look { /* of one job */
    struct rec_resource row;
    struct value *desired;
    struct jobs_facts facts;
    struct rec_job_run *runs;
    struct map zones;
    struct jobs_move move;
};

static int look_since(struct job_task *j, int64_t seq, int64_t *ret_ms, struct err *err)
{
    struct event e;
    int rc = events_get(j->engine->db, &j->round, seq, &e, err);

    if (!rc)
        *ret_ms = e.time_ms;
    return rc;
}

static int look_facts(struct job_task *j, struct job_look *l, struct err *err)
{
    struct arena *a = &j->round;
    struct value *one = value_list(a);
    struct str body;

    map_init(&l->zones, a);
    if (db_document(j->engine->db, a, &l->row.desired, &body, err) ||
        json_parse(a, body, KIT_BODY_MAX, &l->desired, err) ||
        look_since(j, l->row.valid_from, &l->facts.since_ms, err) ||
        DB_SELECT(j->engine->db, a, job_run,
                  "WHERE env = $1 AND job = $2 ORDER BY at_ms DESC LIMIT $3", &l->runs,
                  &l->facts.n_runs, err, DB_T(l->row.env), DB_T(l->row.name), DB_I(JOB_RUNS_MAX)))
        return err->code;
    value_add(a, one, l->desired);
    if (zones_add(a, one, &l->zones, err))
        return err->code;
    l->facts.desired = l->desired;
    l->facts.tz = windows_zone(&l->zones, value_get_text(l->desired, S("tz"), S("UTC")));
    l->facts.runs = l->runs;
    l->facts.now_ms = clock_task_due_ms(&j->engine->clock);
    return jobs_judge(&l->facts, &l->move, err);
}

static int put_run(struct job_task *j, const struct job_look *l, const struct rec_job_run *run,
                   const char *kind, struct err *err)
{
    struct tx *tx;
    int rc = 0;

    if (engine_tx(
            j->engine,
            &(struct engine_event){ .kind = str_from_c(kind),
                                    .subject = str_fmt(&j->round, "job/%.*s", STR_ARG(run->job)),
                                    .env = run->env },
            &tx, err))
        return err->code;
    if (l->move.act == JOBS_REPLACE)
        rc = job_rows_make_way(tx, l->runs, l->facts.n_runs, err);
    return tx_finish(tx, rc ? rc : tx_put(tx, REC_job_run, run, err), err);
}

/* What is due has a row from now on, whether it runs or not: it is never due again. */
static int note_due(struct job_task *j, const struct job_look *l, const struct digest *revision,
                    struct err *err)
{
    int skips = l->move.act == JOBS_SKIP;
    const struct rec_job_run run = {
        .env = l->row.env,
        .job = l->row.name,
        .at_ms = l->move.at_ms,
        .cause = S("schedule"),
        .actor = ENGINE_ACTOR,
        .state = skips ? S("skipped") : S("waiting"),
        .provider = l->row.provider,
        .owner = S(""),
        .revision = *revision,
        .began_ms = REC_NONE,
        .ended_ms = skips ? l->facts.now_ms : REC_NONE,
        .exit = REC_NONE,
        .message = skips ? S("the one before still runs") : STR_NONE,
    };
    if (l->move.act == JOBS_NOTHING)
        return 0;
    return put_run(j, l, &run, skips ? "job.skipped" : "job.due", err);
}

/* Rows of one job. */
static int forget(struct job_task *j, const struct rec_job_run *runs, size_t n, struct err *err)
{
    struct tx *tx;
    int rc = 0;

    if (!n)
        return 0;
    if (engine_tx(
            j->engine,
            &(struct engine_event){ .kind = S("job.forgotten"),
                                    .subject = str_fmt(&j->round, "job/%.*s", STR_ARG(runs[0].job)),
                                    .env = runs[0].env },
            &tx, err))
        return err->code;
    for (size_t i = 0; i < n && !rc; i++)
        rc = tx_remove(tx, REC_job_run, &runs[i], err);
    return tx_finish(tx, rc, err);
}

/* Rows of old runs go. */
static int prune(struct job_task *j, const struct job_look *l, struct err *err)
{
    struct rec_job_run *old = arena_new_n(&j->round, struct rec_job_run, l->facts.n_runs);
    size_t n = 0;

    if (!old)
        return arena_status(&j->round, err);
    for (size_t i = 0; i < l->facts.n_runs; i++)
        if (jobs_is_old(&l->runs[i], i) && !l->runs[i].is_left)
            old[n++] = l->runs[i];
    return forget(j, old, n, err);
}

/* Nor do those of a job that was removed or renamed stay, once they are over. */
static int prune_gone(struct job_task *j, struct err *err)
{
    struct rec_job_run *rows;
    size_t n, first = 0;

    if (DB_SELECT(
            j->engine->db, &j->round, job_run,
            "WHERE env = $1 AND state NOT IN ('waiting', 'running') AND is_left = 0 AND job IN"
            " (SELECT name FROM resources WHERE env = $1 AND kind = 'job'"
            " AND valid_to IS NULL AND status = 'gone') ORDER BY job LIMIT $2",
            &rows, &n, err, DB_T(j->env->uid), DB_I(JOB_RUNS_MAX)))
        return err->code;
    for (size_t i = 1; i <= n; i++) {
        if (i < n && str_eq(rows[i].job, rows[first].job))
            continue;
        if (forget(j, &rows[first], i - first, err))
            return err->code;
        first = i;
    }
    return 0;
}

static int look_at_job(struct job_task *j, const struct rec_resource *row,
                       const struct digest *revision, struct err *err)
{
    struct job_look l = { .row = *row };

    if (look_facts(j, &l, err) || prune(j, &l, err))
        return err->code;
    if (l.move.next_ms < j->next_ms)
        j->next_ms = l.move.next_ms;
    return j->is_held ? 0 : note_due(j, &l, revision, err);
}

static int find_held(struct job_task *j, struct err *err)
{
    struct rec_hold *holds;
    size_t n, i = 0;

    if (holds_active(j->engine->db, &j->round, j->env->uid, clock_task_due_ms(&j->engine->clock),
                     &holds, &n, err))
        return err->code;
    while (i < n && holds[i].service.p)
        i++;
    j->is_held = i < n || j->engine->options.hold_all || clock_task_is_suspect(&j->engine->clock);
    return 0;
}

/* Of jobs that are not asked for any more too. */
static int find_open(struct job_task *j, struct err *err)
{
    struct rec_job_run *rows;
    size_t n;

    if (DB_SELECT(j->engine->db, &j->round, job_run,
                  "WHERE env = $1 AND (state IN ('waiting', 'running') OR is_left = 1)"
                  " ORDER BY job, at_ms",
                  &rows, &n, err, DB_T(j->env->uid)))
        return err->code;
    j->open.p = rows;
    j->open.n = n;
    return 0;
}

static int job_look(struct task *t, struct err *err)
{
    struct job_task *j = job_of(t);
    struct rec_environment env;
    struct rec_resource *jobs;
    size_t n;

    j->next_ms = TZ_NEVER;
    j->open.n = 0;
    if (environments_by_uid(j->engine->db, &j->round, j->env->uid, &env, err) ||
        find_held(j, err) ||
        DB_SELECT(j->engine->db, &j->round, resource,
                  "WHERE env = $1 AND kind = 'job' AND valid_to IS NULL AND status <> 'gone'"
                  " ORDER BY name",
                  &jobs, &n, err, DB_T(j->env->uid)))
        return err->code;
    for (size_t i = 0; i < n && !digest_is_none(&env.live_rev); i++)
        if (look_at_job(j, &jobs[i], &env.live_rev, err))
            return err->code;
    return prune_gone(j, err) ? err->code : find_open(j, err);
}

/* --- on the loop --------------------------------------------------------------------------------- */

static struct job_run *find_run(const struct job_task *j, const struct rec_job_run *row)
{
    struct job_run *r = j->runs;

    while (r && !(str_eq(r->row.job, row->job) && r->row.at_ms == row->at_ms))
        r = r->next;
    return r;
}

static int waits_for_another(const struct job_task *j, const struct rec_job_run *row)
{
    for (size_t i = 0; i < j->open.n; i++)
        if (str_eq(j->open.p[i].job, row->job) && jobs_is_ending(&j->open.p[i]))
            return 1;
    return 0;
}

/* What is over leaves; what has a row and nobody has it in hand is begun, or gone on with. */
static void job_begin(struct job_task *j)
{
    for (size_t i = 0; i < j->open.n; i++) {
        struct job_run *r = find_run(j, &j->open.p[i]);

        if (r && jobs_is_ending(&j->open.p[i]))
            job_run_make_way(r);
    }
    for (size_t i = 0; i < j->open.n; i++) {
        const struct rec_job_run *row = &j->open.p[i];
        int is_new = str_eq_c(row->state, "waiting");
        struct job_run *r;

        if (find_run(j, row) || (is_new && (j->is_held || waits_for_another(j, row))))
            continue;
        if (is_new)
            CRASH_POINT(JOB_AFTER_DUE);
        r = job_run_start(j, row);
        if (!r)
            continue;
        r->next = j->runs;
        j->runs = r;
    }
}

void job_task_ended(struct task *t, void *ctx)
{
    struct job_run *r = container_of(t, struct job_run, task), **at;
    struct job_task *j = ctx;

    if (j->engine->stopping)
        return; /* freed with the environment */
    for (at = &j->runs; *at != r; at = &(*at)->next)
        PRE(*at != NULL);
    *at = r->next;
    job_run_fini(r);
    job_task_wake(j);
}

static enum task_verdict job_rest(struct job_task *j)
{
    struct task *t = &j->task;
    int64_t ahead_ms = j->next_ms == TZ_NEVER ? TZ_NEVER : j->next_ms - loop_wall_ms(t->loop);

    if (t->rc < 0)
        LOG(LOG_WARN, "jobs cannot be looked at, tried again", LOG_S("env", j->env->name),
            LOG_C("err", t->err.text));
    if (t->rc < 0 || ahead_ms > JOB_LOOK_MS)
        ahead_ms = t->rc >= 0 && j->next_ms == TZ_NEVER ? TZ_NEVER : JOB_LOOK_MS;
    t->rc = 0;
    j->open.n = 0;
    arena_reset(&j->round);
    j->is_resting = !t->signalled;
    engine_settled(j->engine);
    wait_signal_start(
        t, ahead_ms == TZ_NEVER ? -1 : loop_mono_ms(t->loop) + (ahead_ms > 0 ? ahead_ms : 0));
    return task_then(t, JOB_LOOK);
}

static enum task_verdict job_step(struct task *t)
{
    struct job_task *j = job_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case JOB_REST:
        return job_rest(j);
    case JOB_LOOK:
        t->rc = j->is_resting = 0;
        if (!j->env->uid.p || j->env->is_suspect) {
            j->next_ms = TZ_NEVER;
            return task_goto(t, JOB_REST);
        }
        wait_work_start(t, POOL_STATE, job_look);
        return task_then(t, JOB_BEGIN);
    case JOB_BEGIN:
        job_begin(j);
        return task_goto(t, JOB_REST);
    }
    UNREACHABLE();
}

void job_task_start(struct job_task *j, struct engine *e, struct env_task *env)
{
    *j = (struct job_task){ .engine = e, .env = env, .next_ms = TZ_NEVER };
    arena_init(&j->round, JOB_ROUND_MAX);
    task_start(&j->task, e->loop, "jobs", job_states, N_ELEMENTS(job_states), JOB_LOOK, job_step,
               engine_task_ended, e);
}

void job_task_wake(struct job_task *j)
{
    j->is_resting = 0;
    wait_signal(&j->task);
}

int job_task_is_settled(const struct job_task *j)
{
    for (const struct job_run *r = j->runs; r; r = r->next)
        if (!job_run_may_be_left(r))
            return 0;
    return j->is_resting;
}

void job_task_stop(struct job_task *j)
{
    for (struct job_run *r = j->runs; r; r = r->next)
        task_cancel(&r->task, ERR_CANCELLED);
    task_cancel(&j->task, ERR_CANCELLED);
}

void job_task_fini(struct job_task *j)
{
    while (j->runs) {
        struct job_run *r = j->runs;

        j->runs = r->next;
        job_run_fini(r);
    }
    arena_fini(&j->round);
}
