/*
 * driver_call: one call of a provider's driver, with a host of its own. SPDX-License-Identifier: Apache-2.0
 *
 * A provider that does not answer is asked ever more seldom (provider_line): then the answer is RV_RETRY, not
 * acted, and is_refused.
 *
 * Memory   the answer is copied into the arena given.
 * Thread   a DRIVER or REVERT thread: it blocks.
 * Fails    ERR_INVALID: no such provider; ERR_NOMEM. What the driver says is in the answer.
 */
#pragma once

#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/host.h"

#define DRIVER_CALL_MS 30000

enum driver_call_kind {
    CALL_APPLY,
    CALL_RESUME,
    CALL_READ,
    CALL_FIND,
    CALL_HEALTH,
    CALL_COUNTERS,
    CALL_SHED,
    CALL_LIST,
    N_CALLS
};

struct driver_answer {
    enum rv_verdict verdict;
    enum rv_acted acted;
    int64_t again_ms;
    struct str id, observed, outputs, token, message;
    int is_refused; /* the provider was not asked: it does not answer. Nothing happened, no attempt counts */
};

struct driver_call {
    struct engine *engine;
    struct task *task; /* its cancel ends the call */
    struct str provider;
    enum driver_call_kind kind;
    int is_urgent; /* brings traffic back: never refused */
    struct rv_op op;
    host_secret_fn *secret; /* NULL: the call gets none */
    host_identified_fn *identified;
    void *ctx;
};

/* A capability that the driver does not have answers RV_USER. */
int driver_call(const struct driver_call *call, struct arena *a, struct driver_answer *ret,
                struct err *err);
/* outputs, or observed where there are none, as a value; an empty map when it is no JSON. */
const struct value *driver_answer_value(struct arena *a, struct str json);
