/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_task.h"

#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/judge.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/op_rows.h"
#include "reconciler/engine/run.h"
#include "specs/json_io.h"
#include "state/journal.h"

#define OP_LOOK_EVERY_MS 250   /* while the world may still be catching up */
#define OP_CONSISTENCY_MS 5000 /* after it says done */
#define OP_BUSY_MS 100 /* another operation of the resource is open: asks again, ever slower */
#define OP_BUSY_DOUBLES_MAX 5
#define OP_POLL_MIN_MS 50      /* between looks at what is pending */
#define OP_AFTER_MAX_MS 900000 /* the longest that a provider may ask to be left alone */
#define OP_DEADLINE_MS 3600000 /* of an operation that names none */
#define OP_ARENA_MAX (32u << 20)

enum {
    OP_EXPORT,
    OP_EXPORTED,
    OP_CLAIM,
    OP_TAKE,
    OP_RECOVER,
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
    [OP_CLAIM]   = { "CLAIM",   TO(OP_CLAIM) | TO3(OP_ACT, OP_TAKE, OP_OVER),       OP_CLAIM,      0 }, /* busy: asks again */
    [OP_TAKE]    = { "TAKE",    TO2(OP_TAKE, OP_RECOVER),                           OP_TAKE,       0 }, /* of a former life */
    [OP_RECOVER] = { "RECOVER", TO3(OP_ACT, OP_LOOK, OP_END),                       NO_ERROR_EDGE, 0 },
    [OP_ACT]     = { "ACT",     TO(OP_SETTLE),                                      OP_SETTLE,     0 }, /* we may have acted, so we record and look */
    [OP_WAIT]    = { "WAIT",    TO(OP_ACT),                                         OP_SETTLE,     0 }, /* no thread is held meanwhile */
    [OP_SETTLE]  = { "SETTLE",  TO(OP_JUDGE),                                       OP_BACKOFF,    0 }, /* cannot write: look later */
    [OP_JUDGE]   = { "JUDGE",   TO(OP_WAIT) | TO3(OP_LOOK, OP_BACKOFF, OP_END),     NO_ERROR_EDGE, 0 },
    [OP_LOOK]    = { "LOOK",    TO(OP_COMMIT),                                      OP_COMMIT,     0 }, /* believe the world, not the answer */
    [OP_COMMIT]  = { "COMMIT",  TO2(OP_BACKOFF, OP_END),                            NO_ERROR_EDGE, 0 },
    [OP_BACKOFF] = { "BACKOFF", TO(OP_AGAIN),                                       OP_AGAIN,      0 }, /* woken early: nobody wants it any more */
    [OP_AGAIN]   = { "AGAIN",   TO2(OP_RETRY, OP_LOOK),                             NO_ERROR_EDGE, 0 },
    [OP_RETRY]   = { "RETRY",   TO(OP_ACT),                                         OP_BACKOFF,    0 },
    [OP_END]     = { "END",     TO(OP_OVER),                                        OP_BACKOFF,    0 },
    [OP_OVER]    = { "OVER",    0,                                                  NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct op_task *op_of(struct task *t)
{
    return container_of(t, struct op_task, task);
}

const char *op_end_name(enum op_end end)
{
    static const char *const names[] = {
        NULL, "done", "failed", "superseded", "cancelled", "parked"
    };

    return names[end];
}

/* --- memory -------------------------------------------------------------------------------------- */

static struct arena *op_round(struct op_task *op)
{
    return &op->rounds[op->round];
}

/* What was said last stays, what was said before it goes. */
static void op_next_round(struct op_task *op)
{
    struct arena *a = &op->rounds[!op->round];
    struct driver_answer *x = &op->answer;
    struct str *texts[] = { &x->id, &x->observed, &x->outputs, &x->token, &x->message };

    arena_reset(a);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        *texts[i] = str_copy(a, *texts[i]);
    op->round = !op->round;
}

/* Into the row, which outlives the round. */
static void op_keep(struct op_task *op, struct str *member, struct str text)
{
    if (!text.n)
        *member = STR_NONE;
    else if (!member->p || !str_eq(*member, text))
        *member = str_copy(&op->arena, text);
}

/* --- writing: on STATE --------------------------------------------------------------------------- */

static int op_begin_event(struct op_task *op, struct str kind, struct tx **ret, struct err *err)
{
    struct arena *a = &op->arena;

    return engine_tx(
        op->engine,
        &(struct engine_event){
            .kind = kind,
            .subject = str_fmt(a, "%.*s/%.*s", STR_ARG(op->rec.kind), STR_ARG(op->rec.name)),
            .env = op->rec.env,
            .cause = str_fmt(a, "plan:%.*s", STR_ARG(engine_short(a, &op->rec.plan))),
        },
        ret, err);
}

/* The operation's row, and what `rows` adds to it, as one event. */
typedef int op_rows_fn(struct op_task *op, struct tx *tx, struct err *err);

static int op_write(struct op_task *op, struct str kind, op_rows_fn *rows, struct err *err)
{
    struct tx *tx;

    if (op_begin_event(op, kind, &tx, err))
        return err->code;
    if ((rows && rows(op, tx, err)) || tx_put(tx, REC_operation, &op->rec, err)) {
        tx_rollback(tx);
        return err_wrap(err, "write operation of '%.*s/%.*s'", STR_ARG(op->rec.kind),
                        STR_ARG(op->rec.name));
    }
    return tx_commit(tx, err);
}

static int op_claim_rows(struct op_task *op, struct tx *tx, struct err *err)
{
    if (engine_put_document(tx, S("operation"), op->body, &op->rec.desired, err))
        return err->code;
    return op_rows_claim(op, tx, err);
}

static int64_t op_length_ms(const struct op_task *op)
{
    return value_get_int(op->item->desired, S("timeout_ms"), OP_DEADLINE_MS) + DRIVER_CALL_MS;
}

static int op_write_claim(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int64_t now_ms = loop_wall_ms(t->loop);
    int rc = op_rows_prepare(op, err);

    if (rc)
        return rc;
    CRASH_POINT(OP_BEFORE_INTENT);
    op->rec.uid = sys_uuid7(&op->arena, now_ms);
    op->rec.phase = S("INTENT");
    op->rec.outcome = STR_NONE;
    op->rec.epoch = op->engine->epoch;
    op->rec.attempt = 1;
    op->rec.expected = S("{}");
    op->rec.intent_ms = now_ms;
    op->rec.deadline_ms = now_ms + op_length_ms(op);
    op->rec.not_before_ms = op->rec.poll_at_ms = REC_NONE;
    return op_write(op, S("operation.intent"), op_claim_rows, err);
}

/* Deaths count in one phase. */
static void op_set_phase(struct op_task *op, struct str phase)
{
    if (!str_eq(op->rec.phase, phase))
        op->rec.deaths = 0;
    op->rec.phase = phase;
}

/* Before its effect is taken up again: what kills us must not loop. */
static int op_write_taken(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);

    if (op->engine->was_killed)
        op->rec.deaths = journal_next_deaths(&op->rec, op->engine->epoch);
    op->rec.epoch = op->engine->epoch;
    return op_write(op, S("operation.taken"), NULL, err);
}

static int op_write_identified(void *ctx, struct err *err)
{
    struct op_task *op = ctx;

    op_set_phase(op, S("IDENTIFIED"));
    return op_write(op, S("operation.identified"), NULL, err);
}

static int op_write_settled(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int pending = op->answer.verdict == RV_PENDING;

    op_set_phase(op, pending ? S("IDENTIFIED") : S("SETTLED"));
    op->rec.verdict = str_from_c(kit_verdict_name(op->answer.verdict));
    op->rec.acted = op->answer.acted == RV_ACTED_NO    ? S("no")
                    : op->answer.acted == RV_ACTED_YES ? S("yes")
                                                       : S("maybe");
    op_keep(op, &op->rec.message, op->answer.message);
    op_keep(op, &op->rec.token, pending ? op->answer.token : STR_NONE);
    op->rec.poll_at_ms = pending ? loop_wall_ms(t->loop) + op->answer.again_ms : REC_NONE;
    return op_write(op, pending ? S("operation.pending") : S("operation.settled"), NULL, err);
}

static int op_write_retry(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);

