/*
 * op_parts: what op_task.c walks between. SPDX-License-Identifier: Apache-2.0
 *
 * op_write.c writes the operation's rows on STATE, op_call.c calls its driver on DRIVER or REVERT: these are
 * what waits run. op_judge.c decides what an answer means. Only these files include this.
 */
#pragma once

#include "base/guard.h"
#include "reconciler/engine/op_task.h"

static inline struct op_task *op_of(struct task *t)
{
    return container_of(t, struct op_task, task);
}

/* Memory of the answer that counts now. */
static inline struct arena *op_round(struct op_task *op)
{
    return &op->rounds[op->round];
}

/* STATE: the operation's row, and what hangs on it, as one event each. */
int op_write_claim(struct task *t, struct err *err);
int op_write_taken(struct task *t, struct err *err);
int op_write_identified(void *ctx, struct err *err);
int op_write_settled(struct task *t, struct err *err);
int op_write_done(struct task *t, struct err *err); /* settled and ended: two events, one commit */
int op_write_retry(struct task *t, struct err *err);
int op_write_end(struct task *t, struct err *err);
/* Into the row, which outlives the round. */
void op_write_keep(struct op_task *op, struct str *member, struct str text);
int64_t op_write_length_ms(const struct op_task *op);

/* DRIVER: apply or resume, and where the answer allows it a look at once (is_seen); by id and owner, what is there. */
int op_call_act(struct task *t, struct err *err);
int op_call_look(struct task *t, struct err *err);

/* The loop: where an operation goes on. */
enum op_next { OP_NEXT_WAIT, OP_NEXT_LOOK, OP_NEXT_BACKOFF, OP_NEXT_END };
enum op_later { LATER_ACT, LATER_LOOK }; /* act again with the same key, or only look */

/* What the driver said, before anything was read back. */
enum op_next op_judge_answer(struct op_task *op);
/* The call that acted has seen that it is as asked. */
int op_is_proven(struct op_task *op);
/* After a look: it is as asked, or it is not and we know what is. */
enum op_next op_judge_look(struct op_task *op);
enum op_next op_backoff(struct op_task *op, enum op_later later, int64_t delay_ms);
enum op_next op_finish(struct op_task *op, enum op_end end);
int op_is_overdue(const struct op_task *op);
