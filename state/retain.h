/*
 * retain: bodies of old events go, their hashes stay. SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot is some events, one after the other in one batch, whose bodies say every row and every document anew; the last
 * one says that it is whole. Bodies before it may go then: whoever replays what is left comes to the same tables, the chain
 * of hashes is as it was, and so are anchors. What the tables say of the past (history --at, plans, decisions) stays.
 *
 * Thread   the writer's, inside a batch.
 * Fails    as db.h.
 */
#pragma once

#include "state/tx.h"

#define RETAIN_SNAPSHOT                                                                            \
    "snapshot" /* kinds: of the first of these events, of those between, of the last */
#define RETAIN_PART RETAIN_SNAPSHOT ".part"
#define RETAIN_END RETAIN_SNAPSHOT ".end"
#define RETAIN_DROP_MAX 20000

/* `head` says who and when. */
int retain_snapshot(struct db *db, const struct tx_head *head, struct err *err);
/* The newest snapshot that is not after `seq`; 0: none. */
int retain_newest(struct db *db, int64_t seq, int64_t *ret, struct err *err);
/* Bodies before that one, the oldest first, at most RETAIN_DROP_MAX of them. */
int retain_drop(struct db *db, int64_t seq, int64_t *ret_n, struct err *err);