    op->rec.attempt++;
    op->rec.not_before_ms = REC_NONE;
    return op_write(op, S("operation.retry"), NULL, err);
}

static int op_write_end(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int done = op->end == OP_IS_DONE;

    CRASH_POINT(OP_AFTER_PROVE);
    op->rec.phase = done ? S("VERIFIED") : S("END");
    op->rec.outcome = str_from_c(op_end_name(op->end));
    return op_write(op, done ? S("operation.verified") : S("operation.ended"),
                    done ? op_rows_verified : op_rows_ended, err);
}

/* --- calling: on DRIVER -------------------------------------------------------------------------- */

static int op_identified(void *ctx, struct rv_str id)
{
    struct op_task *op = ctx;
    struct err err = ERR_INIT;

    CRASH_POINT(OP_BEFORE_IDENTIFIED);
    if (op->rec.provider_id.p && str_eq(op->rec.provider_id, kit_str(id)))
        return 0;
    op->rec.provider_id = str_copy(&op->arena, kit_str(id));
    if (wait_work_call(op->engine->loop, POOL_STATE, op_write_identified, op, &err))
        return RV_RETRY;
    CRASH_POINT(OP_AFTER_IDENTIFIED);
    return 0;
}

static int op_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    struct op_task *op = ctx;
    struct err err = ERR_INIT;

    return secret_store_open(op->engine->secrets, a, op->run->env_name, op->run->secrets,
                             kit_str(ref), ret, &err)
               ? RV_WAIT
               : 0;
}

