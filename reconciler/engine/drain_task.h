/*
 * drain_task: what instances print is sent to who is named in `log_drains`. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> SCAN -> ASK -> READ -> SEND -> HEARD -> NOTE -> REST
 *             `nobody new  `nothing: REST         `nothing is sure yet: REST
 *
 * One a drain. It reads the keepers' files where it came to (drain_tail.h), so who is not reached costs nothing but what these
 * files may take, and nothing waits for him. He is tried again after a second, then twice as long up to DRAIN_AGAIN_MS, or when
 * he says (Retry-After); meanwhile lines are counted.
 *
 * By HTTP a batch is there when it is answered 2xx. A status 429 or 5xx is tried again; any other one is an answer: the batch is
 * not sent again, its lines are `refused`. By syslog nobody answers: what was sent on a connection that still stands
 * DRAIN_SURE_MS later is taken to be there; where one is cut, all since then is sent again. So each line arrives at least once.
 *
 * Connections block a thread of DRIVER, of which all drains together hold a share. An address that is not public is refused,
 * unless it is of this machine or `egress.allow` names it; what goes in clear goes nowhere else.
 *
 * Thread   the loop's; files on FILE, rows on STATE, connections on DRIVER.
 */
#pragma once

#include "reconciler/engine/drain_batch.h"
#include "reconciler/rt/stream.h"
#include "reconciler/rt/wait.h"

struct engine;

struct drain_task {
    struct task task;
    struct engine *engine;
    const struct value *config;
    struct drain_tails tails;
    struct drain_counts counts; /* of them, for the loop */
    enum drain_kind kind;
    struct stream_request to; /* of syslog */
    struct stream *stream;    /* SEND's alone; NULL: not connected */
    struct network *allowed;
    struct arena round; /* wiped: it holds a token */
    struct drain_batch batch;
    struct http_request request;
    struct http_reply reply;
    const char *headers[4];
    int64_t again_mono_ms; /* he is not asked before; 0: at once */
    int64_t
        sure_mono_ms; /* when positions were taken to be sure last; 0: since the connection there were none */
    int64_t sent_mono_ms;              /* when something arrived last; 0: not in this life */
    int failures;                      /* in a row */
    int was_cut, is_full, has_refused; /* refused: it was said */
    int64_t said_lost;                 /* lines whose loss was said */
    char trouble[256];                 /* why he is not reached; "": he is */
};

/* One for each of `log_drains`; they live in the engine's arena. */
int drain_task_open_all(struct engine *e, struct err *err);
void drain_task_start_all(struct engine *e);
void drain_task_stop_all(struct engine *e);
void drain_task_fini_all(struct engine *e);
/* [{name, type, waiting, sent, lost, refused, withheld, sent_ms_ago, error?}]; NULL: there are none. */
struct value *drain_task_view_all(const struct engine *e, struct arena *a);
