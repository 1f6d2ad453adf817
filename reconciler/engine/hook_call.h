/*
 * hook_call: one delivery of a forge, from its bytes to a fetch. SPDX-License-Identifier: Apache-2.0
 *
 *   SECRET -> DECIDE -> WRITE -> ACT      the secret is read again after HOOK_SECRET_MS
 *
 * What is signed gets its row and its event, which are durable when the call ends; then its source looks at the
 * refs that it names. A delivery that was heard before, by its id or by what was signed, does nothing.
 *
 * Memory   the call is the caller's until `ended`; `in` borrows from the caller's, the result lies in the
 *          call's arena.
 * Thread   the loop's; judged on QUERY, written on STATE.
 * Fails    ERR_NOT_FOUND: no source hears such hooks; ERR_UNKNOWN_ACTOR, ERR_REFUSED: it is not by the forge;
 *          ERR_INVALID: it is, and says nothing that we know; ERR_BUSY: not now.
 */
#pragma once

#include "reconciler/core/hook.h"
#include "reconciler/rt/task.h"

#define HOOK_SECRET_MS 5000

struct engine;
struct secret;
struct source_task;

struct hook_call_in {
    struct str type, source; /* source STR_NONE: the only one that hears hooks of this type */
    const struct value *headers;
    struct str body;
    int is_tls;
};

struct hook_call {
    struct task task;
    struct engine *engine;
    struct arena arena;
    struct hook_call_in in;
    struct value *result; /* {"delivery", "event", "state": looking nothing known, "refs"} */
    int is_known;
    /* its own */
    struct source_task *source;
    struct secret *fresh; /* that was read for it */
    struct hook_request request;
    struct hook_decision decision;
    int is_about; /* the repository is the source's */
};

/* task.rc and task.err say how it ended; then `ended` is called. The arena was initialised by the caller, who
 * ends the call by hook_call_fini(). */
void hook_call_start(struct engine *e, struct hook_call *call, task_ended *ended, void *ctx);
void hook_call_fini(struct hook_call *call);

/* Rows that no replay needs are removed. On STATE. */
int hook_call_prune(struct engine *e, struct arena *a, struct err *err);