static uint32_t op_rv_action(const struct op_task *op)
{
    static const uint32_t actions[N_PLAN_ACTIONS] = {
        [PLAN_CREATE] = RV_CREATE, [PLAN_UPDATE] = RV_UPDATE, [PLAN_DELETE] = RV_DELETE,
        [PLAN_RUN] = RV_RUN,       [PLAN_SWITCH] = RV_UPDATE,
    };

    return actions[op->item->action];
}

static struct rv_op op_request(const struct op_task *op)
{
    return (struct rv_op){
        .action = op_rv_action(op),
        .attempt = (uint32_t)op->rec.attempt,
        .deadline_ms = op->rec.deadline_ms,
        .type = kit_rv(op->rec.kind),
        .name = kit_rv(op->rec.name),
        .key = kit_rv(op->rec.key),
        .owner = kit_rv(op->rec.owner),
        .id = kit_rv(op->rec.provider_id),
        .desired = kit_rv(op->body),
        .expected = kit_rv(op->rec.expected),
        .token = kit_rv(op->rec.token),
    };
}

static int op_call(struct op_task *op, enum driver_call_kind kind, struct err *err)
{
    const struct driver_call call = {
        .engine = op->engine,
        .task = &op->task,
        .provider = op->rec.provider,
        .kind = kind,
        .op = op_request(op),
        .secret = op_secret,
        .identified = op_identified,
        .ctx = op,
    };

    return driver_call(&call, op_round(op), &op->answer, err);
}

static int op_call_act(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int rc;

    CRASH_POINT(OP_AFTER_INTENT);
    op_next_round(op);
    rc = op_call(op, op->rec.token.n ? CALL_RESUME : CALL_APPLY, err);
    if (!rc && op->answer.id.n)
        op_keep(op, &op->rec.provider_id, op->answer.id);
    CRASH_POINT(OP_AFTER_ACT);
    return rc;
}

