/*
 * gate_rows: what a gate reads of the state, and leaves in it. SPDX-License-Identifier: Apache-2.0
 *
 * A gate is one operation and one row of gates; both are written with each event: `gate.opened` before it looks, `gate.ending` before
 * the first connection is ended, `gate.verdict` at its end. While only a person can end it, its environment says so. These are what
 * the waits of gate_task.c run.
 *
 * Memory   rows live in the gate's arena, what one look needs in its round.
 * Thread   STATE.
 * Fails    as db.h; then nothing was written.
 */
#pragma once

#include "base/guard.h"
#include "reconciler/engine/gate_task.h"

static inline struct gate_task *gate_of(struct task *t)
{
    return container_of(t, struct gate_task, task);
}

static inline int gate_is_manual(const struct gate_task *g)
{
    return value_get_bool(g->need, S("manual"), 0);
}

/* What its item names, and how much of its time is gone. */
int gate_rows_load(struct task *t, struct err *err);
/* It begins; nothing, where it did in a former life. */
int gate_rows_open(struct task *t, struct err *err);
/* How many connections are ended now, before the first is. */
int gate_rows_note(struct task *t, struct err *err);
/* Into is_held: something stops the plans of its service, which keeps the previous set warm. */
int gate_rows_find_hold(struct task *t, struct err *err);
int gate_rows_close(struct task *t, struct err *err);
