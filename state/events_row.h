/*
 * events_row: an event as the row of a statement, for the files of events. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   texts of the event live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_CORRUPT for an event that is not there.
 */
#pragma once

#include "state/db_impl.h"
#include "state/events.h"

#define EVENTS_COLUMNS                                                                             \
    "e.seq, e.epoch, e.time_ms, e.mono_ms, e.actor, e.cause, e.kind, e.subject, e.env, "           \
    "e.body_hash, e.prev_hash, e.hash"
#define EVENTS_WITH_BODY                                                                           \
    "SELECT " EVENTS_COLUMNS ", b.body FROM events e LEFT JOIN event_bodies b ON b.seq = e.seq"

/* The row of one of these that the statement stands on. */
void events_row_read(sqlite3_stmt *st, struct arena *a, struct event *ret);
int events_row_time(struct db *db, int64_t seq, int64_t *ret, struct err *err);
