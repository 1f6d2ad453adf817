/*
 * outbox: what is still to be told. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* When the next one is due; REC_NONE: nothing waits. */
int outbox_next_ms(struct db *db, struct arena *a, int64_t *ret, struct err *err);
/* How many wait, due or not. */
int outbox_waiting(struct db *db, int64_t *ret, struct err *err);
/* The first recipient behind `after` for whom something waits; STR_NONE: there is none. */
int outbox_next_target(struct db *db, struct arena *a, struct str after, struct str *ret,
                       struct err *err);
/* What waits for one, the oldest first. */
int outbox_waiting_for(struct db *db, struct arena *a, struct str target, int64_t limit,
                       struct rec_outbox **ret, size_t *ret_n, struct err *err);
/* When each of the newest `limit` that were sent to one since `since_ms` was, the newest first. */
int outbox_sent_since(struct db *db, struct arena *a, struct str target, int64_t since_ms,
                      int64_t limit, struct rec_outbox **ret, size_t *ret_n, struct err *err);
/* How many are waiting for one. */
int outbox_waiting_count(struct db *db, struct str target, int64_t *ret, struct err *err);
/* How many ended so ("sent" "given_up") for one, and the newest of them where there is one. */
int outbox_ended(struct db *db, struct arena *a, struct str target, struct str outcome,
                 int64_t *ret_n, struct rec_outbox *ret_newest, struct err *err);
/* What was done before then, the oldest first. Of what is told once for ever the row stays, for its key: with this body. */
#define OUTBOX_NO_BODY "{}"
int outbox_old(struct db *db, struct arena *a, int64_t before_ms, int64_t limit,
               struct rec_outbox **ret, size_t *ret_n, struct err *err);
/* 1: it was told, or waits; terminal ones alone. */
int outbox_has_terminal(struct db *db, struct arena *a, struct str subject, struct str target,
                        struct err *err);
/* 1: the same waits already. */
int outbox_is_waiting(struct db *db, struct arena *a, struct str subject, struct str target,
                      struct str word, struct err *err);
