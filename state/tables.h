/*
 * tables: what tables.def says, as data; records to SQL and back. SPDX-License-Identifier: Apache-2.0
 *
 * One codec serves every table: a record is a struct of records.h, its columns are found by offset.
 *
 * Memory   what is read lives in the arena given; a bound record is borrowed until the statement is
 *          reset.
 * Thread   any.
 * Fails    ERR_CORRUPT: a stored value is not what the column holds.
 */
#pragma once

#include "state/records.h"

struct sqlite3_stmt;

enum table_class { TABLE_EVENTED, TABLE_CACHE };
enum table_type {
    TABLE_TEXT,
    TABLE_TEXT_NULL,
    TABLE_INT,
    TABLE_INT_NULL,
    TABLE_DIGEST,
    TABLE_DIGEST_NULL,
};
enum table_role { TABLE_KEY, TABLE_DATA };

struct table_column {
    struct str name;
    enum table_type type;
    enum table_role role;
    size_t offset;
};

struct table {
    const char *name;
    enum table_class class;
    size_t size_bytes; /* of the record */
    const struct table_column *columns;
    size_t n_columns, n_keys; /* keys first */
};

union tables_record { /* room for any */
#define TABLE(record, table, class) struct rec_##record record;
#define COL(record, column, type, role)
#define END_TABLE(record)
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE
};

const struct table *tables_get(enum record record);
int tables_find(struct str table_name, enum record *ret); /* 0, or -1 */

/* Statements; parameters are $1..$n in column order. */
void tables_sql_select(struct sb *b, const struct table *t); /* SELECT columns FROM table */
void tables_sql_all(struct sb *b, const struct table *t);    /* the same, by key */
void tables_sql_get(struct sb *b, const struct table *t);
void tables_sql_upsert(struct sb *b, const struct table *t);
void tables_sql_delete(struct sb *b, const struct table *t);

/* The first n columns of the record: n_keys or n_columns. Answers SQLite's code. */
int tables_bind(struct sqlite3_stmt *st, const struct table *t, const void *rec, size_t n);
/* The row a statement of tables_sql_select() stands on. */
int tables_read(struct sqlite3_stmt *st, const struct table *t, struct arena *a, void *rec,
                struct err *err);

/* One column of a record. Absent text of a column that is never null is "". */
struct str tables_text(const void *rec, const struct table_column *c);
int64_t tables_int(const void *rec, const struct table_column *c);
const struct digest *tables_digest(const void *rec, const struct table_column *c);
int tables_is_null(const void *rec, const struct table_column *c);
void tables_set_null(void *rec, const struct table_column *c); /* PRE: the column may be null */
int tables_may_be_null(const struct table_column *c);
