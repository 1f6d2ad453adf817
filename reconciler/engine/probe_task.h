/*
 * probe_task: one question to one instance. SPDX-License-Identifier: Apache-2.0
 *
 *   ASK -> OWN -> OVER      ASK: http, tcp or nothing; OWN: does the listening socket belong to the instance?
 *
 * The address comes from the instances table, never from text. A probe counts only when the instance
 * itself is listening.
 *
 * Memory   borrows its request's strings and `probe`; the answer is in ok and message.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/driver_call.h"

#define PROBE_BODY_MAX 512
#define PROBE_TEXT_MAX 200

struct probe_task {
    struct task task;
    struct engine *engine;
    const struct value
        *probe; /* healthcheck.readiness of docs/specs.md; NULL: it only has to run */
    struct str provider, resource, provider_id, owner, address;
    int counts; /* what it uses of its processors is asked for, too */
    struct arena arena;
    struct http_request http;
    struct http_reply reply;
    struct driver_answer answer;
    int ok;
    int is_degraded; /* it says so of itself: ok all the same, with a message */
    int is_unknown; /* only its provider could tell, which does not answer: neither ok nor failed */
    int64_t restarts;            /* as observed; -1: not known */
    int64_t used_us, used_at_ms; /* how long it ran on processors until then; -1: not known */
    int64_t full;                /* observed: how often it ended for what it wrote */
    int has_exited;              /* observed: it does not run and is not about to */
    int is_gone;                 /* nor does anybody watch over it, or it is not there at all */
    char over[PROBE_TEXT_MAX];   /* which limit ended it; "": none did */
    char message[PROBE_TEXT_MAX];
};

void probe_task_start(struct probe_task *p, struct engine *e, task_ended *ended, void *ctx);
void probe_task_fini(struct probe_task *p);