/* Keep what the act said; only observation, outputs and absence are taken from a look. */
static int op_look(struct op_task *op, enum driver_call_kind which, struct err *err)
{
    struct driver_answer said = op->answer;
    int rc = op_call(op, which, err);
    enum rv_verdict seen = op->answer.verdict;

    if (rc)
        return rc;
    op->is_absent = seen == RV_ABSENT;
    if (seen != RV_DONE && seen != RV_ABSENT)
        rc = err_set(err, seen == RV_FATAL ? ERR_CORRUPT : ERR_UNREACHABLE, "%.*s",
                     STR_ARG(op->answer.message));
    said.observed = op->answer.observed;
    if (op->answer.outputs.n)
        said.outputs = op->answer.outputs;
    if (op->answer.id.n && !op->is_absent)
        op_keep(op, &op->rec.provider_id, op->answer.id);
    op->answer = said;
    return rc;
}

/* By the id where there is one. Absence counts when reading the id and looking for the owner both say so. */
static int op_call_look(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int rc = 0;

    CRASH_POINT(OP_AFTER_SETTLED);
    op_next_round(op);
    if (!op->rec.provider_id.n)
        rc = op_look(op, CALL_FIND, err);
    if (!rc && op->rec.provider_id.n)
        rc = op_look(op, CALL_READ, err);
    if (!rc && op->is_absent && op->rec.provider_id.n)
        rc = op_look(op, CALL_FIND, err);
    return rc;
}

/* --- deciding: on the loop ----------------------------------------------------------------------- */

static int op_is_as_asked(struct op_task *op)
{
    struct value *desired, *observed;
    struct err err = ERR_INIT;

    if (op->item->action == PLAN_DELETE)
        return op->is_absent;
    if (op->is_absent || json_parse(op_round(op), op->body, KIT_BODY_MAX, &desired, &err) ||
        json_parse(op_round(op), op->answer.observed.n ? op->answer.observed : S("{}"),
                   KIT_BODY_MAX, &observed, &err))
        return 0;
    return judge_is_as_asked(op->rec.kind, desired, observed);
}

static struct retry_facts op_facts(const struct op_task *op, enum rv_acted acted)
{
    return (struct retry_facts){ .verdict = op->answer.verdict,
                                 .acted = acted,
                                 .attempt = op->rec.attempt,
                                 .for_ever = op->for_ever };
}

static int op_is_overdue(const struct op_task *op)
{
    return !op->for_ever && loop_mono_ms(op->task.loop) > op->deadline_mono_ms;
}

/* What outlives the process is clamped to its length, never repeated. */
static void op_set_deadline(struct op_task *op)
{
    int64_t length_ms = op_length_ms(op),
            left_ms = op->rec.deadline_ms - loop_wall_ms(op->task.loop);

    op->settled_mono_ms = loop_mono_ms(op->task.loop);
    op->deadline_mono_ms = op->settled_mono_ms + (left_ms < 0           ? 0
                                                  : left_ms > length_ms ? length_ms
                                                                        : left_ms);
}

/* Later: act again with the same key, or only look. */
enum op_later { LATER_ACT, LATER_LOOK };

static enum task_verdict op_backoff(struct op_task *op, enum op_later later, int64_t delay_ms)
{
    op->again_at_ms = loop_mono_ms(op->task.loop) + delay_ms;
    op->look_again = later == LATER_LOOK;
    op->task.rc = 0; /* judged: from here on it is the rows' */
    return task_goto(&op->task, OP_BACKOFF);
}

static enum task_verdict op_finish(struct op_task *op, enum op_end end)
{
    op->end = end;
    return task_goto(&op->task, OP_END);
}

/* A provider may ask for more time than we would give it, not for less. */
static int64_t op_delay(const struct op_task *op)
{
    int64_t delay_ms = retry_delay_ms(op->rec.attempt, loop_random(op->task.loop)),
            asked_ms = op->answer.again_ms < OP_AFTER_MAX_MS ? op->answer.again_ms
                                                             : OP_AFTER_MAX_MS;

    return asked_ms > delay_ms ? asked_ms : delay_ms;
}

/* What the driver said, before anything was read back. */
static enum task_verdict op_judge_answer(struct op_task *op)
{
    struct retry_facts facts = op_facts(op, op->answer.acted);

