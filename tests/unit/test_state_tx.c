/* state: savepoints, their events, and what a failure leaves. SPDX-License-Identifier: Apache-2.0 */
#include "state/documents.h"
#include "test_state_given.h"

static struct rec_meta meta_row(const char *k, const char *v)
{
    return (struct rec_meta){ .k = str_from_c(k), .v = str_from_c(v) };
}

static void expect_body(struct given *g, int64_t seq, const char *want)
{
    struct event e;

    expect_ok(g, events_get(g->db, &g->a, seq, &e, &g->err));
    assert_string_equal(e.body.p, want);
}

static void expect_verified(struct given *g)
{
    int64_t n;

    expect_ok(g, events_verify(g->db, &n, &g->err));
    expect_ok(g, replay_verify(g->db, &n, &g->err));
}

static void test_a_new_state_begins_with_its_creation(void **state)
{
    struct given *g = *state;
    struct event e;
    struct str v;

    expect_ok(g, events_get(g->db, &g->a, 1, &e, &g->err));
    assert_string_equal(e.kind.p, "state.created");
    assert_int_equal(e.time_ms, GIVEN_MS);
    assert_true(digest_is_none(&e.prev_hash));
    expect_ok(g, db_meta(g->db, &g->a, S("installation"), &v, &g->err));
    assert_true(str_eq(v, db_installation(g->db)));
    expect_ok(g, db_meta(g->db, &g->a, S("nothing"), &v, &g->err));
    assert_null(v.p);
    expect_verified(g);
}

static void test_an_event_says_every_row_and_links_to_the_last(void **state)
{
    struct given *g = *state;
    struct rec_meta a = meta_row("a", "1"), b = meta_row("b", "2\n");
    struct event first, second;
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.rows");
    assert_int_equal(tx_seq(tx), 2);
    assert_ptr_equal(tx_db(tx), g->db);
    expect_ok(g, tx_put(tx, REC_meta, &a, &g->err));
    expect_ok(g, tx_put(tx, REC_meta, &b, &g->err));
    tx_note(tx, S("why"), S("\"because\""));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));

    expect_body(g, 2,
                "{\"notes\":{\"why\":\"because\"},\"rows\":{\"meta\":[{\"k\":\"a\",\"v\":\"1\"},"
                "{\"k\":\"b\",\"v\":\"2\\u000a\"}]}}");
    expect_ok(g, events_get(g->db, &g->a, 1, &first, &g->err));
    expect_ok(g, events_get(g->db, &g->a, 2, &second, &g->err));
    assert_true(digest_eq(&second.prev_hash, &first.hash));
    assert_string_equal(second.actor.p, "local:test(1)");
    assert_string_equal(second.env.p, "env-1");
    assert_int_equal(second.mono_ms, 7);
    expect_verified(g);
}

/* PROTOCOL 6, byte by byte: an independent verifier must come to the same. */
static void test_the_hash_is_the_documented_one(void **state)
{
    struct given *g = *state;
    const struct event e = { .seq = 2,
                             .epoch = 3,
                             .time_ms = 258,
                             .mono_ms = 5,
                             .actor = S_INIT("a"),
                             .cause = S_INIT(""),
                             .kind = S_INIT("k"),
                             .subject = S_INIT("s"),
                             .env = S_INIT("") };
    static const char text[] = "reeve/event/1"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\5"
                               "\0\0\0\1i\0\0\0\1a\0\0\0\0\0\0\0\1k\0\0\0\1s\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct digest want = hash_bytes((struct str){ text, sizeof(text) - 1 });
    struct digest got = events_hash(S("i"), &e);

    (void)g;
    assert_true(digest_eq(&want, &got));
}

