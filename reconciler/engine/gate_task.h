/*
 * gate_task: holds a plan until something is proven, without a thread. SPDX-License-Identifier: Apache-2.0
 *
 *   LOAD -> BASE -> OPEN -> PROBE -> COUNT -> JUDGE -> WRITE -> OVER       sampling repeats JUDGE -> REST -> PROBE
 *
 * A gate is an operation of kind `gate` with a row in gates: its end and its baseline survive the
 * process, sampling starts again. Types:
 *
 *   ready    every instance passed its probe success_threshold times in a row, for min_healthy
 *   bake     abort_if never true, readiness holds, for the whole length
 *   promote  abort_if never true, readiness holds, until a person says so
 *   recover  the members' live sets pass their probes again; else the verdict is `outage`
 *   drained  the backend, or those of its servers that leave it, has no stream in two samples 50 ms apart, or the
 *            length is over
 *   keep     the length is over, or the next plan took over
 *
 * Owns     its arena.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/op_task.h"

enum gate_verdict { GATE_OPEN, GATE_PASSED, GATE_FAILED, GATE_OUTAGE, GATE_CANCELLED };

struct gate_task {
    struct task task;
    struct engine *engine;
    struct run *run;
    size_t index;
    const struct plan_item *item;
    struct arena arena, round; /* round: of one sample */
    struct rec_operation rec;
    struct rec_gate row;
    int was_open;
    const struct value *need;
    int64_t gone_ms; /* of its length, in former lives */
    int64_t end_mono_ms, progress_mono_ms;
    struct gate_subject *subjects; /* instances that are probed */
    struct gate_backend *backends; /* whose counters are read */
    size_t n_subjects, n_backends;
    struct str
        *leaving; /* drained: addresses whose streams alone count; NULL: all of the backend */
    size_t n_leaving;
    struct task **waited;
    int is_advanced;       /* a person said that it has been watched for long enough */
    int asks_live;         /* the live set is probed too */
    int is_blind;          /* in the last round a provider could not tell how it is .. */
    int64_t blind_mono_ms; /* .. or when that was for the last time; 0: never */
    int64_t n_again;       /* times in a row that it could not be opened or written */
    int64_t n_calm;        /* drained: samples in a row without a stream */
    int64_t
        n_ended; /* drained: connections that stayed open for too long; noted before the first is ended */
    int64_t shed_rounds; /* drained: in so many rounds all of them are ended; 0: not yet */
    int is_held;         /* keep: its time is over, and the environment is held */
    enum gate_verdict verdict;
    struct str reason;
};

void gate_task_start(struct gate_task *g, struct run *run, size_t index,
                     const struct op_found *found, const struct rec_gate *row, task_ended *ended,
                     void *ctx);
/* Ends it early as cancelled: its group goes back, or the next plan took over. */
void gate_task_cancel(struct gate_task *g);
/* 1: a person may end it early, or has to; where something goes back also the wait for what stays open. */
int gate_can_advance(const struct plan_item *item);
/* Somebody did: its row says who. It passes when what it looks at is well. */
void gate_task_advance(struct gate_task *g, struct str actor);
/* It looks on, and only a person ends it, or what it sees. */
int gate_task_needs_person(const struct gate_task *g);
/* Nothing happens before its end, which is still ahead. */
int gate_task_is_keeping(const struct gate_task *g);
/* Adds {gate, service, requests, errors, streams} of each backend that it has counted. */
void gate_task_view(const struct gate_task *g, struct arena *a, struct value *list);
void gate_task_fini(struct gate_task *g);
