/*
 * heartbeat_task: who watches the watcher hears that it works. SPDX-License-Identifier: Apache-2.0
 *
 * After a cycle of any environment that was completed, `heartbeat.url` is asked for with GET, at most once in
 * `heartbeat.every`. No cycle, no heartbeat: silence is the alarm. The address is a secret, and in no message.
 *
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/rt/wait.h"
#include "specs/value.h"

struct engine;

struct heartbeat_task {
    struct task task;
    struct engine *engine;
    struct arena round; /* wiped */
    struct http_request request;
    struct http_reply reply;
    int64_t sent_mono_ms; /* when it was answered last; 0: never */
    char trouble[96];     /* why the last one was not heard; "": it was */
};

/* Nothing where the configuration names no address. */
void heartbeat_task_start(struct heartbeat_task *h, struct engine *e);
void heartbeat_task_beat(struct heartbeat_task *h); /* a cycle was completed */
void heartbeat_task_stop(struct heartbeat_task *h);
void heartbeat_task_fini(struct heartbeat_task *h);
/* {sent_ms_ago, error?}; NULL: there is none. */
struct value *heartbeat_task_view(const struct heartbeat_task *h, struct arena *a);
