/*
 * replay: the rows that the history says. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   an image of the tables.
 * Thread   any, with a connection of its own.
 * Fails    as db.h; ERR_CORRUPT names table, key and column of the first difference.
 */
#pragma once

#include "specs/value.h"
#include "state/db.h"

/* Rebuild all EVENTED tables from the events in a fresh in-memory database and compare row by row with the
 * tables of `db`. */
int replay_verify(struct db *db, int64_t *ret_rows, struct err *err);
/* Inside a batch: what the body of one event says of rows is done. Its documents are there, or are made empty. */
int replay_event(struct db *db, int64_t seq, const struct value *body, struct err *err);
