/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_parts.h"

#include "base/crash.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "state/journal.h"

#define OP_BUSY_MS 100 /* another operation of the resource is open: asks again, ever slower */
#define OP_BUSY_DOUBLES_MAX 5
#define OP_POLL_MIN_MS 50 /* between looks at what is pending */
#define OP_TRIED_OFTEN 5  /* `once` waits no longer */
#define OP_ARENA_MAX (32u << 20)

enum {
    OP_EXPORT,
    OP_EXPORTED,
    OP_CLAIM,
    OP_TAKE,
    OP_RECOVER,
    OP_SLOT,
    OP_ACT,
    OP_WAIT,
    OP_SETTLE,
    OP_JUDGE,
    OP_LOOK,
    OP_COMMIT,
    OP_BACKOFF,
    OP_AGAIN,
    OP_RETRY,
    OP_END,
    OP_OVER,
};

/* clang-format off */
static const struct task_state op_states[] = {
    /*               name       successors                                          on error     deadline_ms: the host's */
    [OP_EXPORT]  = { "EXPORT",  TO2(OP_EXPORTED, OP_CLAIM),                         OP_EXPORTED,   0 }, /* the worker's */
    [OP_EXPORTED] = { "EXPORTED", TO2(OP_CLAIM, OP_OVER),                           NO_ERROR_EDGE, 0 },
    [OP_CLAIM]   = { "CLAIM",   TO(OP_CLAIM) | TO3(OP_SLOT, OP_TAKE, OP_OVER),      OP_CLAIM,      0 }, /* busy: asks again */
    [OP_TAKE]    = { "TAKE",    TO2(OP_TAKE, OP_RECOVER),                           OP_TAKE,       0 }, /* of a former life */
    [OP_RECOVER] = { "RECOVER", TO3(OP_SLOT, OP_LOOK, OP_END),                      NO_ERROR_EDGE, 0 },
    [OP_SLOT]    = { "SLOT",    TO3(OP_SLOT, OP_ACT, OP_LOOK),                      NO_ERROR_EDGE, 0 }, /* so many act at one time */
    [OP_ACT]     = { "ACT",     TO(OP_SETTLE),                                      OP_SETTLE,     0 }, /* we may have acted, so we record and look */
    [OP_WAIT]    = { "WAIT",    TO(OP_ACT),                                         OP_SETTLE,     0 }, /* no thread is held meanwhile */
    [OP_SETTLE]  = { "SETTLE",  TO2(OP_JUDGE, OP_BACKOFF) | TO2(OP_END, OP_OVER),   OP_BACKOFF,    0 }, /* cannot write: look later */
    [OP_JUDGE]   = { "JUDGE",   TO(OP_WAIT) | TO3(OP_LOOK, OP_BACKOFF, OP_END),     NO_ERROR_EDGE, 0 },
    [OP_LOOK]    = { "LOOK",    TO(OP_COMMIT),                                      OP_COMMIT,     0 }, /* believe the world, not the answer */
    [OP_COMMIT]  = { "COMMIT",  TO2(OP_BACKOFF, OP_END),                            NO_ERROR_EDGE, 0 },
    [OP_BACKOFF] = { "BACKOFF", TO(OP_AGAIN),                                       OP_AGAIN,      0 }, /* woken early: nobody wants it any more */
    [OP_AGAIN]   = { "AGAIN",   TO3(OP_RETRY, OP_LOOK, OP_SLOT),                    NO_ERROR_EDGE, 0 },
    [OP_RETRY]   = { "RETRY",   TO(OP_SLOT),                                        OP_BACKOFF,    0 },
    [OP_END]     = { "END",     TO(OP_OVER),                                        OP_BACKOFF,    0 },
    [OP_OVER]    = { "OVER",    0,                                                  NO_ERROR_EDGE, 0 },
};
/* clang-format on */

const char *op_end_name(enum op_end end)
{
    static const char *const names[] = {
        NULL, "done", "failed", "superseded", "cancelled", "parked"
    };

    return names[end];
}

static enum task_verdict op_go(struct op_task *op, enum op_next next)
{
    static const int states[] = { [OP_NEXT_WAIT] = OP_WAIT,
                                  [OP_NEXT_LOOK] = OP_LOOK,
                                  [OP_NEXT_BACKOFF] = OP_BACKOFF,
                                  [OP_NEXT_END] = OP_END };

