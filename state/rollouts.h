/*
 * rollouts: rollouts, their gates and samples. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

int rollouts_of_plan(struct db *db, struct arena *a, const struct digest *plan,
                     struct rec_rollout **ret, size_t *ret_n, struct err *err);
/* Newest first. */
int rollouts_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                  struct rec_rollout **ret, size_t *ret_n, struct err *err);
int rollouts_unended(struct db *db, struct arena *a, struct str env, struct rec_rollout **ret,
                     size_t *ret_n, struct err *err);

/* Gates without a verdict, of all environments. */
int rollouts_open_gates(struct db *db, struct arena *a, struct rec_gate **ret, size_t *ret_n,
                        struct err *err);
int rollouts_gate(struct db *db, struct arena *a, struct str operation, struct rec_gate *ret,
                  struct err *err);
/* From a time on, oldest first. */
int rollouts_samples(struct db *db, struct arena *a, struct str gate, int64_t from_ms,
                     struct rec_sample **ret, size_t *ret_n, struct err *err);
