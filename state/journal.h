/*
 * journal: operations: what we meant to do and what came of it. SPDX-License-Identifier: Apache-2.0
 *
 * An operation is open until its outcome is written. One that a former life left open is looked at
 * before anything is done (PROTOCOL 1).
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

#define JOURNAL_DEATHS_MAX 3 /* deaths in one phase; then it is parked */

/* Open ones, oldest first. env STR_NONE: of all. */
int journal_open(struct db *db, struct arena *a, struct str env, struct rec_operation **ret,
                 size_t *ret_n, struct err *err);
int journal_open_of(struct db *db, struct arena *a, struct str env, struct str kind,
                    struct str name, struct rec_operation *ret, struct err *err);
int journal_of_plan(struct db *db, struct arena *a, const struct digest *plan,
                    struct rec_operation **ret, size_t *ret_n, struct err *err);
/* Newest first. */
int journal_of_resource(struct db *db, struct arena *a, struct str env, struct str kind,
                        struct str name, int64_t limit, struct rec_operation **ret, size_t *ret_n,
                        struct err *err);

/* Deaths to write before the effect of an open operation is taken up in `epoch`: one more where it was left by
 * a former life. A phase that is reached begins at 0. */
int64_t journal_next_deaths(const struct rec_operation *op, int64_t epoch);
