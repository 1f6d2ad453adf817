/*
 * migrate: numbered upgrades of the state file. SPDX-License-Identifier: Apache-2.0
 *
 * A version only adds: tables, indexes, columns that may be null or have a default. So the program of
 * version N opens the file of N+1, as long as that file's `min_reader` allows it. Before a file is
 * changed a copy is made beside it, PATH.v<version it had>; the change is one transaction with one
 * event, state.migrated.
 *
 * Fails    ERR_REFUSED: the file is newer than this program reads, or is not ours; ERR_CONFLICT: a
 *          reader found a file that the daemon has yet to upgrade.
 */
#pragma once

#include "state/db.h"

struct migration {
    int64_t version, min_reader; /* the oldest version whose program may open the result */
    const char *sql;             /* NULL: what schema.sql makes */
};

/* Bring the file to the last of `steps`. A file without tables gets schema.sql and event state.created. */
int migrate_run(struct db *db, const char *path, const struct migration *steps, size_t n_steps,
                const struct db_birth *birth, struct err *err);
/* The same with the steps of this program. */
int migrate_open(struct db *db, const char *path, const struct db_birth *birth, struct err *err);
