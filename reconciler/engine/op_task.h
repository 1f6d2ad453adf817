/*
 * op_task: one operation, from intent to outcome (PROTOCOL 1). SPDX-License-Identifier: Apache-2.0
 *
 *   EXPORT -> EXPORTED -> CLAIM                                    artifacts: their source lies ready first
 *   CLAIM -> ACT -> SETTLE -> JUDGE -> LOOK -> COMMIT -> END    ACT commits IDENTIFIED from inside the driver's call
 *            ^ made, seen at once as asked: SETTLE -> OVER, settled and verified with one commit
 *            ^ PENDING: JUDGE -> WAIT -> ACT (resume)
 *            ^ nothing happened: JUDGE, COMMIT -> BACKOFF -> RETRY -> ACT: same row and key, attempt + 1
 *            ^ nobody was asked (its provider does not answer): SETTLE -> BACKOFF -> ACT: nothing is written
 *   begun in a former life: TAKE (one more death is written) -> LOOK, or ACT (resume) where a token is kept:
 *   look before anything is repeated
 *
 * Owns     its arena: the operation's lifetime.
 * Thread   the loop's; writes on STATE, calls on DRIVER, or REVERT for what brings traffic back.
 */
#pragma once

#include "reconciler/core/plan.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/driver_call.h"

struct run;

enum op_end {
    OP_IS_OPEN,
    OP_IS_DONE,
    OP_IS_FAILED,
    OP_IS_SUPERSEDED,
    OP_IS_CANCELLED,
    OP_IS_PARKED
};

struct op_task {
    struct task task;
    struct engine *engine;
    struct run *run;
    size_t index; /* of the item in the plan */
    const struct plan_item *item;
    struct arena arena;
    struct log_field about[4]; /* of the log: op, env, plan */
    struct rec_operation rec;
    struct rec_resource resource;
    struct str body;             /* desired as the driver gets it */
    struct value *asked;         /* the same as a value; NULL: its row is from a former life */
    struct source_export export; /* of an artifact */
    struct source_call call;
    struct arena rounds[2]; /* of the calls: one that is tried for ever needs no more memory */
    int round;
    struct driver_answer answer; /* of the last call, in the round's arena */
    struct str unread; /* why a secret could not be given in it; STR_NONE: none was asked in vain */
    int is_absent;     /* the last look found nothing */
    int is_seen;       /* the call that acted has looked, too, at what it made */
    int for_ever;      /* tried until it succeeds: reverts and stops */
    int was_open;      /* its row is from a former life */
    /* monotonic: a step of the wall clock ends nothing */
    int64_t again_at_ms, deadline_mono_ms, settled_mono_ms;
    int64_t n_blind;          /* looks in a row that failed */
    int n_busy;               /* times in a row that it could not be claimed */
    int recovers;             /* of a former life, not acted since */
    int look_again;           /* after the back-off: look, do not act */
    int gives_up;             /* nobody wants it any more: it does not act again */
    int is_refused;           /* its row could not be written: said once */
    int has_slot, is_waiting; /* op_slot.c's */
    struct op_task *next_waiting;
    enum op_end end;
};

/* An open row of a former life. */
struct op_found {
    struct rec_operation rec;
    struct rec_resource resource;
    struct str body;
};

/* Begin the item's operation, or go on with what was found (NULL: nothing). */
void op_task_start(struct op_task *op, struct run *run, size_t index, const struct op_found *found,
                   task_ended *ended, void *ctx);
/* It was refused and is tried again later. */
int op_task_is_backing_off(const struct op_task *op);
/* It was tried, or looked at, again and again without success. */
int op_task_is_stuck(const struct op_task *op);
/* Its group goes back: what waits to act again looks once more and ends; a call is awaited. */
void op_task_give_up(struct op_task *op);
void op_task_fini(struct op_task *op);
const char *op_end_name(enum op_end end);
