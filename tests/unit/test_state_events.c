/* state: whoever changes the history or the tables is found. SPDX-License-Identifier: Apache-2.0 */
#include "state/documents.h"
#include "test_state_given.h"

/* Three events of every kind of thing: a document, each evented table twice, a removal. */
static void given_history(struct given *g)
{
    const struct str body = S("{\"a\":1}");
    struct digest digest = documents_digest(S("plan"), body);
    union given_record rec;
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.document");
    expect_ok(g, tx_document(tx, S("plan"), &digest, body, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.rows");
    for (int i = 0; i < N_RECORDS; i++)
        for (int seed = 1; seed <= 2; seed++) {
            given_record(g, (enum record)i, seed, 0, &rec);
            expect_ok(g, tx_put(tx, (enum record)i, &rec, &g->err));
        }
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.more");
    given_record(g, REC_hold, 3, 1, &rec);
    expect_ok(g, tx_put(tx, REC_hold, &rec, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static void expect_corrupt(int rc, const char *what)
{
    if (rc != ERR_CORRUPT)
        fail_msg("%s: not found: %s", what, err_name(rc));
}

/* The file with one value changed, and back. */
static void expect_flip_is_found(struct given *g, const char *table, const char *column,
                                 int64_t seq, const char *changed)
{
    char what[128];
    int64_t n;

    (void)snprintf(what, sizeof(what), "%s.%s of %d set to %s", table, column, (int)seq, changed);
    given_tampered(g,
                   "CREATE TABLE kept AS SELECT * FROM %s; UPDATE %s SET %s = %s WHERE seq = %lld",
                   table, table, column, changed, (long long)seq);
    given_reopen(g);
    expect_corrupt(events_verify(g->db, &n, &g->err), what);
    db_close(g->db);
    g->db = NULL;
    given_tampered(g, "DELETE FROM %s; INSERT INTO %s SELECT * FROM kept; DROP TABLE kept", table,
                   table);
    given_reopen(g);
    expect_ok(g, events_verify(g->db, &n, &g->err));
}

static void test_any_byte_changed_in_the_history_is_found(void **state)
{
    struct given *g = *state;
    static const struct {
        const char *table, *column;
        const char *changed[3];
    } rows[] = {
        { "events", "seq", { "seq + 100", "-seq" } },
        { "events", "epoch", { "epoch + 1", "-1" } },
        { "events", "time_ms", { "time_ms + 1", "time_ms - 1" } },
        { "events", "mono_ms", { "mono_ms + 256" } },
        { "events", "actor", { "actor || 'x'", "'x' || substr(actor, 2)" } },
        { "events", "cause", { "cause || 'x'", "'x'" } },
        { "events", "kind", { "'x' || substr(kind, 2)" } },
        { "events", "subject", { "'x' || substr(subject, 2)", "''" } },
        { "events", "env", { "coalesce(env, '') || 'x'", "''" } },
        { "events",
          "body_hash",
          { "zeroblob(32)", "CAST(X'00' || substr(body_hash, 2) AS BLOB)" } },
        { "events", "prev_hash", { "CAST(substr(prev_hash, 1, 31) || X'07' AS BLOB)" } },
        { "events", "hash", { "CAST(substr(hash, 1, 31) || X'07' AS BLOB)", "zeroblob(32)" } },
        { "event_bodies", "seq", { "seq + 100", "-seq" } },
        { "event_bodies", "body", { "body || ' '", "'[' || substr(body, 2)", "''" } },
    };

    given_history(g);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t j = 0; j < 3 && rows[i].changed[j]; j++)
            for (int64_t seq = 1; seq <= 4; seq++)
                expect_flip_is_found(g, rows[i].table, rows[i].column, seq, rows[i].changed[j]);
    assert_int_equal(given_count(g, "SELECT count(*) FROM pragma_table_info('events')"), 12);
}

static void test_the_first_bad_column_is_named(void **state)
{
    struct given *g = *state;
    int64_t n;

    given_history(g);
    given_tampered(g, "UPDATE events SET hash = zeroblob(32) WHERE seq = 2");
    given_reopen(g);
    expect_code(g, events_verify(g->db, &n, &g->err), ERR_CORRUPT);
    assert_string_equal(g->err.text, "event 2: column 'hash' was changed");
}

static void test_a_missing_event_is_found(void **state)
{
    static const char *const sql[] = {
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events WHERE seq = 4",
        "DELETE FROM event_bodies WHERE seq = 3",
        "UPDATE meta SET v = '018bcfe5-6800-7000-8000-000000000002' WHERE k = 'installation'",
    };

    for (size_t i = 0; i < N_ELEMENTS(sql); i++) {
        struct given *g = *state;
        int64_t n;

        given_history(g);
        given_tampered(g, "%s", sql[i]);
        given_reopen(g);
        expect_corrupt(events_verify(g->db, &n, &g->err), sql[i]);
        expect_ok(g, given_end(state));
        expect_ok(g, given_state(state));
    }
}

static void test_the_events_stand(void **state)
{
    struct given *g = *state;
    static const char *const sql[] = {
        "UPDATE events SET actor = 'x' WHERE seq = 1",
        "DELETE FROM events",
        "UPDATE event_bodies SET body = '' WHERE seq = 1",
        ("INSERT INTO events SELECT seq + 5, epoch, time_ms, mono_ms, actor, cause, kind, subject,"
         " env, body_hash, prev_hash, hash FROM events"),
    };

    for (size_t i = 0; i < N_ELEMENTS(sql); i++)
        assert_int_equal(sqlite3_exec(g->db->handle, sql[i], NULL, NULL, NULL),
                         SQLITE_CONSTRAINT_TRIGGER);
}

static const char *changed_column(const struct table_column *c)
{
    switch (c->type) {
    case TABLE_TEXT:
    case TABLE_TEXT_NULL:
        return "%s || 'x'";
    case TABLE_INT:
    case TABLE_INT_NULL:
        return "%s + 1";
    case TABLE_DIGEST:
    case TABLE_DIGEST_NULL:
        return "CAST(substr(%s, 1, 31) || X'07' AS BLOB)";
    }
    UNREACHABLE();
}

/* Each column of each evented table: one row changed, and back. */
static void test_a_changed_row_is_found_by_replay(void **state)
{
    struct given *g = *state;
    int64_t n;

    given_history(g);
    expect_ok(g, replay_verify(g->db, &n, &g->err));
    assert_true(n > N_RECORDS);
    for (int i = 0; i < N_RECORDS; i++) {
        const struct table *t = tables_get((enum record)i);

        for (size_t j = 0; j < t->n_columns && t->class == TABLE_EVENTED; j++) {
            const char *column = t->columns[j].name.p;
            char *expression = sqlite3_mprintf(changed_column(&t->columns[j]), column);

            given_tampered(g,
                           "CREATE TABLE kept AS SELECT * FROM %s; UPDATE %s SET %s = %s WHERE"
                           " %s = (SELECT max(%s) FROM %s)",
                           t->name, t->name, column, expression, column, column, t->name);
            expect_corrupt(replay_verify(g->db, &n, &g->err), expression);
            if (!strstr(g->err.text, t->name) || !strstr(g->err.text, column))
                fail_msg("%s.%s is not named: %s", t->name, column, g->err.text);
            given_tampered(g, "DELETE FROM %s; INSERT INTO %s SELECT * FROM kept; DROP TABLE kept",
                           t->name, t->name);
            sqlite3_free(expression);
        }
    }
    expect_ok(g, replay_verify(g->db, &n, &g->err));
}

static void test_rows_and_documents_too_many_or_too_few_are_found(void **state)
{
    static const struct {
        const char *sql, *said;
    } rows[] = {
        { "DELETE FROM holds WHERE actor LIKE '%3%'", "is missing" },
        { "INSERT INTO meta VALUES ('zzz', '1')", "stands in no event" },
        { "INSERT INTO meta VALUES ('!', '1')", "stands in no event" },
        { "DELETE FROM documents", "is missing" },
        { "INSERT INTO documents VALUES (zeroblob(32), 'plan', '{}')", "stands in no event" },
        { "UPDATE documents SET body = '{\"a\":2}'", "does not have its digest" },
        { "UPDATE documents SET kind = 'other'", "does not have its digest" },
        { "UPDATE event_bodies SET body = '{\"rows\":{\"nowhere\":[{}]}}' WHERE seq = 4",
          "no table" },
        { "UPDATE event_bodies SET body = '{' WHERE seq = 4", "json" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct given *g = *state;
        int64_t n;

        given_history(g);
        given_tampered(g, "%s", rows[i].sql);
        expect_corrupt(replay_verify(g->db, &n, &g->err), rows[i].sql);
        if (!strstr(g->err.text, rows[i].said))
            fail_msg("%s: %s", rows[i].sql, g->err.text);
        expect_ok(g, given_end(state));
        expect_ok(g, given_state(state));
    }
}

static void given_events(struct given *g)
{
    static const struct {
        const char *kind, *subject, *env, *actor;
    } rows[] = {
        { "plan.stored", "plan1", "env-1", "reeve" },
        { "operation.intent", "service/api", "env-1", "reeve" },
        { "gate.verdict", "service/api", "env-2", "reeve" },
        { "plan.stored", "plan2", "", "local:ann(1)" },
    };

    expect_ok(g, db_batch_begin(g->db, &g->err));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct tx_head head = { .time_ms = GIVEN_MS + 1000 * (int64_t)(i + 1) };
        struct tx *tx;

        head.kind = str_from_c(rows[i].kind);
        head.subject = str_from_c(rows[i].subject);
        head.env = str_from_c(rows[i].env);
        head.actor = str_from_c(rows[i].actor);
        expect_ok(g, tx_begin(g->db, &head, &tx, &g->err));
        expect_ok(g, tx_commit(tx, &g->err));
    }
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static void test_events_are_listed_by_what_is_asked(void **state)
{
    struct given *g = *state;
    static const struct {
        const char *what;
        struct event_query q;
        const char *seqs;
    } rows[] = {
        { "all", { 0 }, "12345" },
        { "newest first", { .newest_first = 1 }, "54321" },
        { "a page", { .limit = 2 }, "12" },
        { "the next page", { .after_seq = 2, .limit = 2 }, "34" },
        { "the page before, newest first",
          { .before_seq = 4, .newest_first = 1, .limit = 2 },
          "32" },
        { "of an environment", { .env = S_INIT("env-1") }, "23" },
        { "of none", { .env = S_INIT("env-9") }, "" },
        { "of a kind", { .kind_prefix = S_INIT("plan.") }, "25" },
        { "without steps", { .without_steps = 1 }, "125" },
        { "about a subject", { .subject = S_INIT("service/api") }, "34" },
        { "by somebody", { .actor = S_INIT("local:ann(1)") }, "5" },
        { "from a time", { .from_ms = GIVEN_MS + 2000 }, "345" },
        { "up to a time", { .to_ms = GIVEN_MS + 2000 }, "123" },
        { "within a time", { .from_ms = GIVEN_MS + 1001, .to_ms = GIVEN_MS + 3999 }, "34" },
        { "all at once",
          { .from_ms = GIVEN_MS,
            .to_ms = GIVEN_MS + 9000,
            .before_seq = 9,
            .env = S_INIT("env-1"),
            .kind_prefix = S_INIT("op"),
            .subject = S_INIT("service/api"),
            .actor = S_INIT("reeve"),
            .with_body = 1 },
          "3" },
    };

    given_events(g);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct event *list = NULL;
        char seqs[16] = "";
        size_t n = 0;

        expect_ok(g, events_list(g->db, &g->a, &rows[i].q, &list, &n, &g->err));
        for (size_t j = 0; j < n; j++) {
            seqs[j] = (char)('0' + list[j].seq);
            assert_int_equal(list[j].body.p != NULL, rows[i].q.with_body);
        }
        if (strcmp(seqs, rows[i].seqs))
            fail_msg("%s: %s, wanted %s", rows[i].what, seqs, rows[i].seqs);
    }
}

static void test_a_time_is_a_place_in_the_history(void **state)
{
    struct given *g = *state;
    static const struct {
        int64_t after_ms, seq;
    } rows[] = { { -1, 0 },   { 0, 1 },    { 999, 1 },  { 1000, 2 },
                 { 3500, 4 }, { 4000, 5 }, { 90000, 5 } };

    given_events(g);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t seq;

        expect_ok(g, events_seq_at(g->db, GIVEN_MS + rows[i].after_ms, &seq, &g->err));
        assert_int_equal(seq, rows[i].seq);
    }
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_any_byte_changed_in_the_history_is_found),
        UNIT(test_the_first_bad_column_is_named),
        UNIT(test_a_missing_event_is_found),
        UNIT(test_the_events_stand),
        UNIT(test_a_changed_row_is_found_by_replay),
        UNIT(test_rows_and_documents_too_many_or_too_few_are_found),
        UNIT(test_events_are_listed_by_what_is_asked),
        UNIT(test_a_time_is_a_place_in_the_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
