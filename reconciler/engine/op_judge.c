/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_parts.h"

#include "reconciler/core/judge.h"
#include "reconciler/core/object.h"
#include "reconciler/engine/op_object.h"

#define OP_LOOK_EVERY_MS 250   /* while the world may still be catching up */
#define OP_CONSISTENCY_MS 5000 /* after it says done */
#define OP_AFTER_MAX_MS 900000 /* the longest that a provider may ask to be left alone */

enum op_next op_backoff(struct op_task *op, enum op_later later, int64_t delay_ms)
{
    op->again_at_ms = loop_mono_ms(op->task.loop) + delay_ms;
    op->look_again = later == LATER_LOOK;
    op->task.rc = 0; /* judged: from here on it is the rows' */
    return OP_NEXT_BACKOFF;
}

enum op_next op_finish(struct op_task *op, enum op_end end)
{
    op->end = end;
    return OP_NEXT_END;
}

/* It says done, and the world had time to catch up: what still differs will not be fought. */
static int op_is_settled(const struct op_task *op)
{
    return op->answer.verdict == RV_DONE &&
           loop_mono_ms(op->task.loop) - op->settled_mono_ms >= OP_CONSISTENCY_MS;
}

static int op_is_as_asked(struct op_task *op)
{
    struct value *desired = op->asked, *observed;
    struct err err = ERR_INIT;

    if (op->item->action == PLAN_DELETE || op->item->action == PLAN_FORGET)
        return op->is_absent;
    if (op->item->action == PLAN_ADOPT) /* however it shows: it is found by our label */
        return !op->is_absent;
    if ((!desired && json_parse(op_round(op), op->body, KIT_BODY_MAX, &desired, &err)) ||
        json_parse(op_round(op), op->answer.observed.n ? op->answer.observed : S("{}"),
                   KIT_BODY_MAX, &observed, &err))
        return 0;
    if (op->is_absent) /* what is not there rests, and has drained */
        return value_get_bool(desired, S("frozen"), 0) || value_get_bool(desired, S("draining"), 0);
    if (object_is_kind(op->rec.kind))
        return op_object_is_as_asked(op, desired, observed) || op_is_settled(op);
    return judge_is_as_asked(op->rec.kind, desired, observed);
}

int op_is_proven(struct op_task *op)
{
    return op->is_seen && op_is_as_asked(op);
}

static struct retry_facts op_facts(const struct op_task *op, enum rv_acted acted)
{
    return (struct retry_facts){ .verdict = op->answer.verdict,
                                 .acted = acted,
                                 .attempt = op->rec.attempt,
                                 .for_ever = op->for_ever };
}

int op_is_overdue(const struct op_task *op)
{
    return !op->for_ever && loop_mono_ms(op->task.loop) > op->deadline_mono_ms;
}

/* A provider may ask for more time than we would give it, not for less. */
static int64_t op_delay(const struct op_task *op)
{
    int64_t delay_ms = retry_delay_ms(op->rec.attempt, loop_random(op->task.loop)),
            asked_ms = op->answer.again_ms < OP_AFTER_MAX_MS ? op->answer.again_ms
                                                             : OP_AFTER_MAX_MS;

    return asked_ms > delay_ms ? asked_ms : delay_ms;
}

static int op_verifies(const struct op_task *op)
{
    return str_eq_c(op->rec.kind, "verify") && op->item->action == PLAN_RUN;
}

enum op_next op_judge_answer(struct op_task *op)
{
    struct retry_facts facts = op_facts(op, op->answer.acted);

    op->gives_up |= plan_item_is_spare(op->item); /* it was asked once: no tail waits for it */
    switch (retry_judge(&facts)) {
    case RETRY_PENDING:
        if (op->gives_up &&
            op_verifies(op)) /* its group takes it away: nothing waits for its end */
            return op_finish(op, OP_IS_CANCELLED);
        if (!op_is_overdue(op))
            return OP_NEXT_WAIT;
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
    return OP_NEXT_LOOK;
}

/* It began, nobody knows how it ended, and it must not run twice: unless a person says so. */
static int op_is_unknown(struct op_task *op)
{
    const struct value *seen = driver_answer_value(op_round(op), op->answer.observed);

    return !op->is_absent && !str_eq_c(op->rec.phase, "INTENT") &&
           str_eq_c(value_get_text(op->item->desired, S("on_unknown"), S("rerun")), "park") &&
           str_eq_c(value_get_text(seen, S("state"), S("")), "lost");
}

/* What runs leaves nothing that could be read back: that it said so counts, or that a person does. */
static int op_has_run(const struct op_task *op)
{
    return (str_eq_c(op->rec.kind, "release") || op_verifies(op)) &&
           str_eq_c(op->rec.phase, "SETTLED") && op->answer.verdict == RV_DONE;
}

enum op_next op_judge_look(struct op_task *op)
{
    struct retry_facts facts = op_facts(op, RV_ACTED_NO);

    op->n_blind = op->task.rc ? op->n_blind + 1 : 0;
    if (op->task.rc && plan_item_is_spare(op->item))
        return op_finish(op, OP_IS_CANCELLED);
    if (op->task.rc && op_is_overdue(op)) {
        op_write_keep(op, &op->rec.message, str_from_c(op->task.err.text));
        return op_finish(op, OP_IS_PARKED);
    }
    if (op->task.rc)
        return op_backoff(op, LATER_LOOK, retry_delay_ms(op->n_blind, loop_random(op->task.loop)));
    if (op_is_as_asked(op) || op_has_run(op))
        return op_finish(op, OP_IS_DONE);
    if (op_is_unknown(op)) {
        op_write_keep(op, &op->rec.message, S("whether it ran is not known"));
        return op_finish(op, OP_IS_PARKED);
    }
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
