/*
 * holds: what a person stopped. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* In force at a time, for the environment or one of its services, oldest first. */
int holds_active(struct db *db, struct arena *a, struct str env, int64_t now_ms,
                 struct rec_hold **ret, size_t *ret_n, struct err *err);
