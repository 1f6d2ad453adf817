/* state: a history that is not the one that was sealed is found. SPDX-License-Identifier: Apache-2.0 */
#include "state/seal.h"
#include "test_state_given.h"

static const char key[SEAL_KEY_BYTES] = "a key that is not in the databas";

static struct seal given_seal(struct given *g)
{
    return (struct seal){ str_fmt(&g->a, "%s/history.head", g->dir).p,
                          "head",
                          { key, sizeof(key) },
                          db_installation(g->db) };
}

static void given_events(struct given *g, int n, const char *actor)
{
    expect_ok(g, db_batch_begin(g->db, &g->err));
    for (int i = 0; i < n; i++) {
        struct tx_head head = { .time_ms = GIVEN_MS + i, .kind = S("test.event") };
        struct tx *tx;

        head.actor = str_from_c(actor);
        expect_ok(g, tx_begin(g->db, &head, &tx, &g->err));
        expect_ok(g, tx_commit(tx, &g->err));
    }
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static struct seal_head given_sealed(struct given *g, const struct seal *s)
{
    struct seal_head head;

    expect_ok(g, events_head(g->db, &head.seq, &head.hash, &g->err));
    expect_ok(g, seal_write(s, &head, &g->err));
    return head;
}

static void expect_not_sealed(struct given *g, const struct seal *s, const char *text)
{
    struct seal_head head;
    int64_t n;

    expect_ok(g, events_verify(g->db, &n, &g->err)); /* the chain alone does not tell */
    expect_ok(g, seal_read(s, &head, &g->err));
    expect_code(g, seal_check(g->db, &head, &g->err), ERR_CORRUPT);
    assert_string_equal(g->err.text, text);
}

static void test_the_newest_head_is_sealed(void **state)
{
    struct given *g = *state;
    struct seal s = given_seal(g);
    struct seal_head head;

    expect_code(g, seal_read(&s, &head, &g->err), ERR_NOT_FOUND);
    for (int i = 0; i < 3; i++) { /* in place, each as long as the one before */
        struct seal_head want;

        given_events(g, 5, "reeve");
        want = given_sealed(g, &s);
        expect_ok(g, seal_read(&s, &head, &g->err));
        assert_int_equal(head.seq, want.seq);
        expect_ok(g, seal_check(g->db, &head, &g->err));
    }
    given_events(g, 5, "reeve");
    expect_ok(g, seal_check(g->db, &head, &g->err)); /* an older head holds */
}

static void test_a_tail_that_is_cut_is_found(void **state)
{
    struct given *g = *state;
    struct seal s = given_seal(g);

    given_events(g, 5, "reeve");
    (void)given_sealed(g, &s);
    given_tampered(g, "DELETE FROM events WHERE seq > 4; DELETE FROM event_bodies WHERE seq > 4");
    given_reopen(g);
    s.installation = db_installation(g->db);
    expect_not_sealed(g, &s, "event 6 was sealed and is not there: the end of the history is cut");
}

static void test_a_chain_that_is_rewritten_is_found(void **state)
{
    struct given *g = *state;
    struct seal s = given_seal(g);

    given_events(g, 5, "local:mallory(1001)");
    (void)given_sealed(g, &s);
    db_close(g->db);
    g->db = NULL;
    assert_int_equal(unlink(g->path), 0);
    given_open(g);
    given_events(g, 8, "reeve"); /* every hash of it is right */
    s.installation = db_installation(g->db);
    expect_not_sealed(g, &s, "event 6 is not the one that was sealed: the history was rewritten");
}

static void test_a_seal_without_the_key_is_none(void **state)
{
    struct given *g = *state;
    struct seal s = given_seal(g), other;
    struct seal_head head;
    struct str line;

    given_events(g, 5, "reeve");
    head = given_sealed(g, &s);
    other = s;
    other.key = S("another key of as many bytes: no");
    expect_ok(g, seal_write(&other, &head, &g->err));
    expect_code(g, seal_read(&s, &head, &g->err), ERR_CORRUPT);
    other = s;
    other.what = "verified"; /* ours, of something else */
    expect_ok(g, seal_write(&other, &head, &g->err));
    expect_code(g, seal_read(&s, &head, &g->err), ERR_CORRUPT);
    head = given_sealed(g, &s);
    expect_ok(g, sys_read_file(&g->a, s.path, 512, &line, &g->err));
    for (size_t i = 0; i + 1 < line.n; i++) { /* its line end is none of what it says */
        struct str flipped = str_copy(&g->a, line);

        ((char *)(uintptr_t)flipped.p)[i] ^= 1;
        expect_ok(g, sys_write_file(s.path, 0600, flipped, &g->err));
        expect_code(g, seal_read(&s, &head, &g->err), ERR_CORRUPT);
    }
}

static void test_what_comes_after_a_verified_event_is_verified(void **state)
{
    struct given *g = *state;
    struct seal s = given_seal(g);
    struct seal_head head;
    int64_t n;

    given_events(g, 5, "reeve");
    head = given_sealed(g, &s);
    given_events(g, 5, "reeve");
    expect_ok(g, events_verify_after(g->db, head.seq, &head.hash, &n, &g->err));
    assert_int_equal(n, 11);
    for (int seq = 2; seq <= 11; seq++) {
        given_tampered(g, "UPDATE events SET actor = 'x' || actor WHERE seq = %d", seq);
        given_reopen(g);
        expect_code(g, events_verify_after(g->db, head.seq, &head.hash, &n, &g->err),
                    seq > head.seq ? ERR_CORRUPT : 0);
        expect_code(g, events_verify(g->db, &n, &g->err), ERR_CORRUPT);
        given_tampered(g, "UPDATE events SET actor = substr(actor, 2) WHERE seq = %d", seq);
        given_reopen(g);
    }
    given_tampered(g, "DELETE FROM events WHERE seq = 7");
    given_reopen(g);
    expect_code(g, events_verify_after(g->db, head.seq, &head.hash, &n, &g->err), ERR_CORRUPT);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_the_newest_head_is_sealed),
        UNIT(test_a_tail_that_is_cut_is_found),
        UNIT(test_a_chain_that_is_rewritten_is_found),
        UNIT(test_a_seal_without_the_key_is_none),
        UNIT(test_what_comes_after_a_verified_event_is_verified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