static void test_a_rollback_leaves_nothing(void **state)
{
    struct given *g = *state;
    struct rec_meta kept = meta_row("kept", "1"), gone = meta_row("gone", "1");
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.kept");
    expect_ok(g, tx_put(tx, REC_meta, &kept, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.gone");
    expect_ok(g, tx_put(tx, REC_meta, &gone, &g->err));
    tx_rollback(tx);
    tx_rollback(NULL);
    expect_ok(g, db_batch_commit(g->db, &g->err));

    assert_int_equal(given_count(g, "SELECT count(*) FROM events"), 2);
    expect_ok(g, db_get(g->db, &g->a, REC_meta, &kept, &g->err));
    expect_code(g, db_get(g->db, &g->a, REC_meta, &gone, &g->err), ERR_NOT_FOUND);
    expect_verified(g);
}

static void test_savepoints_of_a_batch_become_durable_together(void **state)
{
    struct given *g = *state;
    struct db *reader = NULL;
    struct rec_meta row = meta_row("n", "0");
    struct digest hash;
    int64_t seq;

    expect_ok(g, db_open(g->path, DB_READ, &reader, &g->err));
    expect_ok(g, db_batch_begin(g->db, &g->err));
    for (int i = 0; i < 64; i++) {
        struct tx *tx = given_tx(g, "test.one");

        row.v = str_fmt(&g->a, "%d", i);
        expect_ok(g, tx_put(tx, REC_meta, &row, &g->err));
        expect_ok(g, tx_commit(tx, &g->err));
    }
    expect_ok(g, events_head(reader, &seq, &hash, &g->err));
    assert_int_equal(seq, 1); /* not yet */
    expect_ok(g, db_batch_commit(g->db, &g->err));
    expect_ok(g, events_head(reader, &seq, &hash, &g->err));
    assert_int_equal(seq, 65);
    db_close(reader);
    expect_verified(g);
}

static void test_an_abandoned_batch_leaves_nothing(void **state)
{
    struct given *g = *state;
    struct rec_meta row = meta_row("n", "0");
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.one");
    expect_ok(g, tx_put(tx, REC_meta, &row, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    db_batch_abandon(g->db);
    given_put(g, REC_meta, &(struct rec_meta){ .k = S("after"), .v = S("1") });
    assert_int_equal(given_count(g, "SELECT max(seq) FROM events"), 2);
    expect_verified(g);
}

static void test_time_never_runs_back_and_says_when_the_clock_did(void **state)
{
    struct given *g = *state;
    static const struct {
        const char *what;
        int64_t clock_ms, time_ms;
        const char *body;
    } rows[] = {
        { "forward", GIVEN_MS + 5000000, GIVEN_MS + 5000000, "{}" },
        { "a caller that queued longer", GIVEN_MS + 4999500, GIVEN_MS + 5000000, "{}" },
        { "an hour back", GIVEN_MS + 1400000, GIVEN_MS + 5000000,
          "{\"notes\":{\"clock\":{\"behind_ms\":3600000}}}" },
        { "forward again", GIVEN_MS + 5000001, GIVEN_MS + 5000001, "{}" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct tx_head head = given_head("test.time");
        struct tx *tx;

        head.time_ms = rows[i].clock_ms;
        expect_ok(g, db_batch_begin(g->db, &g->err));
        expect_ok(g, tx_begin(g->db, &head, &tx, &g->err));
        assert_int_equal(tx_time_ms(tx), rows[i].time_ms);
        expect_ok(g, tx_commit(tx, &g->err));
        expect_ok(g, db_batch_commit(g->db, &g->err));
        expect_body(g, 2 + (int64_t)i, rows[i].body);
    }
    expect_verified(g);
}

static void test_removed_rows_replay_in_any_order(void **state)
{
    struct given *g = *state;
    struct rec_meta a = meta_row("a", "1"), aa = meta_row("aa", "1");
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.put-remove"); /* gone in the end; its neighbour stays */
    expect_ok(g, tx_put(tx, REC_meta, &a, &g->err));
    expect_ok(g, tx_put(tx, REC_meta, &aa, &g->err));
    expect_ok(g, tx_remove(tx, REC_meta, &a, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.remove-put"); /* there in the end */
    expect_ok(g, tx_remove(tx, REC_meta, &aa, &g->err));
    expect_ok(g, tx_put(tx, REC_meta, &aa, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.absent");
    expect_ok(g, tx_remove(tx, REC_meta, &a, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));

    expect_body(g, 2,
                "{\"gone\":{\"meta\":[{\"k\":\"a\"}]},"
                "\"rows\":{\"meta\":[{\"k\":\"aa\",\"v\":\"1\"}]}}");
    expect_body(g, 4, "{}");
    expect_code(g, db_get(g->db, &g->a, REC_meta, &a, &g->err), ERR_NOT_FOUND);
    expect_ok(g, db_get(g->db, &g->a, REC_meta, &aa, &g->err));
    expect_verified(g);
}

static void test_a_removed_row_is_not_taken_for_its_neighbour(void **state)
{
    struct given *g = *state;
    struct rec_instance one = { .env = S("e"), .ordinal = 1 },
                        twelve = { .env = S("e"), .ordinal = 12 };
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.instances");
    expect_ok(g, tx_put(tx, REC_instance, &twelve, &g->err));
    expect_ok(g, tx_put(tx, REC_instance, &one, &g->err));
    expect_ok(g, tx_remove(tx, REC_instance, &one, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    expect_verified(g);
}

static void test_a_document_is_stored_once_under_its_own_digest(void **state)
{
    struct given *g = *state;
    const struct str body = S("{\"a\":1}"), kind = S("plan");
    struct digest digest = documents_digest(kind, body), other = hash_bytes(S("x"));
    struct str got;
    struct tx *tx;

    for (int i = 0; i < 2; i++) {
        expect_ok(g, db_batch_begin(g->db, &g->err));
        tx = given_tx(g, "test.document");
        expect_ok(g, tx_document(tx, kind, &digest, body, &g->err));
        expect_ok(g, tx_commit(tx, &g->err));
        expect_ok(g, db_batch_commit(g->db, &g->err));
    }
    expect_ok(g, db_document(g->db, &g->a, &digest, &got, &g->err));
    assert_true(str_eq(got, body));
    expect_code(g, db_document(g->db, &g->a, &other, &got, &g->err), ERR_NOT_FOUND);
    expect_body(g, 2, str_fmt(&g->a, "{\"documents\":[\"%s\"]}", digest_hex(&g->a, &digest).p).p);
    expect_body(g, 3, "{}");
    expect_verified(g);
}

static void test_what_no_event_could_carry_is_refused(void **state)
{
    struct given *g = *state;
    struct rec_meta row = { .k = S("k"), .v = S("\xff") };
    struct tx_head head = given_head("test.bad");
    struct digest digest = hash_bytes(S("x"));
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.bad");
    expect_code(g, tx_put(tx, REC_meta, &row, &g->err), ERR_INVALID);
    expect_code(g, tx_document(tx, S("plan"), &digest, S("{}"), &g->err), ERR_INVALID);
    tx_note(tx, S("note"), S("{"));
    expect_code(g, tx_commit(tx, &g->err), ERR_INVALID);
    tx = given_tx(g, "test.bad");
    tx_note(tx, S("note"), S("1"));
    tx_note(tx, S("note"), S("2"));
    expect_code(g, tx_commit(tx, &g->err), ERR_INVALID);
    head.subject = S("\xc0");
    expect_code(g, tx_begin(g->db, &head, &tx, &g->err), ERR_INVALID);
    expect_ok(g, db_batch_commit(g->db, &g->err));
    assert_int_equal(given_count(g, "SELECT count(*) FROM events"), 1);
    expect_verified(g);
}

static void test_a_conflict_fails_its_savepoint_alone(void **state)
{
    struct given *g = *state;
    union given_record one, two;
    struct tx *tx;

    given_record(g, REC_operation, 1, 1, &one);
    given_record(g, REC_operation, 2, 1, &two);
    two.operation.env = one.operation.env;
    two.operation.kind = one.operation.kind;
    two.operation.name = one.operation.name;
    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.first");
    expect_ok(g, tx_put(tx, REC_operation, &one, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    tx = given_tx(g, "test.second");
    expect_code(g, tx_put(tx, REC_operation, &two, &g->err), ERR_CONFLICT);
    tx_rollback(tx);
    expect_ok(g, db_batch_commit(g->db, &g->err));
    assert_int_equal(given_count(g, "SELECT count(*) FROM operations"), 1);
    expect_verified(g);
}

static void test_cache_tables_make_no_history(void **state)
{
    struct given *g = *state;
    union given_record sample;
    struct tx *tx;

    given_record(g, REC_sample, 1, 0, &sample);
    expect_ok(g, db_batch_begin(g->db, &g->err));
    expect_ok(g, db_cache_put(g->db, REC_sample, &sample, &g->err));
    expect_ok(g, db_cache_remove(g->db, REC_sample, &sample, &g->err));
    tx = given_tx(g, "test.cache");
    expect_ok(g, tx_put(tx, REC_sample, &sample, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    expect_body(g, 2, "{}");
    assert_int_equal(given_count(g, "SELECT count(*) FROM samples"), 1);
    expect_verified(g);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_new_state_begins_with_its_creation),
        UNIT(test_an_event_says_every_row_and_links_to_the_last),
        UNIT(test_the_hash_is_the_documented_one),
        UNIT(test_a_rollback_leaves_nothing),
        UNIT(test_savepoints_of_a_batch_become_durable_together),
        UNIT(test_an_abandoned_batch_leaves_nothing),
        UNIT(test_time_never_runs_back_and_says_when_the_clock_did),
        UNIT(test_removed_rows_replay_in_any_order),
        UNIT(test_a_removed_row_is_not_taken_for_its_neighbour),
        UNIT(test_a_document_is_stored_once_under_its_own_digest),
        UNIT(test_what_no_event_could_carry_is_refused),
        UNIT(test_a_conflict_fails_its_savepoint_alone),
        UNIT(test_cache_tables_make_no_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
