/*
 * Given: a state in a directory of its own. SPDX-License-Identifier: Apache-2.0
 *
 * Included by the tests of state; a failure of a helper fails the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "state/db_impl.h"
#include "state/events_chain.h"
#include "state/replay.h"
#include "state/tx.h"

#define GIVEN_MS 1700000000000

struct given {
    char dir[32], path[64];
    struct db *db;
    struct arena a;
    struct err err;
};

#define expect_ok(g, call) expect_code(g, call, 0)
#define expect_code(g, call, want)                                                                 \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ != (want))                                                                         \
            fail_msg("%s: %s: %s", #call, err_name(rc_), (g)->err.text);                           \
    } while (0)

static inline void given_open(struct given *g)
{
    const struct db_birth birth = { .time_ms = GIVEN_MS,
                                    .installation = S("018bcfe5-6800-7000-8000-000000000001") };

    expect_ok(g, db_create(g->path, &birth, &g->db, &g->err));
}

static inline void given_reopen(struct given *g)
{
    db_close(g->db);
    g->db = NULL;
    given_open(g);
}

static inline int given_state(void **state)
{
    struct given *g = calloc(1, sizeof(*g));

    (void)snprintf(g->dir, sizeof(g->dir), "/tmp/rstXXXXXX");
    assert_non_null(mkdtemp(g->dir));
    (void)snprintf(g->path, sizeof(g->path), "%s/state.db", g->dir);
    arena_init(&g->a, 0);
    *state = g;
    given_open(g);
    return 0;
}

static inline int given_end(void **state)
{
    struct given *g = *state;

    if (g->db)
        g->db->in_tx = 0; /* of a test that failed half way */
    db_close(g->db);
    arena_fini(&g->a);
    expect_ok(g, sys_remove_all(g->dir, &g->err));
    free(g);
    return 0;
}

static inline struct tx_head given_head(const char *kind)
{
    return (struct tx_head){ .time_ms = GIVEN_MS + 1,
                             .mono_ms = 7,
                             .epoch = 1,
                             .actor = S("local:test(1)"),
                             .cause = S("request:1"),
                             .kind = str_from_c(kind),
                             .subject = S("service/api"),
                             .env = S("env-1") };
}

static inline struct tx *given_tx(struct given *g, const char *kind)
{
    const struct tx_head head = given_head(kind);
    struct tx *tx = NULL;

    expect_ok(g, tx_begin(g->db, &head, &tx, &g->err));
    return tx;
}

/* One record in a batch of its own. */
static inline void given_put(struct given *g, enum record record, const void *rec)
{
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.put");
    expect_ok(g, tx_put(tx, record, rec, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

/* The file as somebody else's hands change it: without triggers and checks. */
static inline void given_tampered(struct given *g, const char *fmt, ...)
{
    sqlite3 *raw = NULL;
    char *sql, *said = NULL;
    va_list ap;

    va_start(ap, fmt);
    sql = sqlite3_vmprintf(fmt, ap);
    va_end(ap);
    assert_int_equal(sqlite3_open(g->path, &raw), SQLITE_OK);
    (void)sqlite3_exec(raw,
                       "PRAGMA ignore_check_constraints = ON; DROP TRIGGER IF EXISTS events_stay;"
                       "DROP TRIGGER IF EXISTS events_stand; DROP TRIGGER IF EXISTS events_chain;"
                       "DROP TRIGGER IF EXISTS event_bodies_stand;",
                       NULL, NULL, NULL);
    if (sqlite3_exec(raw, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
    sqlite3_free(sql);
    (void)sqlite3_close(raw);
}

static inline int64_t given_count(struct given *g, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(g->db->handle, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

union given_record { /* room for any */
#define TABLE(record, table, class) struct rec_##record record;
#define COL(record, column, type, role)
#define END_TABLE(record)
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE
};

/* Every column differs from that of another seed; nulls where `nulls`. */
static inline void given_record(struct given *g, enum record record, int seed, int nulls,
                                union given_record *ret)
{
    const struct table *t = tables_get(record);

    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];
        void *at = (char *)ret + c->offset;

        if (nulls && tables_may_be_null(c)) {
            tables_set_null(ret, c);
            continue;
        }
        switch (c->type) {
        case TABLE_TEXT:
        case TABLE_TEXT_NULL:
            *(struct str *)at = str_fmt(&g->a, "%.*s \"%d\"\n\\ \x01 \xc3\xa9", STR_ARG(c->name),
                                        seed);
            break;
        case TABLE_INT:
        case TABLE_INT_NULL:
            *(int64_t *)at = i % 2 ? -seed * (int64_t)10000000000 : seed + (int64_t)i;
            break;
        case TABLE_DIGEST:
        case TABLE_DIGEST_NULL:
            *(struct digest *)at = hash_bytes(str_fmt(&g->a, "%zu %d", i, seed));
            break;
        }
    }
}
