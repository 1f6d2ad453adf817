/* SPDX-License-Identifier: Apache-2.0 */
#include "state/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "state/db_impl.h"
#include "state/migrate.h"
#include "state/schema.h"

#define DB_BUSY_MS 5000
#define DB_INCREMENTAL 2 /* PRAGMA auto_vacuum */

/* SQLite keeps the number of the system's failure for some calls only; a failed commit leaves it in errno. */
static int db_code(struct db *db)
{
    int number = sqlite3_system_errno(db->handle) ? sqlite3_system_errno(db->handle) : errno;

    switch (sqlite3_errcode(db->handle) & 0xff) {
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return number == ENOSPC || number == EDQUOT || number == EFBIG ? ERR_FULL : ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

int db_fail(struct db *db, struct err *err, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX / 2];
    int code = db_code(db);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    utf8_trim(what);
    if (db->in_batch && !db->lost && sqlite3_get_autocommit(db->handle))
        db->lost = code;
    return err_set(err, code, "%s: %s", what, sqlite3_errmsg(db->handle));
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return db_fail(db, err, "state: %.40s", sql);
}

int db_batch_status(struct db *db, struct err *err)
{
    if (!db->lost && sqlite3_get_autocommit(db->handle))
        db->lost = ERR_IO;
    if (!db->lost)
        return 0;
    return err_set(err, db->lost, "state: rolled back after an earlier failure");
}

int db_number(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
              int64_t *ret, struct err *err)
{
    int64_t number = 0;
    int rc = stmt_number(db, sql, binds, n_binds, &number, err);

    if (rc < 0)
        return rc;
    *ret = number;
    return 0;
}

static int db_is_new(struct db *db, int *ret, struct err *err)
{
    int64_t n = 0;
    int rc = db_number(db, S("PRAGMA page_count"), NULL, 0, &n, err);

    *ret = !n;
    return rc;
}

static int db_configure(struct db *db, struct err *err)
{
    static const char *const pragmas[] = {
        [DB_WRITE] = "PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = FULL;"
                     "PRAGMA foreign_keys = ON;"
                     "PRAGMA wal_autocheckpoint = 1000;"
                     "PRAGMA journal_size_limit = 67108864;"
                     "PRAGMA secure_delete = FAST;"
                     "PRAGMA temp_store = MEMORY;" /* savepoints undo from there */
                     "PRAGMA cell_size_check = ON;",
        [DB_READ] = "PRAGMA query_only = ON;"
                    "PRAGMA cell_size_check = ON;",
    };

    int is_new = 0;

    (void)sqlite3_extended_result_codes(db->handle, 1); /* cannot fail on an open handle */
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    /* plans that look at what is bound would be made anew at every step, for the sake of partial indexes */
    if (sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
        return db_fail(db, err, "state: configure");
    if (db->mode == DB_WRITE && db_is_new(db, &is_new, err))
        return err->code;
    if (is_new && db_exec(db, "PRAGMA auto_vacuum = INCREMENTAL", err)) /* before there is a page */
        return err->code;
    return db_exec(db, pragmas[db->mode], err);
}

static int db_connect(const char *path, enum db_mode mode, struct db **ret, struct err *err)
{
    static const int flags[] = {
        [DB_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
        [DB_READ] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
    };
    struct db *db = alloc_zero(sizeof(*db));
    int rc = 0;

    if (!db)
        return err_set(err, ERR_NOMEM, "state: no memory for a connection");
    db->mode = mode;
    if (sqlite3_open_v2(path, &db->handle, flags[mode], NULL) != SQLITE_OK)
        rc = db->handle ? db_fail(db, err, "open '%s'", path)
                        : err_set(err, ERR_NOMEM, "open '%s': out of memory", path);
    if (!rc)
        rc = db_configure(db, err);
    if (rc) {
        db_close(db);
        return rc;
    }
    *ret = db;
    return 0;
}

static int db_open_file(const char *path, enum db_mode mode, const struct db_birth *birth,
                        struct db **ret, struct err *err)
{
    struct db *db = NULL;
    int rc;

    if (mode == DB_READ && access(path, R_OK))
        return errno == EACCES ? err_set(err, ERR_REFUSED,
                                         "permission to read the state at '%s' is denied", path)
                               : err_set(err, ERR_NOT_FOUND, "there is no state at '%s'", path);
    rc = db_connect(path, mode, &db, err);
    if (!rc)
        rc = migrate_open(db, path, birth, err);
    if (rc) {
        db_close(db);
        return strstr(err->text, path) ? rc : err_wrap(err, "state at '%s'", path);
    }
    *ret = db;
    return 0;
}

int db_open(const char *path, enum db_mode mode, struct db **ret, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct db_birth birth = { .time_ms = sys_wall_ms() };

    arena_init(&a, 0);
    birth.installation = sys_uuid7(&a, birth.time_ms);
    if (arena_status(&a, err))
        return ERR_NOMEM;
    return db_open_file(path, mode, &birth, ret, err);
}

int db_create(const char *path, const struct db_birth *birth, struct db **ret, struct err *err)
{
    return db_open_file(path, DB_WRITE, birth, ret, err);
}

int db_open_memory(struct db **ret, struct err *err)
{
    struct db *db = NULL;
    int rc = db_connect(":memory:", DB_WRITE, &db, err);

    if (!rc)
        rc = db_exec(db, schema_sql(), err);
    if (rc) {
        db_close(db);
        return rc;
    }
    *ret = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    PRE(!db->in_tx);
    stmt_fini(db);
    if (db->in_batch)
        db_batch_abandon(db);
    (void)sqlite3_close_v2(db->handle); /* statements are gone; nothing is left to fail */
    alloc_free(db);
}

struct str db_installation(const struct db *db)
{
    return str_from_c(db->installation);
}

int db_check(struct db *db, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(db, S("PRAGMA quick_check(1)"), NULL, 0, &st, err);
    const char *said;

    if (rc < 0)
        return rc;
    said = (const char *)sqlite3_column_text(st, 0);
    if (!said || strcmp(said, "ok"))
        return err_set(err, ERR_CORRUPT, "state: %s", said ? said : "quick_check says nothing");
    return 0;
}

int db_copy(struct db *db, const char *path, struct err *err)
{
    const struct db_bind into = DB_T(str_from_c(path));
    int rc = db->mode == DB_READ ? db_exec(db, "PRAGMA query_only = OFF", err) : 0;

    return rc ? rc : stmt_change(db, S("VACUUM INTO $1"), &into, 1, err);
}

int db_give_back(struct db *db, int *ret_goes_on, struct err *err)
{
    char sql[64];
    int64_t n_free = 0, mode = 0, n;

    PRE(db->in_batch);
    *ret_goes_on = 0;
    if (db_number(db, S("PRAGMA auto_vacuum"), NULL, 0, &mode, err) ||
        db_number(db, S("PRAGMA freelist_count"), NULL, 0, &n_free, err))
        return err->code;
    n = n_free - DB_FREE_KEPT;
    if (mode != DB_INCREMENTAL || n <= 0)
        return 0;
    *ret_goes_on = n > DB_GIVE_BACK_MAX;
    (void)snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)",
                   *ret_goes_on ? DB_GIVE_BACK_MAX : (int)n);
    return db_exec(db, sql, err);
}

int db_batch_begin(struct db *db, struct err *err)
{
    int rc;

    PRE(!db->in_batch && db->mode == DB_WRITE);
    rc = db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc)
        return rc;
    db->in_batch = 1;
    db->lost = db->head_known = 0;
    return 0;
}