    switch (retry_judge(&facts)) {
    case RETRY_PENDING:
        if (!op_is_overdue(op))
            return task_goto(&op->task, OP_WAIT);
        break;
    case RETRY_AGAIN:
        return op_is_overdue(op) ? op_finish(op, OP_IS_FAILED)
                                 : op_backoff(op, LATER_ACT, op_delay(op));
    case RETRY_FAILED:
        if (op->answer.acted == RV_ACTED_NO && !op->rec.provider_id.n) {
            op->is_absent = 1;
            return op_finish(op, OP_IS_FAILED);
        }
        break;
    case RETRY_SUPERSEDED:
        if (!op->for_ever)
            return op_finish(op, OP_IS_SUPERSEDED);
        break;
    case RETRY_SETTLED:
    case RETRY_LOOK:
    case RETRY_CANCELLED:
        break;
    }
    return task_goto(&op->task, OP_LOOK);
}

/* After a look: it is as asked, or it is not and we know what is. */
static enum task_verdict op_judge_look(struct op_task *op)
{
    struct retry_facts facts = op_facts(op, RV_ACTED_NO);

    op->n_blind = op->task.rc ? op->n_blind + 1 : 0;
    if (op->task.rc && op_is_overdue(op)) {
        op_keep(op, &op->rec.message, str_from_c(op->task.err.text));
        return op_finish(op, OP_IS_PARKED);
    }
    if (op->task.rc)
        return op_backoff(op, LATER_LOOK, retry_delay_ms(op->n_blind, loop_random(op->task.loop)));
    if (op_is_as_asked(op))
        return op_finish(op, OP_IS_DONE);
    if (op->gives_up)
        return op_finish(op, OP_IS_CANCELLED);
    switch (retry_judge(&facts)) {
    case RETRY_FAILED:
        return op_finish(op, OP_IS_FAILED);
    case RETRY_CANCELLED:
        if (!op->for_ever)
            return op_finish(op, OP_IS_CANCELLED);
        break;
    case RETRY_SUPERSEDED:
        if (!op->for_ever)
            return op_finish(op, OP_IS_SUPERSEDED);
        break;
    case RETRY_SETTLED: /* it says done; the world may still be catching up */
        if (loop_mono_ms(op->task.loop) - op->settled_mono_ms < OP_CONSISTENCY_MS)
            return op_backoff(op, LATER_LOOK, OP_LOOK_EVERY_MS);
        if (!op->for_ever && op->rec.attempt >= RETRY_TIMES_MAX)
            return op_finish(op, OP_IS_FAILED);
        break;
    case RETRY_PENDING:
    case RETRY_AGAIN:
    case RETRY_LOOK:
        if (op_is_overdue(op))
            return op_finish(op, OP_IS_FAILED);
        break;
    }
    if (op->recovers) { /* nobody refused: it was cut short */
        op->recovers = 0;
        return op_backoff(op, LATER_ACT, 0);
    }
    return op_backoff(op, LATER_ACT, op_delay(op));
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
        op_keep(op, &op->rec.message, S("the daemon died here again and again"));
        return op_finish(op, OP_IS_PARKED);
    }
    return task_goto(&op->task, op->rec.token.n ? OP_ACT : OP_LOOK);
}

static enum task_verdict op_take(struct op_task *op)
{
    struct task *t = &op->task;

