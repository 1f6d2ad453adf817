/*
 * notify_task: what waits in the outbox is sent. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> PICK -> SEND -> REST      woken by new rows, or when the next one is due
 *
 * PICK takes up to NOTIFY_SENDS_MAX recipients who are due (core/notify.h), one message each; of a flood it makes one
 * message first, durably, so that its id stays. Nothing is remembered but rows: a restart or a takeover goes on where they
 * stand. A recipient that the configuration does not name any more is not told: `dropped`.
 *
 * Thread   the loop's; picking on STATE.
 */
#pragma once

#include "reconciler/engine/notify_send.h"

#define NOTIFY_SENDS_MAX 8

struct notify_task {
    struct task task;
    struct engine *engine;
    struct arena round;
    struct notify_send sends[NOTIFY_SENDS_MAX];
    struct task *children[NOTIFY_SENDS_MAX];
    size_t n_sends;
    int64_t due_ms;   /* wall; NOTIFY_NEVER: nothing waits */
    struct str after; /* the recipient that was looked at last: others come first */
    char after_text[256];
    int n_failures; /* of picking, in a row */
};

void notify_task_start(struct notify_task *n, struct engine *e);
void notify_task_wake(void *engine); /* on the loop: rows are there */
void notify_task_stop(struct notify_task *n);
void notify_task_fini(struct notify_task *n);
