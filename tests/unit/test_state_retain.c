/* state: bodies of old events go, the chain and the replay of it stay. SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "state/documents.h"
#include "state/retain.h"
#include "test_state_given.h"

static void given_rows(struct given *g, int seed)
{
    const struct str body = str_fmt(&g->a, "{\"a\":%d}", seed);
    struct digest digest = documents_digest(S("plan"), body);
    union given_record rec;
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.rows");
    expect_ok(g, tx_document(tx, S("plan"), &digest, body, &g->err));
    for (int i = 0; i < N_RECORDS; i++) {
        given_record(g, (enum record)i, seed, 0, &rec);
        expect_ok(g, tx_put(tx, (enum record)i, &rec, &g->err));
    }
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static void given_snapshot(struct given *g)
{
    const struct tx_head head = given_head("snapshot");

    expect_ok(g, db_batch_begin(g->db, &g->err));
    expect_ok(g, retain_snapshot(g->db, &head, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static int64_t given_dropped(struct given *g, int64_t seq)
{
    int64_t n = -1;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    expect_ok(g, retain_drop(g->db, seq, &n, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    return n;
}

/* Events 1 to 3, a snapshot at 4 and 5, one more at 6, another snapshot at 7 and 8. */
static void given_history(struct given *g)
{
    given_rows(g, 1);
    given_rows(g, 2);
    given_snapshot(g);
    given_rows(g, 3);
    given_snapshot(g);
}

static void expect_proved(struct given *g)
{
    int64_t n, rows;

    expect_ok(g, events_verify(g->db, &n, &g->err));
    assert_int_equal(n, 8);
    expect_ok(g, replay_verify(g->db, &rows, &g->err));
    assert_true(rows > 50);
}

static void test_bodies_go_up_to_a_snapshot(void **state)
{
    static const struct {
        int64_t seq, n, left;
    } rows[] = { { 3, 0, 8 }, { 4, 3, 5 }, { 6, 0, 5 }, { 7, 3, 2 }, { 1000, 0, 2 } };
    struct given *g = *state;
    struct event before, after;

    given_history(g);
    expect_proved(g);
    expect_ok(g, events_get(g->db, &g->a, 2, &before, &g->err));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        assert_int_equal(given_dropped(g, rows[i].seq), rows[i].n);
        assert_int_equal(given_count(g, "SELECT count(*) FROM event_bodies"), rows[i].left);
        expect_proved(g);
    }
    expect_ok(g, events_get(g->db, &g->a, 2, &after, &g->err));
    assert_null(after.body.p);
    assert_true(digest_eq(&before.hash, &after.hash)); /* what was anchored stands */
}

static void test_what_is_gone_without_a_snapshot_is_found(void **state)
{
    static const struct {
        const char *sentence, *sql, *text;
    } rows[] = {
        { "the body before a snapshot may go", "DELETE FROM event_bodies WHERE seq = 1", NULL },
        { "not one after it", "DELETE FROM event_bodies WHERE seq = 6",
          "event 6: column 'body' is missing" },
        { "nor one in between", "DELETE FROM event_bodies WHERE seq = 2",
          "event 2: column 'body' is missing" },
        { "nor the snapshots", "DELETE FROM event_bodies WHERE seq <= 8",
          "event 8: column 'body' is missing" },
        { "nor half of the last one", "DELETE FROM event_bodies WHERE seq <= 7",
          "event 7: column 'body' is missing" },
        { "a byte before it",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "UPDATE events SET actor = 'mallory' WHERE seq = 2",
          "event 2: column 'hash' is not that of the other columns" },
        { "a byte of it",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "UPDATE events SET subject = 'x' WHERE seq = 4",
          "event 4: column 'hash' is not that of the other columns" },
        { "its rows",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "UPDATE event_bodies SET body = replace(body, 'reason', 'raeson') WHERE seq = 4",
          "event 4: column 'body' does not fit the other" },
        { "a byte after it",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "UPDATE events SET cause = 'x' WHERE seq = 6",
          "event 6: column 'hash' is not that of the other columns" },
        { "an event before it",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "DELETE FROM events WHERE seq = 2",
          "event 2 is missing" },
        { "two swapped before it",
          "DELETE FROM event_bodies WHERE seq <= 3; "
          "UPDATE events SET seq = 99 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 3; "
          "UPDATE events SET seq = 3 WHERE seq = 99",
          "event 2: column 'prev_hash' is not the hash of the event before" },
        { "the tail cut inside of it",
          "DELETE FROM event_bodies WHERE seq <= 3 OR seq > 4; "
          "DELETE FROM events WHERE seq > 4",
          "event 3: column 'body' is missing" },
    };
    struct given *g = *state;
    int64_t n, n_rows;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        print_message("  %s\n", rows[i].sentence);
        given_history(g);
        given_tampered(g, "%s", rows[i].sql);
        given_reopen(g);
        if (rows[i].text) {
            expect_code(g, events_verify(g->db, &n, &g->err), ERR_CORRUPT);
            assert_string_equal(g->err.text, rows[i].text);
        } else {
            expect_ok(g, events_verify(g->db, &n, &g->err));
            expect_ok(g, replay_verify(g->db, &n_rows, &g->err));
        }
        expect_ok(g, given_end(state));
        expect_ok(g, given_state(state));
        g = *state;
    }
}

static void test_a_row_that_a_snapshot_said_is_replayed(void **state)
{
    struct given *g = *state;
    int64_t rows;

    given_history(g);
    (void)given_dropped(g, 8);
    given_tampered(g, "UPDATE holds SET reason = 'x' || reason");
    given_reopen(g);
    expect_code(g, replay_verify(g->db, &rows, &g->err), ERR_CORRUPT);
    given_tampered(g, "UPDATE holds SET reason = substr(reason, 2); DELETE FROM documents WHERE "
                      "digest = (SELECT min(digest) FROM documents)");
    given_reopen(g);
    expect_code(g, replay_verify(g->db, &rows, &g->err), ERR_CORRUPT);
}

#define FREE_PAGES "SELECT freelist_count FROM pragma_freelist_count"

/* One part after the other; some pages stay for what comes next. */
static void test_space_is_given_back(void **state)
{
    struct given *g = *state;
    int goes_on = 1, n_parts = 0;
    int64_t before, after;
    struct stat file;

    for (int i = 1; i < 40; i++)
        given_rows(g, i);
    given_tampered(g, "UPDATE event_bodies SET body = body || printf('%%500000s', '')");
    given_reopen(g);
    given_snapshot(g);
    assert_int_equal(given_dropped(g, 1000), 40);
    before = given_count(g, FREE_PAGES);
    assert_true(before > DB_GIVE_BACK_MAX + DB_FREE_KEPT);
    for (; goes_on; n_parts++) {
        expect_ok(g, db_batch_begin(g->db, &g->err));
        expect_ok(g, db_give_back(g->db, &goes_on, &g->err));
        expect_ok(g, db_batch_commit(g->db, &g->err));
        after = given_count(g, FREE_PAGES);
        assert_true(before - after <= DB_GIVE_BACK_MAX && before > after);
        before = after;
    }
    assert_int_equal(n_parts, 2);
    assert_int_equal(before, DB_FREE_KEPT);
    given_reopen(g);
    assert_int_equal(stat(g->path, &file), 0);
    assert_true(file.st_size < 4 << 20);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_bodies_go_up_to_a_snapshot),
        UNIT(test_what_is_gone_without_a_snapshot_is_found),
        UNIT(test_a_row_that_a_snapshot_said_is_replayed),
        UNIT(test_space_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
