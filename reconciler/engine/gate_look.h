/*
 * gate_look: what a gate looks at, and what it saw. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   as each function says.
 */
#pragma once

#include "reconciler/core/gate.h"
#include "reconciler/engine/gate_task.h"
#include "reconciler/engine/probe_task.h"

struct gate_subject { /* an instance */
    struct gate_sample sample;
    struct probe_task probe;
    int64_t restarts_before; /* when the gate began; -1: not known yet */
    int is_probing;
};

struct gate_backend {
    struct gate_counts counts;
    struct str resource, provider, provider_id, owner; /* of the set that is judged */
    struct str before, before_provider_id,
        before_owner;                          /* of the live set at that time; STR_NONE */
    int64_t since, base_requests, base_errors; /* counters when the gate began */
    const struct value *base_latency;          /* as well; in the gate's arena */
    int64_t n_anew;                            /* times that the proxy began to count from 0 */
    struct gate_beside { /* counters of the live set when both began to have requests */
        int is_known;
        int64_t since, requests, errors;
        const struct value *latency;
    } beside;
    int is_new;         /* no baseline yet */
    struct gate_shown { /* the loop's, of the last round; `counts` are the worker's */
        int is_known;
        int64_t requests, errors, streams;
    } shown;
};

/* --- gate_load.c ---------------------------------------------------------------------------------- */

/* STATE: the instances and backends that the gate's item names. */
int gate_look_load(struct gate_task *g, struct err *err);

/* --- gate_count.c --------------------------------------------------------------------------------- */

/* Loop: begin one round of counters; the first one is the baseline. */
void gate_look_count(struct gate_task *g);

/* --- gate_look.c ---------------------------------------------------------------------------------- */

/* Loop: begin a probe of every instance and wait for all of them. */
void gate_look_begin(struct gate_task *g);
void gate_look_probed(struct gate_task *g);
void gate_look_fini(struct gate_task *g); /* probes that were dropped with their loop */

/* Loop. */
struct gate_facts gate_look_facts(struct gate_task *g, int is_over, int is_progress_over);
/* Loop: after a round, for who asks how it stands. */
void gate_look_show(struct gate_task *g);
/* JSON for the gate's row. */
struct str gate_look_have(struct gate_task *g);
struct str gate_look_baseline(struct gate_task *g);
/* The same of a gate that is about to end so many connections. */
struct str gate_look_ended(struct gate_task *g, int64_t n);
