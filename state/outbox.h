/*
 * outbox: what is still to be told. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* Not done and due, the longest waiting first. */
int outbox_due(struct db *db, struct arena *a, int64_t now_ms, int64_t limit,
               struct rec_outbox **ret, size_t *ret_n, struct err *err);
/* When the next one is due; REC_NONE: nothing waits. */
int outbox_next_ms(struct db *db, struct arena *a, int64_t *ret, struct err *err);
/* How many wait, due or not. */
int outbox_waiting(struct db *db, int64_t *ret, struct err *err);
