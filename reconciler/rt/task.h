/*
 * task: a step machine on the loop. SPDX-License-Identifier: Apache-2.0
 *
 * A task is a table of states and one step function. A state starts at most one wait and names its
 * successor; completion, failure, deadline and cancel arrive the same way: the result is stored in
 * t->rc and t->err, the task moves to the successor (or, on rc < 0, to the state's error edge) and the
 * run queue calls step. A wait that fails at once takes the same road. A cancelled wait is awaited.
 *
 * Owns     the caller embeds struct task and keeps it until `ended` was called.
 * Thread   the loop's.
 */
#pragma once

#include <stdatomic.h>

#include "base/log.h"
#include "reconciler/rt/loop.h"

#define TASK_STATES_MAX 32

enum task_verdict { TASK_WAITS, TASK_AGAIN, TASK_ENDED };

struct task_state {
    const char *name;
    uint32_t to;  /* set of successors, TO(A) | TO(B) */
    int on_error; /* state entered when the wait failed; NO_ERROR_EDGE ends the task with rc */
    int64_t deadline_ms; /* for the state's wait; 0: none */
};
#define TO(state) (1u << (state))
#define TO2(a, b) (TO(a) | TO(b))
#define TO3(a, b, c) (TO(a) | TO(b) | TO(c))
#define NO_ERROR_EDGE (-1)

typedef enum task_verdict task_step(struct task *t);
typedef void task_ended(struct task *t, void *ctx);

struct wait;

struct task {
    /* set by task_start() */
    struct loop *loop;
    const char *name; /* for the debug log: "op", "fetch" ... */
    const struct task_state *states;
    int n_states;
    task_step *step;
    task_ended *ended;
    void *ended_ctx;
    /* set after task_start(): what the log says of its records, and those of its work; see log_about() */
    const struct log_field *about;
    /* read by step */
    int state;
    int rc; /* what the last wait brought: 0 or ERR_* */
    struct err err;
    atomic_int cancelled; /* ERR_* of task_cancel(), else 0; work reads it on its thread */
    int running;
    /* runtime's own */
    int next, woken, signalled;
    struct wait *wait, *joiner;
    struct task *queue_next, *all_next, *all_prev;
};

/* Begin in state `first`. The first step runs from the run queue, never inside this call. */
void task_start(struct task *t, struct loop *loop, const char *name,
                const struct task_state *states, int n_states, int first, task_step *step,
                task_ended *ended, void *ended_ctx);

/* Inside step only. The move is asserted against the table. */
enum task_verdict task_then(struct task *t, int next); /* when the wait that was started ends */
enum task_verdict task_goto(struct task *t, int next); /* now */
enum task_verdict task_done(struct task *t);           /* t->rc is the task's result */
enum task_verdict task_fail(struct task *t, const struct err *err); /* ends with this error */

/* The wait ends with `code` (ERR_CANCELLED, ERR_STALE ...); later waits of this task end at once with it
 * unless the task calls task_clear_cancel() in its error edge. Ended tasks ignore it. */
void task_cancel(struct task *t, int code);
void task_clear_cancel(struct task *t);