    return task_goto(&op->task, states[next]);
}

/* What outlives the process is clamped to its length, never repeated. */
static void op_set_deadline(struct op_task *op)
{
    int64_t length_ms = op_write_length_ms(op),
            left_ms = op->was_open ? op->rec.deadline_ms - loop_wall_ms(op->task.loop) : length_ms;

    op->settled_mono_ms = loop_mono_ms(op->task.loop);
    op->deadline_mono_ms = op->settled_mono_ms + (left_ms < 0           ? 0
                                                  : left_ms > length_ms ? length_ms
                                                                        : left_ms);
}

/* A row from a former life: look before anything is repeated (the table of PROTOCOL 1). */
static enum task_verdict op_recover(struct op_task *op)
{
    op_set_deadline(op);
    op->recovers = 1;
    op->answer.verdict = RV_RETRY; /* what it said died with it */
    if (str_eq_c(op->rec.phase, "SETTLED") && kit_verdict_from_name(op->rec.verdict) >= 0)
        op->answer.verdict = (enum rv_verdict)kit_verdict_from_name(op->rec.verdict);
    if (op->rec.deaths >= JOURNAL_DEATHS_MAX) {
        op_write_keep(op, &op->rec.message, S("the daemon died here again and again"));
        return op_go(op, op_finish(op, OP_IS_PARKED));
    }
    return task_goto(&op->task, op->rec.token.n ? OP_SLOT : OP_LOOK);
}

static enum task_verdict op_take(struct op_task *op)
{
    struct task *t = &op->task;

    if (t->rc) {
        if (!op->is_refused)
            LOG(LOG_ERROR, "operation cannot be taken up, tried again", LOG_S("op", op->rec.uid),
                LOG_C("err", t->err.text));
        op->is_refused = 1;
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, OP_TAKE);
    }
    wait_work_start(t, POOL_STATE, op_write_taken);
    return task_then(t, OP_RECOVER);
}

/* Nothing was written: the resource is busy, a row could not be written, or something is missing. */
static enum task_verdict op_claim_again(struct op_task *op)
{
    struct task *t = &op->task;
    enum err_class class = err_class(t->rc);
    int doubles = op->n_busy < OP_BUSY_DOUBLES_MAX ? op->n_busy : OP_BUSY_DOUBLES_MAX;

    if (t->rc == ERR_CANCELLED || op->gives_up) { /* there is nothing to do, or nobody wants it */
        op->end = t->rc == ERR_CANCELLED ? OP_IS_DONE : OP_IS_CANCELLED;
        return task_goto(t, OP_OVER);
    }
    if (class != ERR_CLASS_WAIT && class != ERR_CLASS_RETRY && !op->for_ever) {
        op->end = OP_IS_FAILED;
        return task_goto(t, OP_OVER);
    }
    op->n_busy++;
    wait_until_start(t, loop_mono_ms(t->loop) + ((int64_t)OP_BUSY_MS << doubles));
    return task_then(t, OP_CLAIM);
}

/* As if it had not been tried: it may be busy for as long as another plan runs. */
static void op_forget(struct op_task *op)
{
    arena_reset(&op->arena);
    op->resource = (struct rec_resource){ 0 };
    op->body = STR_NONE;
    op->asked = NULL;
    op->about[0].value = STR_NONE;
    op->rec = (struct rec_operation){ .plan = op->run->plan_id,
                                      .item = (int64_t)op->index,
                                      .step = op->item->step,
                                      .env = op->run->plan.env_uid };
}

static enum task_verdict op_claim(struct op_task *op)
{
    struct task *t = &op->task;

    if (op->was_open)
        return task_goto(t, OP_TAKE);
    if (t->rc)
        return op_claim_again(op);
    op_forget(op);
    wait_work_start(t, POOL_STATE, op_write_claim);
    return task_then(t, OP_SLOT);
}

/* What a build is made of lies in the provider's `exports` before it is asked to build. One that keeps nothing on the
 * disk builds nothing either. */
