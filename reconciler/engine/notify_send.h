/*
 * notify_send: one message to one recipient, once. SPDX-License-Identifier: Apache-2.0
 *
 *   FORM -> ASK -> HEARD -> WRITE -> OVER          a step more of Sentry's: HEARD -> FORM; a test: HEARD -> OVER
 *                             ^ AGAIN              what was sent and cannot be written is written in a moment, not sent again
 *
 * Its id is the row's, at each attempt: who dies between ASK and WRITE sends it again, and a receiver knows it by its id.
 * What the rule of its environment does not give `for: notify` any more is not read, and nobody is asked.
 * Values of secrets live in an arena that is wiped, and are in no sentence.
 *
 * Thread   the loop's; secrets on FILE, rows on STATE.
 */
#pragma once

#include "reconciler/core/notify_form.h"
#include "reconciler/rt/wait.h"
#include "state/records.h"

struct engine;

struct notify_send {
    struct task task;
    struct engine *engine;
    struct rec_outbox row;      /* borrowed until it ends */
    const struct value *config; /* who is told */
    const struct value
        *rule; /* of its environment; NULL: of the daemon, or nobody binds it any more */
    const struct value *forge; /* of a commit status: sources.NAME.forge */
    struct notify_message message;
    /* own */
    struct arena secret; /* wiped */
    struct notify_form form;
    struct http_mail mail;
    struct http_request request;
    struct http_reply reply;
    size_t step;
    int is_test; /* nothing of it is written: `row` is none of the outbox */
    int is_written_late;
    struct err why;   /* code 0: it was sent */
    int64_t asked_ms; /* Retry-After */
};

void notify_send_start(struct notify_send *s, struct engine *e, task_ended *ended, void *ctx);
