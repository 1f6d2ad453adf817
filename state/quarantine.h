/*
 * quarantine: groups that failed and are not tried again by themselves. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* In force at a time. */
int quarantine_active(struct db *db, struct arena *a, struct str env, int64_t now_ms,
                      struct rec_quarantine **ret, size_t *ret_n, struct err *err);
