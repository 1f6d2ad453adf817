/* SPDX-License-Identifier: Apache-2.0 */
#include "state/tables.h"

#include <sqlite3.h>
#include <string.h>

#include "base/guard.h"

#define TABLE(record, table, class) static const struct table_column tables_of_##record[] = {
#define COL(record, column, type, role)                                                            \
    { S_INIT(#column), TABLE_##type, TABLE_##role, offsetof(struct rec_##record, column) },
#define END_TABLE(record)                                                                          \
    }                                                                                              \
    ;
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE

#define TABLE(record, table, class) enum { TABLES_KEYS_##record = 0
#define COL(record, column, type, role) +(TABLE_##role == TABLE_KEY)
#define END_TABLE(record)                                                                          \
    }                                                                                              \
    ;
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE

#define TABLE(record, table, class)                                                                \
    [REC_##record] = { #table,                                                                     \
                       TABLE_##class,                                                              \
                       sizeof(struct rec_##record),                                                \
                       tables_of_##record,                                                         \
                       N_ELEMENTS(tables_of_##record),                                             \
                       TABLES_KEYS_##record },
#define COL(record, column, type, role)
#define END_TABLE(record)
static const struct table tables_all[N_RECORDS] = {
#include "state/tables.def"
};
#undef TABLE
#undef COL
#undef END_TABLE

const struct table *tables_get(enum record record)
{
    PRE((unsigned)record < N_RECORDS);
    return &tables_all[record];
}

int tables_find(struct str table_name, enum record *ret)
{
    for (int i = 0; i < N_RECORDS; i++) {
        if (!str_eq_c(table_name, tables_all[i].name))
            continue;
        *ret = (enum record)i;
        return 0;
    }
    return -1;
}

static void tables_sql_columns(struct sb *b, const struct table *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            sb_add(b, S(", "));
        sb_add(b, t->columns[i].name);
    }
}

static void tables_sql_by_key(struct sb *b, const struct table *t)
{
    for (size_t i = 0; i < t->n_keys; i++)
        sb_addf(b, "%s%.*s = $%zu", i ? " AND " : " WHERE ", STR_ARG(t->columns[i].name), i + 1);
}

void tables_sql_select(struct sb *b, const struct table *t)
{
    sb_add(b, S("SELECT "));
    tables_sql_columns(b, t, t->n_columns);
    sb_addf(b, " FROM %s", t->name);
}

static void tables_sql_order(struct sb *b, const struct table *t)
{
    tables_sql_columns(b, t, t->n_keys);
}

void tables_sql_all(struct sb *b, const struct table *t)
{
    tables_sql_select(b, t);
    sb_add(b, S(" ORDER BY "));
    tables_sql_order(b, t);
}

void tables_sql_get(struct sb *b, const struct table *t)
{
    tables_sql_select(b, t);
    tables_sql_by_key(b, t);
}

void tables_sql_upsert(struct sb *b, const struct table *t)
{
    sb_addf(b, "INSERT INTO %s (", t->name);
    tables_sql_columns(b, t, t->n_columns);
    sb_add(b, S(") VALUES ("));
    for (size_t i = 0; i < t->n_columns; i++)
        sb_addf(b, i ? ", $%zu" : "$%zu", i + 1);
    sb_add(b, S(") ON CONFLICT ("));
    tables_sql_order(b, t);
    sb_add(b, S(") DO UPDATE SET "));
    for (size_t i = t->n_keys; i < t->n_columns; i++)
        sb_addf(b, "%s%.*s = excluded.%.*s", i > t->n_keys ? ", " : "", STR_ARG(t->columns[i].name),
                STR_ARG(t->columns[i].name));
}

void tables_sql_delete(struct sb *b, const struct table *t)
{
    sb_addf(b, "DELETE FROM %s", t->name);
    tables_sql_by_key(b, t);
}

static const void *tables_at(const void *rec, const struct table_column *c)
{
    return (const char *)rec + c->offset;
}

struct str tables_text(const void *rec, const struct table_column *c)
{
    struct str s = *(const struct str *)tables_at(rec, c);

    return s.p || c->type == TABLE_TEXT_NULL ? s : S("");
}

int64_t tables_int(const void *rec, const struct table_column *c)
{
    return *(const int64_t *)tables_at(rec, c);
}

const struct digest *tables_digest(const void *rec, const struct table_column *c)
{
    return tables_at(rec, c);
}

int tables_is_null(const void *rec, const struct table_column *c)
{
    switch (c->type) {
    case TABLE_TEXT_NULL:
        return !tables_text(rec, c).p;
    case TABLE_INT_NULL:
        return tables_int(rec, c) == REC_NONE;
    case TABLE_DIGEST_NULL:
        return digest_is_none(tables_digest(rec, c));
    case TABLE_TEXT:
    case TABLE_INT:
    case TABLE_DIGEST:
        return 0;
    }
    UNREACHABLE();
}

static int tables_bind_column(sqlite3_stmt *st, int at, const struct table_column *c,
                              const void *rec)
{
    struct str text;

    if (tables_is_null(rec, c))
        return sqlite3_bind_null(st, at);
    switch (c->type) {
    case TABLE_TEXT:
    case TABLE_TEXT_NULL:
        text = tables_text(rec, c);
        return sqlite3_bind_text64(st, at, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
    case TABLE_INT:
    case TABLE_INT_NULL:
        return sqlite3_bind_int64(st, at, tables_int(rec, c));
    case TABLE_DIGEST:
    case TABLE_DIGEST_NULL:
        return sqlite3_bind_blob(st, at, tables_digest(rec, c)->b, DIGEST_BYTES, SQLITE_STATIC);
    }
    UNREACHABLE();
}

int tables_bind(struct sqlite3_stmt *st, const struct table *t, const void *rec, size_t n)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
        rc = tables_bind_column(st, (int)i + 1, &t->columns[i], rec);
    return rc;
}

void tables_set_null(void *rec, const struct table_column *c)
{
    void *at = (char *)rec + c->offset;

    PRE(tables_may_be_null(c));
    if (c->type == TABLE_INT_NULL)
        *(int64_t *)at = REC_NONE;
    else if (c->type == TABLE_TEXT_NULL)
        *(struct str *)at = STR_NONE;
    else
        *(struct digest *)at = (struct digest){ 0 };
}

int tables_may_be_null(const struct table_column *c)
{
    return c->type == TABLE_TEXT_NULL || c->type == TABLE_INT_NULL || c->type == TABLE_DIGEST_NULL;
}

/* 0, or -1 when the stored value is not of the column's type. */
static int tables_read_column(sqlite3_stmt *st, int i, const struct table_column *c,
                              struct arena *a, void *rec)
{
    int type = sqlite3_column_type(st, i);
    void *at = (char *)rec + c->offset;

    if (type == SQLITE_NULL && tables_may_be_null(c)) {
        tables_set_null(rec, c);
        return 0;
    }
    switch (c->type) {
    case TABLE_TEXT:
    case TABLE_TEXT_NULL:
        if (type != SQLITE_TEXT)
            return -1;
        *(struct str *)at = str_copy(a, (struct str){ (const char *)sqlite3_column_text(st, i),
                                                      (size_t)sqlite3_column_bytes(st, i) });
        return 0;
    case TABLE_INT:
    case TABLE_INT_NULL:
        *(int64_t *)at = sqlite3_column_int64(st, i);
        return type == SQLITE_INTEGER ? 0 : -1;
    case TABLE_DIGEST:
    case TABLE_DIGEST_NULL:
        if (type != SQLITE_BLOB || sqlite3_column_bytes(st, i) != DIGEST_BYTES)
            return -1;
        memcpy(at, sqlite3_column_blob(st, i), DIGEST_BYTES);
        return 0;
    }
    UNREACHABLE();
}

int tables_read(struct sqlite3_stmt *st, const struct table *t, struct arena *a, void *rec,
                struct err *err)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];

        if (tables_read_column(st, (int)i, c, a, rec))
            return err_set(err, ERR_CORRUPT, "table '%s': column '%.*s' holds what it cannot",
                           t->name, STR_ARG(c->name));
    }
    return 0;
}
