/*
 * counts: what a running engine counts, and how it tells its numbers. SPDX-License-Identifier: Apache-2.0
 *
 * What is counted lies in the engine, its providers and its sources, and begins anew with each life. The numbers of
 * the engine are taken on the loop and those of the state by any reader: neither waits for the other, and what is
 * written of them (core/metrics) is written elsewhere.
 *
 * Thread   what says so: any; else the loop's.
 * Fails    ERR_NOMEM, by the arena of the metrics.
 */
#pragma once

#include "providers/api/driver.h"
#include "reconciler/core/metrics.h"
#include "state/db.h"

struct engine;
struct op_task;
struct rec_rollout;

enum counts_rollout {
    COUNTS_PROVEN,
    COUNTS_REVERTED,
    COUNTS_OUTAGE,
    COUNTS_SUPERSEDED,
    COUNTS_HELD,
    N_COUNTS_ROLLOUTS
};
#define COUNTS_OP_ENDS 6 /* enum op_end */

struct counts {
    atomic_ullong operations[COUNTS_OP_ENDS];
    struct metrics_times rollouts[N_COUNTS_ROLLOUTS];
    struct metrics_times commits;
    atomic_ullong commit_errors;
    atomic_llong commit_ms,
        commit_mono_ms;       /* of the last one: how long, and when it ended; 0: none yet */
    atomic_int commit_failed; /* the last one did */
};

/* On STATE. */
void counts_commit(struct counts *c, int64_t began_mono_ms, int64_t now_mono_ms, int rc);
/* On STATE: its row gets a state that ends it, once however often the row is tried. */
void counts_rollout(struct engine *e, const struct rec_rollout *rollout, struct str state);
void counts_operation(struct counts *c, const struct op_task *op);

/* What the engine knows: a pass over sources, providers and names, without a row. */
void counts_put_live(struct engine *e, struct metrics *m);
/* What the state knows. Any thread, with a reader of its own. */
int counts_put_state(struct db *db, struct metrics *m, int64_t now_ms, struct err *err);
