/*
 * history: what the state was at an earlier event. SPDX-License-Identifier: Apache-2.0
 *
 * Resources have rows for every time (resources_at); environments and the rest are read from the bodies
 * of the events. events_seq_at() gives the event of a time.
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

/* The environment as it was just after event `seq`. */
int history_environment(struct db *db, struct arena *a, struct str uid, int64_t seq,
                        struct rec_environment *ret, struct err *err);
/* All that had been accepted and not deleted by then, by name. */
int history_environments(struct db *db, struct arena *a, int64_t seq, struct rec_environment **ret,
                         size_t *ret_n, struct err *err);
