/*
 * anchor_task: the head of the history, brought to one place that this machine cannot rewrite. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> COUNT -> DUE -> READ -> CHECK -> PUSH -> PROVE -> NOTE -> DONE -> REST
 *                     `err> TROUBLE -> ALARM -> TOLD -> REST
 *
 * A head is brought after ANCHOR_EVENTS_MAX events or `every`, and not where nothing happened but what tells of anchors.
 * What stands there is held against our history first, where the place keeps what it gets (anchor_place.h): where the two
 * contradict each other nothing is pushed, and that is told at once, as is an answer that is not believed. Else a place that fails is told of after ANCHOR_FAILURES_MAX times in a row: event
 * `anchor.failed`, a row of meta, in `status` for as long as it lasts. `anchor.made` ends it.
 *
 * Thread   the loop's; rows on STATE.
 */
#pragma once

#include "reconciler/engine/anchor_place.h"

#define ANCHOR_EVENTS_MAX 100
#define ANCHOR_FAILURES_MAX 3
#define ANCHOR_LATE_TIMES                                                                          \
    10 /* of `every`: so long may the head be nowhere but here (anchor_wait.h) */

struct anchor_task {
    struct task task;
    struct engine *engine;
    struct anchor_place place;
    struct anchor_round round;
    struct rec_anchor newest; /* of the round; seq 0: there is none */
    struct anchor_gap gap;    /* after it */
    int64_t counted_seq;      /* the head when that was counted */
    struct anchor_line head;  /* that is brought */
    struct str proof;
    int64_t tried_mono_ms;          /* the round before began; 0: none did */
    int64_t made_mono_ms, made_seq; /* when one was found or brought, and which; 0: none yet */
    int has_known, is_failing;      /* the row of meta was read, and stands */
    int failures;                   /* in a row */
    char trouble[ERR_TEXT_MAX];     /* of the last round; "": it went well */
};

void anchor_task_start(struct anchor_task *x);

/* One for each of `anchors`; they live in the engine's arena. */
int anchor_task_open_all(struct engine *e, struct err *err);
void anchor_task_start_all(struct engine *e);
void anchor_task_stop_all(struct engine *e);
void anchor_task_fini_all(struct engine *e);
/* [{place, type, seq, made_ms_ago, failing, error?}]; NULL: there are no places. */
struct value *anchor_task_view_all(const struct engine *e, struct arena *a);
