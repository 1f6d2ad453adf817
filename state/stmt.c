/* SPDX-License-Identifier: Apache-2.0 */
#include "state/stmt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "state/db_impl.h"

#define STMT_HASHED 24u
#define STMT_PLAIN (-1) /* the text is the whole statement */

struct stmt_cached {
    struct stmt_cached *next;
    sqlite3_stmt *st;
    int record; /* the text is the tail of a select from it, or STMT_PLAIN */
    size_t n;
    char text[];
};

/* By its end, where statements differ; the text is compared in full anyway. */
static uint32_t stmt_bucket(int record, struct str text)
{
    uint32_t h = (2166136261u ^ (uint32_t)record ^ (uint32_t)text.n) * 16777619u;

    for (size_t i = text.n > STMT_HASHED ? text.n - STMT_HASHED : 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * 16777619u;
    return h % STMT_BUCKETS;
}

static void stmt_drop_idle(struct db *db)
{
    for (size_t i = 0; i < STMT_BUCKETS; i++) {
        struct stmt_cached **at = &db->stmts.buckets[i];

        while (*at) {
            struct stmt_cached *c = *at;

            if (sqlite3_stmt_busy(c->st)) {
                at = &c->next;
                continue;
            }
            *at = c->next;
            (void)sqlite3_finalize(c->st); /* repeats an error long reported */
            alloc_free(c);
            db->stmts.n--;
        }
    }
}

void stmt_fini(struct db *db)
{
    for (size_t i = 0; i < N_RECORDS; i++)
        for (size_t j = 0; j < N_STMT_KINDS; j++)
            (void)sqlite3_finalize(db->stmts.by_record[i][j]); /* as above */
    for (size_t i = 0; i < STMT_BUCKETS; i++)
        for (struct stmt_cached *c = db->stmts.buckets[i]; c; c = c->next)
            (void)sqlite3_reset(c->st); /* none is in use from here on */
    stmt_drop_idle(db);
}

static int stmt_compile(struct db *db, struct str sql, sqlite3_stmt **ret, struct err *err)
{
    if (sqlite3_prepare_v3(db->handle, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, ret, NULL) !=
        SQLITE_OK)
        return db_fail(db, err, "state: prepare '%.*s'", STR_ARG(sql));
    return 0;
}

static int stmt_compile_select(struct db *db, int record, struct str tail, sqlite3_stmt **ret,
                               struct err *err)
{
    AUTO_ARENA struct arena a;
    struct sb sql;

    arena_init(&a, 0);
    sb_init(&sql, &a);
    tables_sql_select(&sql, tables_get((enum record)record));
    sb_add_char(&sql, ' ');
    sb_add(&sql, tail);
    if (arena_status(&a, err))
        return ERR_NOMEM;
    return stmt_compile(db, sb_str(&sql), ret, err);
}

static int stmt_cache_find(struct db *db, int record, struct str text, sqlite3_stmt **ret,
                           struct err *err)
{
    uint32_t bucket = stmt_bucket(record, text);
    struct stmt_cached *c = db->stmts.buckets[bucket];
    int rc;

    while (c && (c->record != record || !str_eq((struct str){ c->text, c->n }, text)))
        c = c->next;
    if (c) {
        PRE(!sqlite3_stmt_busy(c->st)); /* one user at a time */
        *ret = c->st;
        return 0;
    }
    if (db->stmts.n >= STMT_CACHE_MAX)
        stmt_drop_idle(db);
    c = alloc_zero(sizeof(*c) + text.n);
    if (!c)
        return err_set(err, ERR_NOMEM, "state: no memory for a statement");
    c->record = record;
    c->n = text.n;
    memcpy(c->text, text.p, text.n);
    rc = record == STMT_PLAIN ? stmt_compile(db, text, &c->st, err)
                              : stmt_compile_select(db, record, text, &c->st, err);
    if (rc) {
        alloc_free(c);
        return rc;
    }
    c->next = db->stmts.buckets[bucket];
    db->stmts.buckets[bucket] = c;
    db->stmts.n++;
    *ret = c->st;
    return 0;
}

int stmt_prepare(struct db *db, struct str sql, sqlite3_stmt **ret, struct err *err)
{
    return stmt_cache_find(db, STMT_PLAIN, sql, ret, err);
}

int stmt_prepare_select(struct db *db, enum record record, struct str tail, sqlite3_stmt **ret,
                        struct err *err)
{
    return stmt_cache_find(db, (int)record, tail, ret, err);
}

int stmt_prepare_record(struct db *db, enum record record, enum stmt_kind kind, sqlite3_stmt **ret,
                        struct err *err)
{
    static void (*const texts[N_STMT_KINDS])(struct sb *, const struct table *) = {
        [STMT_GET] = tables_sql_get,
        [STMT_UPSERT] = tables_sql_upsert,
        [STMT_DELETE] = tables_sql_delete,
    };
    sqlite3_stmt **slot = &db->stmts.by_record[record][kind];

    if (!*slot) {
        AUTO_ARENA struct arena a;
        struct sb sql;
        int rc;

        arena_init(&a, 0);
        sb_init(&sql, &a);
        texts[kind](&sql, tables_get(record));
        rc = arena_status(&a, err);
        if (!rc)
            rc = stmt_compile(db, sb_str(&sql), slot, err);
        if (rc)
            return rc;
    }
    *ret = *slot;
    return 0;
}

static int stmt_bind_one(sqlite3_stmt *st, int at, const struct db_bind *b)
{
    switch (b->type) {
    case DB_TEXT:
        return b->text.p
                   ? sqlite3_bind_text64(st, at, b->text.p, b->text.n, SQLITE_STATIC, SQLITE_UTF8)
                   : sqlite3_bind_null(st, at);
    case DB_INT:
        return sqlite3_bind_int64(st, at, b->number);
    case DB_DIGEST:
        return sqlite3_bind_blob(st, at, b->digest->b, DIGEST_BYTES, SQLITE_STATIC);
    }
    UNREACHABLE();
}

/* Where $n stands: most statements use them in order. */
static int stmt_parameter(sqlite3_stmt *st, int n)
{
    static const char *const names[] = { "$1", "$2", "$3", "$4",  "$5",  "$6",
                                         "$7", "$8", "$9", "$10", "$11", "$12" };
    const char *name;

    PRE(n >= 1 && n <= (int)N_ELEMENTS(names));
    name = sqlite3_bind_parameter_name(st, n);
    return name && !strcmp(name, names[n - 1]) ? n : sqlite3_bind_parameter_index(st, names[n - 1]);
}

int stmt_bind(struct db *db, sqlite3_stmt *st, const struct db_bind *binds, size_t n_binds,
              struct err *err)
{
    PRE((size_t)sqlite3_bind_parameter_count(st) == n_binds);
    for (size_t i = 0; i < n_binds; i++) {
        int at = stmt_parameter(st, (int)i + 1);

        PRE(at > 0);
        if (stmt_bind_one(st, at, &binds[i]) != SQLITE_OK)
            return db_fail(db, err, "state: bind $%zu", i + 1);
    }
    return 0;
}

int stmt_step(struct db *db, sqlite3_stmt *st, struct err *err)
{
    int code = sqlite3_step(st);
    int rc;

    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    rc = db_fail(db, err, "state");
    (void)sqlite3_reset(st); /* the same error again */
    return rc;
}

int stmt_open(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
              sqlite3_stmt **ret, struct err *err)
{
    int rc = stmt_prepare(db, sql, ret, err);

    return rc ? rc : stmt_bind(db, *ret, binds, n_binds, err);
}

int stmt_first(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
               sqlite3_stmt **ret, struct err *err)
{
    int rc = stmt_open(db, sql, binds, n_binds, ret, err);

    return rc ? rc : stmt_step(db, *ret, err);
}

int stmt_change(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
                struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = stmt_open(db, sql, binds, n_binds, &st, err);

    return rc ? rc : stmt_run(db, st, err);
}

int stmt_number(struct db *db, struct str sql, const struct db_bind *binds, size_t n_binds,
                int64_t *ret, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(db, sql, binds, n_binds, &st, err);

    if (rc > 0)
        *ret = sqlite3_column_int64(st, 0);
    return rc;
}

int stmt_run(struct db *db, sqlite3_stmt *st, struct err *err)
{
    int rc = stmt_step(db, st, err);

    (void)sqlite3_reset(st); /* step has spoken */
    return rc < 0 ? rc : 0;
}

struct digest stmt_digest(sqlite3_stmt *st, int i)
{
    struct digest d = { 0 };

    if (sqlite3_column_type(st, i) == SQLITE_BLOB && sqlite3_column_bytes(st, i) == DIGEST_BYTES)
        memcpy(d.b, sqlite3_column_blob(st, i), DIGEST_BYTES);
    return d;
}

struct str stmt_text(struct arena *a, sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    return p ? str_copy(a, (struct str){ p, (size_t)sqlite3_column_bytes(st, i) }) : STR_NONE;
}
