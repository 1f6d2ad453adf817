/*
 * rollouts: what was rolled out. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* Newest first. */
int rollouts_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                  struct rec_rollout **ret, size_t *ret_n, struct err *err);
