/*
 * db_impl: the inside of struct db, for the files of state/ and their tests. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   as db.h.
 */
#pragma once

#include "state/db.h"
#include "state/stmt.h"
#include "state/tables.h"

struct tx_watch;

struct db_head { /* of the chain: the last event */
    int64_t seq, time_ms;
    struct digest hash;
};

struct db {
    sqlite3 *handle;
    enum db_mode mode;
    int in_batch, in_tx;
    int lost;       /* ERR_* after which SQLite itself rolled the whole batch back */
    int head_known; /* since the batch began */
    struct db_head head;
    char installation[64];
    struct stmt_cache stmts;
    const struct tx_watch *watch; /* tx.h */
};

/* The error of the last SQLite call, by its code and the system's. */
int db_fail(struct db *db, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int db_exec(struct db *db, const char *sql, struct err *err);
/* 0 while the batch stands. After some failures SQLite rolls all of it back on its own: then the code of
 * that failure, and nothing may be written outside of it. */
int db_batch_status(struct db *db, struct err *err);

/* Insert or replace, delete; whether it is evented is the caller's matter. */
int db_write_row(struct db *db, enum record record, enum stmt_kind kind, const void *rec,
                 struct err *err);

/* A private database in memory: the present schema, no rows, no events. */
int db_open_memory(struct db **ret, struct err *err);
/* The number that a statement answers; 0 where it answers none. */
int db_number(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
              int64_t *ret, struct err *err);
