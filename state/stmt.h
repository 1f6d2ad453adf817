/*
 * stmt: prepared statements of one connection, cached. SPDX-License-Identifier: Apache-2.0
 *
 * A statement belongs to the connection; it is borrowed from stmt_prepare*() until it is reset, by one
 * user at a time.
 *
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include <sqlite3.h>

#include "state/db.h"

enum stmt_kind { STMT_GET, STMT_UPSERT, STMT_DELETE, N_STMT_KINDS };

#define STMT_CACHE_MAX 512u /* one more drops those not in use */
#define STMT_BUCKETS 128u

struct stmt_cache {
    sqlite3_stmt *by_record[N_RECORDS][N_STMT_KINDS];
    struct stmt_cached *buckets[STMT_BUCKETS];
    size_t n;
};

int stmt_prepare(struct db *db, struct str sql, sqlite3_stmt **ret, struct err *err);
int stmt_prepare_record(struct db *db, enum record record, enum stmt_kind kind, sqlite3_stmt **ret,
                        struct err *err);
/* SELECT columns FROM table `tail`. */
int stmt_prepare_select(struct db *db, enum record record, struct str tail, sqlite3_stmt **ret,
                        struct err *err);
void stmt_fini(struct db *db); /* all of them */

/* By name: binds[0] is $1. */
int stmt_bind(struct db *db, sqlite3_stmt *st, const struct db_bind *binds, size_t n_binds,
              struct err *err);
/* 1 on a row, 0 at the end; else ERR_*, and the statement is reset. */
int stmt_step(struct db *db, sqlite3_stmt *st, struct err *err);
/* Prepared, with its variables. */
int stmt_open(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
              sqlite3_stmt **ret, struct err *err);
/* Opened, and at its first row: as stmt_step(). */
int stmt_first(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
               sqlite3_stmt **ret, struct err *err);
/* Opened and run, as it answers no rows. */
int stmt_change(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
                struct err *err);
/* The first column of the first row, and 1; 0: there is no row, *ret stays as it was. */
int stmt_number(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
                int64_t *ret, struct err *err);
/* Run one that answers no rows, and reset it. */
int stmt_run(struct db *db, sqlite3_stmt *st, struct err *err);

struct digest stmt_digest(sqlite3_stmt *st, int column); /* none when it is not 32 bytes */
struct str stmt_text(struct arena *a, sqlite3_stmt *st, int column);

/* A statement is reset when its block ends. */
static inline void stmt_guard(sqlite3_stmt **st)
{
    if (*st)
        (void)sqlite3_reset(*st); /* repeats the error that step reported */
}
#define AUTO_STMT __attribute__((cleanup(stmt_guard)))
