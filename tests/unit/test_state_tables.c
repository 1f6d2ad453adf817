/* state: tables.def, schema.sql and the codec say the same. SPDX-License-Identifier: Apache-2.0 */
#include "specs/json_io.h"
#include "state/rows.h"
#include "state/schema.h"
#include "test_state_given.h"

static const char *const column_types[] = { "TEXT", "TEXT", "INTEGER", "INTEGER", "BLOB", "BLOB" };

static void expect_columns(struct given *g, const struct table *t)
{
    sqlite3_stmt *st = NULL;
    char *sql = sqlite3_mprintf("PRAGMA table_info(%s)", t->name);
    size_t i = 0;

    assert_int_equal(sqlite3_prepare_v2(g->db->handle, sql, -1, &st, NULL), SQLITE_OK);
    for (; sqlite3_step(st) == SQLITE_ROW; i++) {
        const struct table_column *c = &t->columns[i];

        assert_true(i < t->n_columns);
        assert_string_equal((const char *)sqlite3_column_text(st, 1), c->name.p);
        assert_string_equal((const char *)sqlite3_column_text(st, 2), column_types[c->type]);
        assert_int_equal(sqlite3_column_int(st, 3), !tables_may_be_null(c));
        assert_int_equal(sqlite3_column_int(st, 5), c->role == TABLE_KEY ? (int)i + 1 : 0);
    }
    assert_int_equal(i, t->n_columns);
    (void)sqlite3_finalize(st);
    sqlite3_free(sql);
}

static void test_schema_is_what_tables_def_says(void **state)
{
    struct given *g = *state;

    for (int i = 0; i < N_RECORDS; i++) {
        const struct table *t = tables_get((enum record)i);

        assert_true(t->n_keys > 0 && t->n_keys < t->n_columns);
        for (size_t j = 0; j < t->n_columns; j++)
            assert_int_equal(t->columns[j].role == TABLE_KEY, j < t->n_keys); /* keys first */
        expect_columns(g, t);
    }
    /* and documents, events, event_bodies */
    assert_int_equal(given_count(g, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"),
                     N_RECORDS + 3);
    assert_int_equal(given_count(g, "SELECT count(*) FROM pragma_table_list"
                                    " WHERE schema = 'main' AND type = 'table' AND NOT strict"
                                    " AND name NOT LIKE 'sqlite%'"),
                     0);
}

static void expect_same(const struct table *t, const void *a, const void *b)
{
    const struct table_column *c = rows_difference(t, a, b);

    if (c)
        fail_msg("table %s: column %s differs", t->name, c->name.p);
}

static void test_rows_come_back_from_sql(void **state)
{
    struct given *g = *state;

    for (int i = 0; i < N_RECORDS; i++)
        for (int nulls = 0; nulls < 2; nulls++) {
            const struct table *t = tables_get((enum record)i);
            union given_record put, got = { 0 };

            given_record(g, (enum record)i, 2 + nulls, nulls, &put);
            memcpy(&got, &put, sizeof(got)); /* the key; the rest is overwritten */
            given_put(g, (enum record)i, &put);
            expect_ok(g, db_get(g->db, &g->a, (enum record)i, &got, &g->err));
            expect_same(t, &put, &got);
        }
}

static void test_rows_come_back_from_json(void **state)
{
    struct given *g = *state;

    for (int i = 0; i < N_RECORDS; i++)
        for (int nulls = 0; nulls < 2; nulls++) {
            const struct table *t = tables_get((enum record)i);
            union given_record put, got = { 0 };
            struct value *v = NULL;
            struct sb b;

            given_record(g, (enum record)i, 5, nulls, &put);
            sb_init(&b, &g->a);
            rows_write(&b, t, &put);
            expect_ok(g, json_parse(&g->a, sb_str(&b), 1 << 20, &v, &g->err));
            expect_ok(g, rows_parse(t, v, &got, &g->err));
            expect_same(t, &put, &got);
        }
}

static void test_a_row_of_the_wrong_kind_is_refused(void **state)
{
    struct given *g = *state;
    static const char *const rows[] = {
        "{\"uid\":1}",
        "{\"uid\":\"a\",\"apply_seq\":\"1\"}",
        "{\"live_rev\":\"zz\"}",
        "{\"live_rev\":17}",
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct rec_environment rec;
        struct value *v = NULL;

        expect_ok(g, json_parse(&g->a, str_from_c(rows[i]), 1000, &v, &g->err));
        expect_code(g, rows_parse(tables_get(REC_environment), v, &rec, &g->err), ERR_CORRUPT);
    }
}

static void test_text_is_utf8_without_nul(void **state)
{
    static const struct {
        const char *what;
        struct str text;
        int ok;
    } rows[] = {
        { "nothing", S_INIT(""), 1 },
        { "two, three and four bytes", S_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 1 },
        { "a NUL", S_INIT("a\0b"), 0 },
        { "a lone continuation", S_INIT("\x80"), 0 },
        { "a cut sequence", S_INIT("\xe2\x82"), 0 },
        { "an overlong slash", S_INIT("\xc0\xaf"), 0 },
        { "an overlong three", S_INIT("\xe0\x80\xaf"), 0 },
        { "a surrogate", S_INIT("\xed\xa0\x80"), 0 },
        { "beyond the last", S_INIT("\xf4\x90\x80\x80"), 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows_is_text(rows[i].text) != rows[i].ok)
            fail_msg("%s", rows[i].what);
}

static void test_tables_are_found_by_name(void **state)
{
    enum record record;

    (void)state;
    assert_int_equal(tables_find(S("source_heads"), &record), 0);
    assert_int_equal(record, REC_head);
    assert_int_equal(tables_find(S("sqlite_schema"), &record), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_is_what_tables_def_says, given_state,
                                        given_end),
        cmocka_unit_test_setup_teardown(test_rows_come_back_from_sql, given_state, given_end),
        cmocka_unit_test_setup_teardown(test_rows_come_back_from_json, given_state, given_end),
        cmocka_unit_test_setup_teardown(test_a_row_of_the_wrong_kind_is_refused, given_state,
                                        given_end),
        cmocka_unit_test(test_text_is_utf8_without_nul),
        cmocka_unit_test(test_tables_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
