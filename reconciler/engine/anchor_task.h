/*
 * anchor_task: the head of the history, brought to one place that this machine cannot rewrite. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> COUNT -> DUE -> READ -> CHECK -> PUSH -> NOTE -> DONE -> REST
 *                     `err> TROUBLE -> ALARM -> TOLD -> REST
 *
 * A head is brought after ANCHOR_EVENTS_MAX events or `every`, and not where nothing happened but what tells of anchors.
 * What stands in a repository is held against our history first: where the two contradict each other nothing is pushed,
 * and that is told at once. Else a place that fails is told of after ANCHOR_FAILURES_MAX times in a row: event
 * `anchor.failed`, a row of meta, in `status` for as long as it lasts. `anchor.made` ends it.
 *
 * Thread   the loop's; rows on STATE.
 */
#pragma once

#include "reconciler/engine/anchor_git.h"
#include "state/anchor.h"

#define ANCHOR_EVENTS_MAX 100
#define ANCHOR_FAILURES_MAX 3
#define ANCHOR_LATE_TIMES                                                                          \
    10 /* of `every`: so long may the head be nowhere but here (anchor_wait.h) */

struct engine;
struct secret_store;

struct anchor_task {
    struct task task;
    struct engine *engine;
    const struct value *config;
    struct str place;   /* as anchor_task_place() names it */
    struct arena round; /* wiped: it holds credentials */
    struct anchor_git git;
    struct anchor_git_call call;
    struct rec_anchor newest;      /* of the round; seq 0: there is none */
    struct anchor_gap gap;         /* after it */
    int64_t counted_seq;           /* the head when that was counted */
    struct anchor_line head;       /* that is brought */
    struct anchor_git_there there; /* in a repository */
    struct str password, line, proof;
    int64_t tried_mono_ms;          /* the round before began; 0: none did */
    int64_t made_mono_ms, made_seq; /* when one was found or brought, and which; 0: none yet */
    int has_known, is_failing;      /* the row of meta was read, and stands */
    int failures;                   /* in a row */
    char trouble[ERR_TEXT_MAX];     /* of the last round; "": it went well */
};

/* One for each of `anchors`; they live in the engine's arena. */
int anchor_task_open_all(struct engine *e, struct err *err);
void anchor_task_start_all(struct engine *e);
void anchor_task_stop_all(struct engine *e);
void anchor_task_fini_all(struct engine *e);
/* [{place, type, seq, made_ms_ago, failing, error?}]; NULL: there are no places. */
struct value *anchor_task_view_all(const struct engine *e, struct arena *a);

/* What its rows and events call it: url, and "#branch" of a repository. */
struct str anchor_task_place(struct arena *a, const struct value *config);
/* How a place is asked. */
void anchor_task_git(const struct engine *e, struct arena *a, const struct value *config,
                     int64_t timeout_ms, struct anchor_git *ret);
/* The password of a repository; STR_NONE: it has none. */
int anchor_task_password(const struct value *config, struct secret_store *secrets, struct arena *a,
                         struct str *ret, struct err *err);
/* Every line of `text` has to stand in our history; the newest, or seq 0: there is none. ERR_CONFLICT. */
int anchor_task_judge(struct db *db, struct arena *a, struct str key, struct str text,
                      struct anchor_line *ret, struct err *err);