static enum task_verdict op_export(struct op_task *op)
{
    int is_built = !op->was_open && op->item->action == PLAN_RUN &&
                   str_eq_c(op->item->kind, "artifact");
    const struct provider *p = engine_provider(op->engine, op->item->provider);
    const struct env_task *env = is_built ? engine_env(op->engine, op->rec.env) : NULL;
    struct str directory = p ? value_get_text(p->config, S("directory"), S("")) : S("");

    if (!directory.n || !env || !env->source)
        return task_goto(&op->task, OP_CLAIM);
    op->export = (struct source_export){
        .commit = op->run->commit_id,
        .path = value_get_text(op->item->desired, S("export"), S(".")),
        .dest = str_fmt(&op->arena, "%.*s/exports/%.*s", STR_ARG(directory),
                        STR_ARG(value_get_text(op->item->desired, S("key"), S("")))),
    };
    env->source->source->ops->export(env->source->source, &op->task, &op->arena, &op->export,
                                     &op->call);
    return task_then(&op->task, OP_EXPORTED);
}

static enum task_verdict op_exported(struct op_task *op)
{
    const struct env_task *env = engine_env(op->engine, op->rec.env);
    struct source_exported exported;
    int rc = op->task.rc;

    if (!rc)
        rc = env->source->source->ops->export_parse(&op->arena, &op->call, &exported,
                                                    &op->task.err);
    if (rc && rc != ERR_CONFLICT) { /* conflict: it is there already, whole */
        op->end = OP_IS_FAILED;
        return task_goto(&op->task, OP_OVER);
    }
    op->task.rc = 0;
    return task_goto(&op->task, OP_CLAIM);
}

/* Nobody was asked: nothing is written, no attempt counts, and it asks again when the provider may answer. */
static enum task_verdict op_settle_refused(struct op_task *op)
{
    return op_go(op, op_is_overdue(op) ? op_finish(op, OP_IS_FAILED)
                                       : op_backoff(op, LATER_ACT, op->answer.again_ms));
}

/* The call did not come to an answer of the driver. */
static void op_note_failed_call(struct op_task *op)
{
    int is_ours = err_class(op->task.rc) == ERR_CLASS_USER;

    op->answer.verdict = is_ours ? RV_USER : RV_RETRY;
    op->answer.acted = is_ours ? RV_ACTED_NO : RV_ACTED_MAYBE;
    op->answer.again_ms = 0;
    op->answer.message = str_copy(op_round(op), str_from_c(op->task.err.text));
}

/* What brings traffic back never waits behind the others; what only stops and clears away can. */
static void op_start_call(struct op_task *op, wait_work_fn *call)
{
    if (op->item->lane == LANE_REVERT && op->item->action != PLAN_DELETE)
        wait_work_start(&op->task, POOL_REVERT, call);
    else
        provider_line_start(op->engine, &op->task, op->rec.provider, call);
}

/* Its row stands; it acts when others have made room. */
static enum task_verdict op_slot(struct op_task *op)
{
    struct task *t = &op->task;

    if (op->gives_up) {
        op_slot_leave(op);
        return task_goto(t, OP_LOOK);
    }
    if (op_slot_take(op))
        return task_goto(t, OP_ACT);
    wait_signal_start(t, -1);
    return task_then(t, OP_SLOT);
}

static enum task_verdict op_step(struct task *t)
{
    struct op_task *op = op_of(t);

