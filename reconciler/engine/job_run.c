/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/job_run.h"

#include "base/alloc.h"
#include "base/crash.h"
#include "base/log.h"
#include "reconciler/core/jobs.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/job_run_parts.h"

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

static enum task_verdict run_work(struct job_run *r, wait_work_fn *fn)
{
    wait_work_start(&r->task, POOL_STATE, fn);
    return task_then(&r->task, RUN_NEXT);
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
        return run_work(r, job_run_rows_load);
    case RUN_NEXT:
        return run_next(r);
    case RUN_WRITE:
        return run_work(r, job_run_rows_write);
    case RUN_ACT:
        return run_asks(r, job_run_call_act, RUN_JUDGE);
    case RUN_LOOK:
        return run_asks(r, job_run_call_look, RUN_JUDGE);
    case RUN_JUDGE:
        run_judge(r);
        return task_goto(t, RUN_NEXT);
    case RUN_CLEAR:
        return run_asks(r, job_run_call_clear, RUN_SWEPT);
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
