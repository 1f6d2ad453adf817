/*
 * db: one connection to the state file. SPDX-License-Identifier: Apache-2.0
 *
 * The writer lives on the STATE thread: db_batch_begin() opens a transaction that many savepoints
 * (tx.h) share, db_batch_commit() makes them durable together. Readers have connections of their own
 * and see the last commit. SQLite alone opens the file: a plain open and close of it by this process
 * would drop its locks.
 *
 * Owns     the sqlite3 handle and its statement cache.
 * Thread   one at a time.
 * Fails    ERR_IO (RETRY), ERR_FULL (WAIT), ERR_BUSY (WAIT), ERR_CORRUPT (FATAL); ERR_CONFLICT where a row
 *          may be there once; ERR_REFUSED, ERR_CONFLICT of a file of another version (migrate.h).
 */
#pragma once

#include "state/records.h"

struct db;
struct sqlite3_stmt;

enum db_mode {
    DB_WRITE, /* creates and migrates; the caller holds the lock (lock.h) */
    DB_READ,
};

int db_open(const char *path, enum db_mode mode, struct db **ret, struct err *err);

/* What a new file is given; db_open() takes the clock's time and a new installation id. */
struct db_birth {
    int64_t time_ms;
    struct str installation;
    struct str lost; /* JSON, about the one before it; STR_NONE: there was none */
    /* Writes the first events in the place of ours, with the same commit; NULL: none but ours. */
    int (*fill)(struct db *db, void *ctx, struct err *err);
    void *fill_ctx;
};
int db_create(const char *path, const struct db_birth *birth, struct db **ret, struct err *err);
void db_close(struct db *db); /* NULL is fine; an open batch is abandoned */

/* SQLite's quick_check: ERR_CORRUPT with its first line. */
int db_check(struct db *db, struct err *err);
struct str db_installation(const struct db *db); /* the installation's id */
/* The last commit as a new file, which is not durable yet. Other connections go on meanwhile. */
int db_copy(struct db *db, const char *path, struct err *err);

int db_batch_begin(struct db *db, struct err *err);
int db_batch_commit(struct db *db, struct err *err); /* failed: nothing of the batch was written */
void db_batch_abandon(struct db *db);

/* Several reads of one state. Ends soon: a long one keeps the log from being folded in. */
int db_view_begin(struct db *db, struct err *err);
void db_view_end(struct db *db);

/* CACHE tables, inside a batch, without an event. */
int db_cache_put(struct db *db, enum record record, const void *rec, struct err *err);
int db_cache_remove(struct db *db, enum record record, const void *rec, struct err *err);

/* Fill `rec` (a struct rec_X whose key members are set). ERR_NOT_FOUND when there is no such row. */
int db_get(struct db *db, struct arena *a, enum record record, void *rec, struct err *err);

enum db_bind_type { DB_TEXT, DB_INT, DB_DIGEST };
struct db_bind {
    enum db_bind_type type;
    struct str text;
    int64_t number;
    const struct digest *digest;
};
/* clang-format off */
#define DB_T(s) { .type = DB_TEXT, .text = (s) }
#define DB_I(i) { .type = DB_INT, .number = (i) }
#define DB_D(d) { .type = DB_DIGEST, .digest = (d) }
/* clang-format on */

/* Rows of one table. `tail` stands after FROM table: "WHERE env = $1 ORDER BY n DESC LIMIT 10", its
 * $1..$n in order of first use, at most 12. A constant: statements are kept by their text. */
int db_select(struct db *db, struct arena *a, enum record record, const char *tail,
              const struct db_bind *binds, size_t n_binds, void *ret_rows, size_t *ret_n,
              struct err *err);
/* DB_SELECT(db, a, plan, "WHERE env = $1", &rows, &n, err, DB_T(env)); rows is a struct rec_plan * */
#define DB_SELECT(db, a, record, tail, ret_rows, ret_n, err, ...)                                  \
    db_select((db), (a), REC_##record, (tail), (const struct db_bind[]){ __VA_ARGS__ },            \
              sizeof((const struct db_bind[]){ __VA_ARGS__ }) / sizeof(struct db_bind),            \
              (struct rec_##record **){ (ret_rows) }, (ret_n), (err))

/* The body of a document, checked against its digest (ERR_CORRUPT); ERR_NOT_FOUND. */
int db_document(struct db *db, struct arena *a, const struct digest *digest, struct str *ret_body,
                struct err *err);

/* Inside a batch: pages that nothing uses are given back to the file system, at most DB_GIVE_BACK_MAX of them; some are
 * kept for what comes next. 1 in `ret_goes_on`: there are more. A file that was made without that keeps its size, and uses them again. */
#define DB_GIVE_BACK_MAX 4000
#define DB_FREE_KEPT 64
int db_give_back(struct db *db, int *ret_goes_on, struct err *err);

/* The value of a meta key ("installation", "schema", "min_reader", "epoch" ...), or STR_NONE. */
int db_meta(struct db *db, struct arena *a, struct str key, struct str *ret, struct err *err);
