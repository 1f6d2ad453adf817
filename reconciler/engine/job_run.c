/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/job_run.h"

#include "base/alloc.h"
#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/jobs.h"
#include "reconciler/core/retry.h"
#include "reconciler/core/rollout_items.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/fill.h"
#include "reconciler/engine/job_task.h"
#include "reconciler/engine/op_outputs.h"
#include "reconciler/engine/secret_sets.h"
#include "reconciler/engine/uids.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "state/revisions.h"

#define RUN_ARENA_MAX (16u << 20)
#define RUN_TRIED_MS (3600 * 1000) /* to start it at all */
#define RUN_WATCHED_MS 1000
#define RUN_ONCE_MS 2000 /* what ends so soon is told by the same `once` */

enum {
    RUN_LOAD,
    RUN_NEXT,
    RUN_WRITE,
    RUN_ACT,
    RUN_LOOK,
    RUN_JUDGE,
    RUN_CLEAR,
    RUN_SWEPT,
    RUN_OVER
};

/* clang-format off */
static const struct task_state job_run_states[] = {
    /*              name     successors                                                on error       deadline_ms */
    [RUN_LOAD]  = { "LOAD",  TO(RUN_NEXT),                                             RUN_NEXT,      0 },
    [RUN_NEXT]  = { "NEXT",  TO3(RUN_LOAD, RUN_NEXT, RUN_WRITE) | TO3(RUN_ACT, RUN_LOOK, RUN_CLEAR) | TO(RUN_OVER), RUN_NEXT, 0 }, /* waits here; woken: replaced */
    [RUN_WRITE] = { "WRITE", TO(RUN_NEXT),                                             RUN_NEXT,      0 },
    [RUN_ACT]   = { "ACT",   TO(RUN_JUDGE),                                            RUN_JUDGE,     0 },
    [RUN_LOOK]  = { "LOOK",  TO(RUN_JUDGE),                                            RUN_JUDGE,     0 },
    [RUN_JUDGE] = { "JUDGE", TO(RUN_NEXT),                                             NO_ERROR_EDGE, 0 },
    [RUN_CLEAR] = { "CLEAR", TO(RUN_SWEPT),                                            RUN_SWEPT,     0 },
    [RUN_SWEPT] = { "SWEPT", TO(RUN_NEXT),                                             NO_ERROR_EDGE, 0 },
    [RUN_OVER]  = { "OVER",  0,                                                        NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct job_run *run_of(struct task *t)
{
    return container_of(t, struct job_run, task);
}

static struct engine *run_engine(const struct job_run *r)
{
    return r->of->engine;
}

/* --- rows: on STATE ------------------------------------------------------------------------------ */

/* Whether it was to make way for another before this: what is there says so. */
static int run_reads(struct job_run *r, struct err *err)
{
    struct rec_job_run now = { .env = r->row.env, .job = r->row.job, .at_ms = r->row.at_ms };

    if (!jobs_is_open(&r->row))
        return 0;
    if (db_get(run_engine(r)->db, &r->own, REC_job_run, &now, err))
        return err->code;
    if (!jobs_is_open(&now))
        r->row = now;
    return 0;
}

/* What is new of it, as an event: it runs, it has ended, nothing of it is left. */
static int run_write(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    const char *kind = jobs_is_open(&r->row) ? "job.started"
                       : r->row.is_left      ? "job.ended"
                                             : "job.cleared";
    struct tx *tx;

    arena_reset(&r->round);
    r->was = r->row;
    r->is_written = 1;
    if (run_reads(r, err) || !str_eq(r->row.state, r->was.state))
        return err->code;
    if (engine_tx(
            run_engine(r),
            &(struct engine_event){ .kind = str_from_c(kind),
                                    .subject = str_fmt(&r->round, "job/%.*s", STR_ARG(r->row.job)),
                                    .env = r->row.env },
            &tx, err))
        return err->code;
    return env_row_finish(tx, tx_put(tx, REC_job_run, &r->row, err), err);
}

static void set_part(struct job_run *r, struct value *to, const struct value *from,
                     const char *name)
{
    const struct value *part = value_get(from, str_from_c(name));

    if (part)
        value_set(&r->own, to, str_from_c(name), value_copy_content(&r->own, part));
}

static int set_label(struct job_run *r, struct value *body, struct err *err)
{
    struct arena *a = &r->own;
    struct value *label = value_map(a);
    int64_t uid;

    value_set_text(a, label, S("installation"), run_engine(r)->installation);
    value_set_text(a, label, S("env"), r->env_name);
    value_set_text(a, label, S("env_uid"), r->row.env);
    value_set_text(a, label, S("resource"), str_fmt(a, "job/%.*s", STR_ARG(r->name)));
    value_set_int(a, label, S("incarnation"), 1);
    value_set_text(a, label, S("revision"), digest_hex(a, &r->row.revision));
    value_set_text(a, label, S("commit"), r->commit);
    if (str_eq_c(value_get_text(body, S("isolation"), S("")), "uid")) {
        if (uids_of(run_engine(r), a, r->row.env, &uid, err))
            return err->code;
        value_set_int(a, label, S("uid"), uid);
    }
    value_set(a, body, S("label"), label);
    return 0;
}

static int make_body(struct job_run *r, const struct value *desired, struct err *err)
{
    static const char *const taken[] = { "artifact", "command",   "environment",
                                         "limits",   "isolation", "timeout_ms" };
    const struct fill fill = { run_engine(r)->db, &r->own, r->row.env };
    struct value *body = value_map(&r->own), *filled;

    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        set_part(r, body, desired, taken[i]);
    value_set_text(&r->own, body, S("context"), rollout_items_context(desired));
    value_set_text(&r->own, body, S("on_unknown"), S("park"));
    if (fill_value(&fill, body, &filled, err) || set_label(r, filled, err))
        return err->code;
    r->body = json_format(&r->own, filled);
    return arena_status(&r->own, err);
}

static void identify(struct job_run *r, const struct value *desired)
{
    const struct identity_subject subject = { run_engine(r)->installation, r->row.env, S("job"),
                                              r->name, 1 };
    struct digest asked = digest_value(&r->own, S("item"), desired);

    r->row.owner = identity_owner(&r->own, &subject);
    r->key = identity_idempotency_key(&r->own, &subject, 0, S("run"), &asked);
}

static const struct spec_resource *find_job(const struct environment_spec *spec, struct str name)
{
    for (size_t i = 0; i < spec->resources.n; i++)
        if (str_eq_c(spec->resources.p[i].kind, "job") && str_eq(spec->resources.p[i].name, name))
            return &spec->resources.p[i];
    return NULL;
}

/* What it runs is what its revision said; so are its secrets. */
static int load_revision(struct job_run *r, struct err *err)
{
    struct engine *e = run_engine(r);
    struct rec_revision revision = { .env = r->row.env, .digest = r->row.revision };
    struct environment_spec spec;
    const struct spec_resource *job;

    if (db_get(e->db, &r->own, REC_revision, &revision, err) ||
        snapshot_load_revision(&r->own, e->db, r->row.env, &r->row.revision, &spec, err))
        return err->code;
    r->commit = revision.commit_id.p ? revision.commit_id : S("");
    job = find_job(&spec, r->row.job);
    if (!job)
        return err_set(err, ERR_NOT_FOUND, "its revision has no job '%.*s'", STR_ARG(r->row.job));
    r->row.provider = job->provider;
    r->refs = spec.secrets;
    secret_sets_collect(job->desired, &r->pins);
    if (run_rows_made(e, r->row.env, &r->made, err) || make_body(r, job->desired, err))
        return err->code;
    identify(r, job->desired);
    return arena_status(&r->own, err);
}

/* What is left of one whose revision is gone is taken away all the same; what runs is watched to its end. */
static int run_load(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    struct rec_environment env;
    int rc;

    map_init(&r->pins, &r->own);
    map_init(&r->made, &r->own);
    r->name = str_fmt(&r->own, "%.*s@%lld", STR_ARG(r->row.job), (long long)r->row.at_ms);
    if (environments_by_uid(run_engine(r)->db, &r->own, r->row.env, &env, err))
        return err->code;
    r->env_name = env.name;
    rc = load_revision(r, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    r->is_watched = rc && str_eq_c(r->row.state, "running");
    if (rc && str_eq_c(r->row.state, "waiting")) {
        r->row.state = S("failed");
        r->row.message = str_copy(&r->own, str_from_c(err->text));
        r->row.ended_ms = loop_wall_ms(t->loop);
        r->is_untold = 1;
    }
    if (rc)
        r->body = S("{}");
    *err = ERR_INIT;
    r->is_loaded = 1;
    return 0;
}

/* --- calls: on DRIVER ---------------------------------------------------------------------------- */

/* The row names it already. */
static int run_identified(void *ctx, struct rv_str id)
{
    (void)ctx;
    (void)id;
    return 0;
}

static int run_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    struct job_run *r = ctx;
    struct engine *e = run_engine(r);
    const struct secret_want want = { r->row.env, r->env_name, r->row.revision,
                                      r->refs,    &r->pins,    &r->made };
    struct err err = ERR_INIT;

    if (op_outputs_is_ref(kit_str(ref))
            ? !op_outputs_give(e, &r->task, r->row.env, a, kit_str(ref), ret, &err)
            : !secret_sets_give(e->sealed, &want, a, kit_str(ref), ret, &err))
        return 0;
    LOG(LOG_WARN, "a secret cannot be given, tried again", LOG_S("env", r->env_name),
        LOG_S("job", r->name), LOG_C("err", err.text));
    return RV_WAIT;
}

static int run_call(struct job_run *r, enum driver_call_kind kind, uint32_t action, struct err *err)
{
    const struct driver_call call = {
        .engine = run_engine(r),
        .task = &r->task,
        .provider = r->row.provider,
        .kind = kind,
        .op = { .action = action,
                .attempt = (uint32_t)r->attempt,
                .type = kit_rv(S("job")),
                .name = kit_rv(r->name),
                .key = kit_rv(action == RV_DELETE ? str_fmt(&r->round, "%.*s-", STR_ARG(r->key))
                                                  : r->key),
                .owner = kit_rv(r->row.owner),
                .id = kit_rv(kind == CALL_APPLY && action == RV_RUN ? S("") : r->row.owner),
                .desired = kit_rv(r->body),
                .expected = kit_rv(S("{}")),
                .token = kit_rv(action == RV_DELETE ? r->leaves : r->token) },
        .secret = run_secret,
        .identified = run_identified,
        .ctx = r,
    };

    return driver_call(&call, &r->round, &r->answer, err);
}

static int run_act(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);

    int rc;

    arena_reset(&r->round);
    r->is_looked = 0;
    r->attempt++;
    if (!r->token.n)
        CRASH_POINT(JOB_AFTER_STARTED);
    rc = run_call(r, r->token.n ? CALL_RESUME : CALL_APPLY, RV_RUN, err);
    if (!r->token.n)
        CRASH_POINT(JOB_AFTER_ACT);
    return rc;
}

static int run_look(struct task *t, struct err *err)
{
    arena_reset(&run_of(t)->round);
    run_of(t)->is_looked = 1;
    return run_call(run_of(t), CALL_READ, RV_NONE, err);
}

/* What runs is ended by that. */
static int run_clear(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    int rc;

    arena_reset(&r->round);
    r->token = STR_NONE;
    CRASH_POINT(JOB_AFTER_ENDED);
    rc = run_call(r, r->leaves.n ? CALL_RESUME : CALL_APPLY, RV_DELETE, err);
    CRASH_POINT(JOB_AFTER_CLEARED);
    return rc;
}

/* --- judging ------------------------------------------------------------------------------------- */

static void run_ends(struct job_run *r, const char *state, struct str message)
{
    const struct value *said = driver_answer_value(&r->own, r->answer.outputs);

    CRASH_POINT(JOB_BEFORE_ENDED);
    r->row.state = str_from_c(state);
    r->row.exit = value_get_int(said, S("exit"), REC_NONE);
    r->row.message = message.n ? str_copy(&r->own, message) : STR_NONE;
    r->row.ended_ms = loop_wall_ms(r->task.loop);
    r->is_untold = 1;
    r->attempt = 0;
    LOG(str_eq_c(r->row.state, "done") ? LOG_INFO : LOG_WARN, "a job has ended",
        LOG_S("env", r->env_name), LOG_S("job", r->name), LOG_C("state", state));
}

static void run_pauses(struct job_run *r, int64_t again_ms)
{
    int64_t delay_ms = retry_delay_ms(r->attempt, loop_random(r->task.loop));

    r->until_mono_ms = loop_mono_ms(r->task.loop) + (again_ms > delay_ms ? again_ms : delay_ms);
}

/* Asked anew: the same key is the same run. */
static void run_tries_again(struct job_run *r)
{
    r->token = STR_NONE;
    if (loop_wall_ms(r->task.loop) - r->row.began_ms > RUN_TRIED_MS)
        run_ends(r, "failed", r->answer.message);
    else
        run_pauses(r, r->answer.again_ms);
}

/* Nobody knows what it was asked for: it is believed what it says. */
static void run_judge_watched(struct job_run *r, struct str state)
{
    const struct value *said = driver_answer_value(&r->round, r->answer.outputs);

    if (r->answer.verdict == RV_ABSENT || str_eq_c(state, "lost"))
        run_ends(r, "unknown", S("nobody knows how it ended"));
    else if (r->answer.verdict == RV_DONE && str_eq_c(state, "exited"))
        run_ends(r, value_get_int(said, S("exit"), -1) ? "failed" : "done", STR_NONE);
    else
        r->until_mono_ms = loop_mono_ms(r->task.loop) + RUN_WATCHED_MS;
}

/* What was seen after a doubt. */
static void run_judge_look(struct job_run *r)
{
    struct str state = value_get_text(driver_answer_value(&r->round, r->answer.observed),
                                      S("state"), S(""));

    r->doubts = 0;
    if (r->is_watched) {
        run_judge_watched(r, state);
        return;
    }
    if (r->answer.verdict == RV_DONE && str_eq_c(state, "lost"))
        run_ends(r, "unknown", S("its keeper died: nobody knows how it ended"));
    else
        run_tries_again(r);
}

static void run_judge(struct job_run *r)
{
    if (r->task.rc < 0)
        r->answer = (struct driver_answer){ .verdict = RV_RETRY, .acted = RV_ACTED_MAYBE };
    r->task.rc = 0;
    if (r->is_looked) {
        run_judge_look(r);
    } else if (r->answer.verdict == RV_DONE) {
        run_ends(r, "done", r->answer.message);
    } else if (r->answer.verdict == RV_PENDING) {
        r->attempt = 0;
        if (!r->token.n)
            r->token = str_copy(&r->own, r->answer.token);
        r->until_mono_ms = loop_mono_ms(r->task.loop) + r->answer.again_ms;
    } else if (r->answer.verdict == RV_USER || r->answer.verdict == RV_FATAL) {
        run_ends(r, "failed", r->answer.message);
    } else if (r->answer.acted == RV_ACTED_NO) {
        run_tries_again(r);
    } else {
        r->doubts = 1;
    }
}

/* It is gone; one that was open was ended for another one. */
static void run_swept(struct job_run *r)
{
    int is_gone = r->task.rc >= 0 && r->answer.verdict == RV_DONE;

    r->task.rc = 0;
    r->attempt++;
    if (!is_gone) {
        r->leaves = r->answer.verdict == RV_PENDING ? str_copy(&r->own, r->answer.token) : STR_NONE;
        run_pauses(r, r->answer.again_ms);
        return;
    }
    if (jobs_is_open(&r->row))
        jobs_make_way(&r->row, 0);
    if (jobs_is_ending(&r->row))
        r->row.ended_ms = loop_wall_ms(r->task.loop);
    r->row.is_left = 0;
    r->is_untold = 1;
}

/* --- steps --------------------------------------------------------------------------------------- */

static enum task_verdict run_work(struct job_run *r, enum loop_pool pool, wait_work_fn *fn,
                                  int next)
{
    wait_work_start(&r->task, pool, fn);
    return task_then(&r->task, next);
}

static enum task_verdict run_asks(struct job_run *r, wait_work_fn *fn, int state)
{
    provider_line_start(run_engine(r), &r->task, r->row.provider, fn);
    return task_then(&r->task, state);
}

/* Told is what is durable: what was written with others may be lost with them. */
static void run_is_written(struct job_run *r)
{
    r->is_written = 0;
    if (r->task.rc < 0)
        r->row = r->was;
    else
        r->is_untold = 0;
}

/* The row before the effect, its end before what it leaves goes. */
static enum task_verdict run_next(struct job_run *r)
{
    struct task *t = &r->task;

    if (r->is_written)
        run_is_written(r);
    if (t->rc < 0 && !r->rests) { /* rows that cannot be read or written */
        r->attempt++;
        run_pauses(r, 0);
    }
    t->rc = r->rests = 0; /* a rest that ended by time is no trouble */
    if (r->until_mono_ms > loop_mono_ms(t->loop) && !(r->makes_way && r->token.n)) {
        r->rests = 1;
        engine_settled(run_engine(r));
        wait_signal_start(t, r->until_mono_ms);
        return task_then(t, RUN_NEXT);
    }
    if (!r->is_loaded)
        return task_goto(t, RUN_LOAD);
    if (!r->is_untold && str_eq_c(r->row.state, "waiting")) {
        r->row.state = S("running");
        r->row.began_ms = loop_wall_ms(t->loop);
        r->row.is_left = r->is_untold = 1;
    }
    if (r->is_untold)
        return task_goto(t, RUN_WRITE);
    if (!jobs_is_open(&r->row) && !r->row.is_left)
        return task_goto(t, RUN_OVER);
    if (r->makes_way || !jobs_is_open(&r->row))
        return task_goto(t, RUN_CLEAR);
    return task_goto(t, r->doubts || r->is_watched ? RUN_LOOK : RUN_ACT);
}

static enum task_verdict job_run_step(struct task *t)
{
    struct job_run *r = run_of(t);

    if (t->cancelled)
        return task_done(t); /* its row says where it goes on */
    switch (t->state) {
    case RUN_LOAD:
        return run_work(r, POOL_STATE, run_load, RUN_NEXT);
    case RUN_NEXT:
        return run_next(r);
    case RUN_WRITE:
        return run_work(r, POOL_STATE, run_write, RUN_NEXT);
    case RUN_ACT:
        return run_asks(r, run_act, RUN_JUDGE);
    case RUN_LOOK:
        return run_asks(r, run_look, RUN_JUDGE);
    case RUN_JUDGE:
        run_judge(r);
        return task_goto(t, RUN_NEXT);
    case RUN_CLEAR:
        return run_asks(r, run_clear, RUN_SWEPT);
    case RUN_SWEPT:
        run_swept(r);
        return task_goto(t, RUN_NEXT);
    case RUN_OVER:
        return task_done(t);
    }
    UNREACHABLE();
}

struct job_run *job_run_start(struct job_task *of, const struct rec_job_run *row)
{
    struct job_run *r = alloc_zero(sizeof(*r));

    if (!r)
        return NULL; /* the next look finds it so */
    r->of = of;
    arena_init(&r->own, RUN_ARENA_MAX);
    arena_init(&r->round, RUN_ARENA_MAX);
    r->since_mono_ms = loop_mono_ms(of->engine->loop);
    r->row = *row;
    r->row.env = str_copy(&r->own, row->env);
    r->row.job = str_copy(&r->own, row->job);
    r->row.cause = str_copy(&r->own, row->cause);
    r->row.actor = str_copy(&r->own, row->actor);
    r->row.state = str_copy(&r->own, row->state);
    r->row.provider = str_copy(&r->own, row->provider);
    r->row.owner = str_copy(&r->own, row->owner);
    r->row.message = str_copy(&r->own, row->message);
    task_start(&r->task, of->engine->loop, "job_run", job_run_states, N_ELEMENTS(job_run_states),
               RUN_LOAD, job_run_step, job_task_ended, of);
    r->task.about = of->env->about;
    return r;
}

void job_run_make_way(struct job_run *r)
{
    if (!jobs_is_open(&r->row) || r->makes_way)
        return;
    r->makes_way = 1;
    wait_signal(&r->task);
}

int job_run_may_be_left(const struct job_run *r)
{
    return r->rests && loop_mono_ms(r->task.loop) - r->since_mono_ms >= RUN_ONCE_MS;
}

void job_run_fini(struct job_run *r)
{
    arena_fini(&r->round);
    arena_fini(&r->own);
    alloc_free(r);
}