    op->about[0].value = op->rec.uid; /* which the work has given it meanwhile */
    if (t->cancelled)
        return task_done(t); /* the row stays open: the next life looks */
    switch (t->state) {
    case OP_EXPORT:
        return op_export(op);
    case OP_EXPORTED:
        return op_exported(op);
    case OP_CLAIM:
        return op_claim(op);
    case OP_TAKE:
        return op_take(op);
    case OP_RECOVER:
        return op_recover(op);
    case OP_SLOT:
        return op_slot(op);
    case OP_ACT:
        if (!op->deadline_mono_ms)
            op_set_deadline(op);
        op_start_call(op, op_call_act);
        return task_then(t, OP_SETTLE);
    case OP_WAIT:
        CRASH_POINT(OP_AFTER_PENDING);
        wait_until_start(t, loop_mono_ms(t->loop) + (op->answer.again_ms > OP_POLL_MIN_MS
                                                         ? op->answer.again_ms
                                                         : OP_POLL_MIN_MS));
        return task_then(t, OP_ACT);
    case OP_SETTLE:
        if (!t->rc && op->answer.is_refused)
            return op_settle_refused(op);
        if (t->rc)
            op_note_failed_call(op);
        if (op->answer.verdict != RV_PENDING) /* it acts no more */
            op_slot_leave(op);
        op->settled_mono_ms = loop_mono_ms(t->loop);
        if (!t->rc && op_is_proven(op)) {
            op->end = OP_IS_DONE;
            wait_work_start(t, POOL_STATE, op_write_done);
            return task_then(t, OP_OVER);
        }
        wait_work_start(t, POOL_STATE, op_write_settled);
        return task_then(t, OP_JUDGE);
    case OP_JUDGE:
        return op_go(op, op_judge_answer(op));
    case OP_LOOK:
        op_start_call(op, op_call_look);
        return task_then(t, OP_COMMIT);
    case OP_COMMIT:
        return op_go(op, op_judge_look(op));
    case OP_BACKOFF:
        op_slot_leave(op);
        if (t->rc) { /* a row could not be written */
            if (!op->is_refused)
                LOG(LOG_ERROR, "operation cannot be written, tried again", LOG_S("op", op->rec.uid),
                    LOG_C("err", t->err.text));
            op->is_refused = 1;
            op->look_again = 1;
            op->again_at_ms = loop_mono_ms(t->loop) + RETRY_FIRST_MS;
        }
        if (op->gives_up && !op->look_again)
            return task_goto(t, OP_AGAIN);
        wait_signal_start(t, op->again_at_ms);
        return task_then(t, OP_AGAIN);
    case OP_AGAIN:
        t->rc = 0; /* the time is over, or it was woken */
        return task_goto(t, op->look_again || op->gives_up ? OP_LOOK
                            : op->answer.is_refused        ? OP_SLOT
                                                           : OP_RETRY);
    case OP_RETRY:
        wait_work_start(t, POOL_STATE, op_write_retry);
        return task_then(t, OP_SLOT);
    case OP_END:
        op_slot_leave(op);
        wait_work_start(t, POOL_STATE, op_write_end);
        return task_then(t, OP_OVER);
    case OP_OVER:
        CRASH_POINT(OP_AFTER_VERIFIED);
        return task_done(t);
    }
    UNREACHABLE();
}

void op_task_start(struct op_task *op, struct run *run, size_t index, const struct op_found *found,
                   task_ended *ended, void *ctx)
{
    *op = (struct op_task){
        .engine = run->engine, .run = run, .index = index, .item = &run->plan.items.p[index]
    };
    arena_init(&op->arena, OP_ARENA_MAX);
    arena_init(&op->rounds[0], OP_ARENA_MAX);
    arena_init(&op->rounds[1], OP_ARENA_MAX);
    op->for_ever = op->item->lane != LANE_MAIN || op->item->action == PLAN_DELETE;
    if (found) {
        op->rec = found->rec;
        op->body = found->body;
        op->resource = found->resource;
        op->was_open = 1;
    } else {
        op_forget(op);
    }
    task_start(&op->task, run->engine->loop, "op", op_states, N_ELEMENTS(op_states), OP_EXPORT,
               op_step, ended, ctx);
    op->about[0] = (struct log_field)LOG_S("op", op->rec.uid);
    op->about[1] = run->about[0];
    op->about[2] = run->about[1];
    op->task.about = op->about;
}

int op_task_is_backing_off(const struct op_task *op)
{
    return op->task.state == OP_BACKOFF && !op->look_again;
}

int op_task_is_stuck(const struct op_task *op)
{
    return op->task.state == OP_BACKOFF &&
           (op->rec.attempt >= OP_TRIED_OFTEN || op->n_blind >= OP_TRIED_OFTEN);
}

void op_task_give_up(struct op_task *op)
{
    op->gives_up = 1;
    if (op->task.state == OP_BACKOFF || op->is_waiting)
        wait_signal(&op->task);
}

void op_task_fini(struct op_task *op)
{
    op_slot_drop(op);
    arena_fini(&op->rounds[0]);
    arena_fini(&op->rounds[1]);
    arena_fini(&op->arena);
}
