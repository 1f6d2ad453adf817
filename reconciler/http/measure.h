/*
 * measure: what the API counts, and what /metrics is answered with. SPDX-License-Identifier: Apache-2.0
 *
 * Requests are counted by the row of the table of routes, never by what was asked for: nobody outside makes a series.
 * What the loop knows is taken on the loop when the request has shown who asks (measure_take); what the state and the
 * machine know, and the text, are made by the request's thread (measure_text).
 *
 * Owns     the timer that looks how late the loop is.
 * Thread   the loop's, but what says otherwise.
 * Limits   MEASURE_ROWS_MAX rows of routes, MEASURE_STATUSES_MAX statuses of each.
 */
#pragma once

#include "reconciler/core/metrics.h"
#include "reconciler/http/hooks.h"
#include "reconciler/http/server.h"
#include "state/db.h"

#define MEASURE_LAG_MS 1000
#define MEASURE_ROWS_MAX 160
#define MEASURE_STATUSES_MAX 24

struct measure_row { /* requests of one method and route */
    const char *method, *route;
    struct {
        int status;
        uint64_t n;
    } statuses[MEASURE_STATUSES_MAX]; /* the last one is of those beyond: status 0 */
    size_t n_statuses;
    struct metrics_times took;
};

struct measure {
    struct loop *loop;
    struct loop_timer *timer;
    int64_t due_ms; /* of the timer */
    struct metrics_times lag;
    struct measure_row rows[MEASURE_ROWS_MAX]; /* the last one is of those beyond */
    size_t n_rows;
};

int measure_init(struct measure *m, struct loop *loop, struct err *err);
void measure_fini(struct measure *m);
void measure_request(struct measure *m, const struct http_exchange *x);

/* Requests, hooks, and how the loop does. */
void measure_put_http(const struct measure *m, const struct hooks *hooks, struct metrics *to);

/* Sizes of the state file and of what it lies on, and the process. Any thread. */
void measure_put_machine(struct metrics *to, const char *state_path);