    if (t->rc) {
        LOG(LOG_ERROR, "operation cannot be taken up, tried again", LOG_S("op", op->rec.uid),
            LOG_C("err", t->err.text));
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

    if (t->rc == ERR_CANCELLED) { /* there is nothing to do */
        op->end = OP_IS_DONE;
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

static enum task_verdict op_claim(struct op_task *op)
{
    struct task *t = &op->task;

    if (op->was_open)
        return task_goto(t, OP_TAKE);
    if (t->rc)
        return op_claim_again(op);
    wait_work_start(t, POOL_STATE, op_write_claim);
    return task_then(t, OP_ACT);
}

/* What a build is made of lies in the provider's `exports` before it is asked to build. */
static enum task_verdict op_export(struct op_task *op)
{
    const struct provider *p = engine_provider(op->engine, op->item->provider);
    const struct env_task *env = engine_env(op->engine, op->rec.env);

    if (op->was_open || !str_eq_c(op->item->kind, "artifact") || !p || !env || !env->source)
        return task_goto(&op->task, OP_CLAIM);
    op->export = (struct source_export){
        .commit = op->run->commit_id,
        .path = value_get_text(op->item->desired, S("export"), S(".")),
        .dest = str_fmt(&op->arena, "%.*s/exports/%.*s",
                        STR_ARG(value_get_text(p->config, S("directory"), S(""))),
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

/* The call did not come to an answer of the driver. */
static void op_note_failed_call(struct op_task *op)
{
    int is_ours = err_class(op->task.rc) == ERR_CLASS_USER;

    op->answer.verdict = is_ours ? RV_USER : RV_RETRY;
    op->answer.acted = is_ours ? RV_ACTED_NO : RV_ACTED_MAYBE;
    op->answer.again_ms = 0;
    op->answer.message = str_copy(op_round(op), str_from_c(op->task.err.text));
}

static enum task_verdict op_step(struct task *t)
{
    struct op_task *op = op_of(t);
    enum loop_pool pool = op->for_ever ? POOL_REVERT : POOL_DRIVER;

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
    case OP_ACT:
        if (!op->deadline_mono_ms)
            op_set_deadline(op);
        wait_work_start(t, pool, op_call_act);
        return task_then(t, OP_SETTLE);
    case OP_WAIT:
        CRASH_POINT(OP_AFTER_PENDING);
        wait_until_start(t, loop_mono_ms(t->loop) + (op->answer.again_ms > OP_POLL_MIN_MS
                                                         ? op->answer.again_ms
                                                         : OP_POLL_MIN_MS));
        return task_then(t, OP_ACT);
    case OP_SETTLE:
        if (t->rc)
            op_note_failed_call(op);
        op->settled_mono_ms = loop_mono_ms(t->loop);
        wait_work_start(t, POOL_STATE, op_write_settled);
        return task_then(t, OP_JUDGE);
    case OP_JUDGE:
        return op_judge_answer(op);
    case OP_LOOK:
        wait_work_start(t, pool, op_call_look);
        return task_then(t, OP_COMMIT);
    case OP_COMMIT:
        return op_judge_look(op);
    case OP_BACKOFF:
        if (t->rc) { /* a row could not be written */
            LOG(LOG_ERROR, "operation cannot be written, tried again", LOG_S("op", op->rec.uid),
                LOG_C("err", t->err.text));
            op->look_again = 1;
            op->again_at_ms = loop_mono_ms(t->loop) + RETRY_FIRST_MS;
        }
        if (op->gives_up && !op->look_again)
            return task_goto(t, OP_AGAIN);
        wait_signal_start(t, op->again_at_ms);
        return task_then(t, OP_AGAIN);
    case OP_AGAIN:
        t->rc = 0; /* the time is over, or it was woken */
        return task_goto(t, op->look_again || op->gives_up ? OP_LOOK : OP_RETRY);
    case OP_RETRY:
        wait_work_start(t, POOL_STATE, op_write_retry);
        return task_then(t, OP_ACT);
    case OP_END:
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
        op->rec = (struct rec_operation){ .plan = run->plan_id,
                                          .item = (int64_t)index,
                                          .step = op->item->step,
                                          .env = run->plan.env_uid };
    }
    task_start(&op->task, run->engine->loop, "op", op_states, N_ELEMENTS(op_states), OP_EXPORT,
               op_step, ended, ctx);
}

int op_task_is_backing_off(const struct op_task *op)
{
    return op->task.state == OP_BACKOFF && !op->look_again;
}

void op_task_give_up(struct op_task *op)
{
    op->gives_up = 1;
    if (op->task.state == OP_BACKOFF)
        wait_signal(&op->task);
}

void op_task_fini(struct op_task *op)
{
    arena_fini(&op->rounds[0]);
    arena_fini(&op->rounds[1]);
    arena_fini(&op->arena);
}
