/*
 * gate: what the samples of a gate say (PROTOCOL 2, steps 5, 7, 10). SPDX-License-Identifier: Apache-2.0
 *
 * Pure: the engine samples, this decides. Rates are basis points.
 */
#pragma once

#include "specs/value.h"

struct gate_sample { /* one instance, over all rounds so far */
    struct str subject;
    int is_live; /* of the set that serves now, for comparison */
    int64_t ok_in_row, failed_in_row;
    int64_t ready_since_ms; /* monotonic; -1: not ready */
    int64_t restarts;       /* since the gate began */
    int has_exited;
    int is_gone;    /* lost, or not there: with that nothing is compared */
    int is_unknown; /* its provider did not answer in this round, which counts neither way */
    struct str message;
};

struct gate_counts { /* of one backend */
    struct str service;
    int64_t requests, errors;                       /* since the gate began */
    int64_t baseline_requests, baseline_errors;     /* of the set before it, over its life */
    int64_t streams;                                /* now: current and queued; -1: not known */
    const struct value *latency, *baseline_latency; /* the same of answers (latency.h) */
};

struct gate_facts {
    int64_t now_ms;
    int is_over;          /* the length is over */
    int is_progress_over; /* the progress deadline too */
    int64_t calm_samples; /* in a row without a stream */
    int64_t
        n_ended; /* drained: connections that had stayed open, and were to be ended one after the other */
    const struct gate_sample *samples;
    size_t n_samples;
    const struct gate_counts *counts;
    size_t n_counts;
};

enum gate_opinion_verdict { OPINION_WAIT, OPINION_PASS, OPINION_FAIL, OPINION_OUTAGE };
struct gate_opinion {
    enum gate_opinion_verdict verdict;
    struct str reason;
    int asks_live; /* WAIT: what serves now must be sampled too before this can be judged */
};

/* `need` is the gate of the plan's item; its type chooses the row of the table. */
struct gate_opinion gate_judge_facts(struct arena *a, const struct value *need,
                                     const struct gate_facts *facts);
