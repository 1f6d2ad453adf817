/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_parts.h"

#include "base/crash.h"
#include "base/sys.h"
#include "reconciler/engine/op_rows.h"
#include "reconciler/engine/run.h"
#include "state/journal.h"

#define OP_DEADLINE_MS 3600000 /* of an operation that names none */
#define OP_REVERT_ATTEMPTS 3   /* after so many a revert is one that fails; it goes on */

/* Into the row, which outlives the round. */
void op_write_keep(struct op_task *op, struct str *member, struct str text)
{
    if (!text.n)
        *member = STR_NONE;
    else if (!member->p || !str_eq(*member, text))
        *member = str_copy(&op->arena, text);
}

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

int64_t op_write_length_ms(const struct op_task *op)
{
    return value_get_int(op->item->desired, S("timeout_ms"), OP_DEADLINE_MS) + DRIVER_CALL_MS;
}

int op_write_claim(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int64_t now_ms = loop_wall_ms(t->loop);
    int rc = op_prepare(op, err);

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
    op->rec.deadline_ms = now_ms + op_write_length_ms(op);
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
int op_write_taken(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);

    if (op->engine->was_killed)
        op->rec.deaths = journal_next_deaths(&op->rec, op->engine->epoch);
    op->rec.epoch = op->engine->epoch;
    return op_write(op, S("operation.taken"), NULL, err);
}

int op_write_identified(void *ctx, struct err *err)
{
    struct op_task *op = ctx;

    op_set_phase(op, S("IDENTIFIED"));
    return op_write(op, S("operation.identified"), NULL, err);
}

int op_write_settled(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    int pending = op->answer.verdict == RV_PENDING;

    op_set_phase(op, pending ? S("IDENTIFIED") : S("SETTLED"));
    op->rec.verdict = str_from_c(kit_verdict_name(op->answer.verdict));
    op->rec.acted = op->answer.acted == RV_ACTED_NO    ? S("no")
                    : op->answer.acted == RV_ACTED_YES ? S("yes")
                                                       : S("maybe");
    op_write_keep(op, &op->rec.message, op->answer.message);
    op_write_keep(op, &op->rec.token, pending ? op->answer.token : STR_NONE);
    op->rec.poll_at_ms = pending ? loop_wall_ms(t->loop) + op->answer.again_ms : REC_NONE;
    return op_write(op, pending ? S("operation.pending") : S("operation.settled"), NULL, err);
}

int op_write_done(struct task *t, struct err *err)
{
    int rc = op_write_settled(t, err);

    return rc ? rc : op_write_end(t, err);
}

/* The way of requests back is refused: its rollout says so until it is done. */
static struct rec_rollout *op_refused_rollout(const struct op_task *op)
{
    struct rec_rollout *rollout;

    if (op->item->lane != LANE_REVERT || op->item->group < 0 ||
        op->rec.attempt <= OP_REVERT_ATTEMPTS ||
        !(str_eq_c(op->rec.kind, "switch") || str_eq_c(op->rec.kind, "routes")))
        return NULL;
    rollout = &op->run->rollouts[op->item->group];
    return str_eq_c(rollout->state, "reverting") ? rollout : NULL;
}

static int op_retry_rows(struct op_task *op, struct tx *tx, struct err *err)
{
    const struct rec_rollout *rollout = op_refused_rollout(op);
    struct rec_rollout row;

    if (!rollout)
        return 0;
    row = *rollout;
    row.state = S("revert_failed");
    return tx_put(tx, REC_rollout, &row, err);
}

int op_write_retry(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    struct rec_rollout *rollout;
    int rc;

    op->rec.attempt++;
    op->rec.not_before_ms = REC_NONE;
    rollout = op_refused_rollout(op);
    rc = op_write(op, S("operation.retry"), op_retry_rows, err);
    if (!rc && rollout)
        rollout->state = S("revert_failed");
    return rc;
}

/* Whether it is over shows when the others of its batch are durable, too: until then it goes on from where it
 * was, and what it says to that end is made again. */
int op_write_end(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    const struct rec_resource resource = op->resource;
    const struct str phase = op->rec.phase;
    int done = op->end == OP_IS_DONE, rc;

    CRASH_POINT(OP_AFTER_PROVE);
    op->rec.phase = done ? S("VERIFIED") : S("END");
    op->rec.outcome = str_from_c(op_end_name(op->end));
    rc = op_write(op, done ? S("operation.verified") : S("operation.ended"),
                  done ? op_rows_verified : op_rows_ended, err);
    op->rec.phase = phase;
    op->rec.outcome = STR_NONE;
    op->resource = resource;
    return rc;
}
