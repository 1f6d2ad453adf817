/*
 * hooks: POST /hooks/TYPE/SOURCE, at the door of hooks. SPDX-License-Identifier: Apache-2.0
 *
 * Without SOURCE it is the only one that hears hooks of that type. A delivery is answered when it is durable: 202
 * the first time, 200 when it was known. Who is not the forge is refused, counted, and told no more than that.
 *
 * Thread   the loop's.
 * Limits   HOOKS_MAX deliveries at once.
 */
#pragma once

#include "reconciler/engine/hook_call.h"
#include "reconciler/http/denials.h"
#include "reconciler/http/server.h"

#define HOOKS_MAX 64

/* How deliveries ended, for who counts. */
enum hooks_decision {
    HOOKS_LOOKING,
    HOOKS_NOTHING,
    HOOKS_KNOWN,
    HOOKS_UNSIGNED,
    HOOKS_UNHEARD,
    HOOKS_INVALID,
    HOOKS_BUSY,
    HOOKS_ERROR,
    N_HOOKS_DECISIONS
};
const char *hooks_decision_word(enum hooks_decision decision);

struct hooks {
    struct engine *engine;
    struct denials *denials;
    /* hook_call_start() */
    void (*start)(struct engine *e, struct hook_call *call, task_ended *ended, void *ctx);
    size_t n_running;
    uint64_t decided[N_HOOKS_DECISIONS];
};

/* Whether it is a path of hooks, whoever asks. */
int hooks_is_path(struct str path);
void hooks_begin(struct hooks *h, struct http_exchange *x);