int db_batch_commit(struct db *db, struct err *err)
{
    int rc;

    PRE(db->in_batch && !db->in_tx);
    rc = db_batch_status(db, err);
    if (!rc)
        rc = db_exec(db, "COMMIT", err);
    if (rc) {
        db_batch_abandon(db);
        return rc;
    }
    db->in_batch = 0;
    return 0;
}

void db_batch_abandon(struct db *db)
{
    PRE(db->in_batch && !db->in_tx);
    if (!sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* fails only where there is
                                                                         nothing left to undo */
    db->in_batch = 0;
}

int db_view_begin(struct db *db, struct err *err)
{
    return db_exec(db, "BEGIN", err);
}

void db_view_end(struct db *db)
{
    (void)sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL); /* nothing was written */
}

int db_write_row(struct db *db, enum record record, enum stmt_kind kind, const void *rec,
                 struct err *err)
{
    const struct table *t = tables_get(record);
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc;

    PRE(db->in_batch);
    rc = db_batch_status(db, err);
    if (!rc)
        rc = stmt_prepare_record(db, record, kind, &st, err);
    if (rc)
        return rc;
    if (tables_bind(st, t, rec, kind == STMT_UPSERT ? t->n_columns : t->n_keys) != SQLITE_OK)
        return db_fail(db, err, "table '%s'", t->name);
    rc = stmt_run(db, st, err);
    return rc ? err_wrap(err, "table '%s'", t->name) : 0;
}

int db_cache_put(struct db *db, enum record record, const void *rec, struct err *err)
{
    PRE(tables_get(record)->class == TABLE_CACHE);
    return db_write_row(db, record, STMT_UPSERT, rec, err);
}

int db_cache_remove(struct db *db, enum record record, const void *rec, struct err *err)
{
    PRE(tables_get(record)->class == TABLE_CACHE);
    return db_write_row(db, record, STMT_DELETE, rec, err);
}

int db_get(struct db *db, struct arena *a, enum record record, void *rec, struct err *err)
{
    const struct table *t = tables_get(record);
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_prepare_record(db, record, STMT_GET, &st, err);

    if (rc)
        return rc;
    if (tables_bind(st, t, rec, t->n_keys) != SQLITE_OK)
        return db_fail(db, err, "table '%s'", t->name);
    rc = stmt_step(db, st, err);
    if (rc < 0)
        return rc;
    if (!rc)
        return err_set(err, ERR_NOT_FOUND, "table '%s': no such row", t->name);
    rc = tables_read(st, t, a, rec, err);
    return rc ? rc : arena_status(a, err);
}

int db_select(struct db *db, struct arena *a, enum record record, const char *tail,
              const struct db_bind *binds, size_t n_binds, void *ret_rows, size_t *ret_n,
              struct err *err)
{
    const struct table *t = tables_get(record);
    AUTO_STMT sqlite3_stmt *st = NULL;
    void *rows = NULL;
    size_t n = 0, cap = 0;
    int rc = stmt_prepare_select(db, record, str_from_c(tail), &st, err);

    if (!rc)
        rc = stmt_bind(db, st, binds, n_binds, err);
    if (rc)
        return rc;
    while ((rc = stmt_step(db, st, err)) == 1) {
        void *rec = vec_push_bytes(a, &rows, &n, &cap, t->size_bytes);

        rc = rec ? tables_read(st, t, a, rec, err) : ERR_NOMEM;
        if (rc)
            break;
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    if (rc < 0)
        return rc;
    memcpy(ret_rows, &rows, sizeof(rows));
    *ret_n = n;
    return 0;
}

int db_meta(struct db *db, struct arena *a, struct str key, struct str *ret, struct err *err)
{
    struct rec_meta meta = { .k = key };
    int rc = db_get(db, a, REC_meta, &meta, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    *ret = rc ? STR_NONE : meta.v;
    return 0;
}
