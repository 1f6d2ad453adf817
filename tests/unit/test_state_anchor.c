/* state: lines of anchors, and what a history that does not have them is. SPDX-License-Identifier: Apache-2.0 */
#include "state/anchor.h"
#include "test_state_given.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PLACE "file:///srv/anchors.git"

static const struct str key = S_INIT("a key that is not in the databas"),
                        other_key = S_INIT("another key, of another machine.");

static void given_event(struct given *g, const char *kind, int64_t epoch)
{
    struct tx_head head = { .time_ms = GIVEN_MS, .epoch = epoch, .actor = S("reeve") };
    struct tx *tx;

    head.kind = str_from_c(kind);
    expect_ok(g, db_batch_begin(g->db, &g->err));
    expect_ok(g, tx_begin(g->db, &head, &tx, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static struct anchor_line given_line(struct given *g, struct str with)
{
    struct anchor_line head, line;
    struct str text;

    expect_ok(g, anchor_head(g->db, &head, &g->err));
    head.epoch = 3;
    head.time_ms = GIVEN_MS;
    text = anchor_format(&g->a, with, &head);
    assert_int_equal(anchor_parse(text, &line), 0);
    assert_int_equal(line.seq, head.seq);
    assert_true(digest_eq(&line.hash, &head.hash));
    return line;
}

static void test_lines(void **state)
{
    static const struct {
        const char *text;
        int is_line;
    } rows[] = {
        { "reeve/anchor/1 inst 7 " HASH, 1 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH, 1 },
        { "reeve/anchor/1 inst 0 " HASH, 0 },
        { "reeve/anchor/1 inst 7 " HASH " 3", 0 },
        { "reeve/anchor/1 inst 7 " HASH " 3 1790000000000 " HASH, 0 },
        { "reeve/anchor/2 inst 7 " HASH, 0 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000", 0 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH " more", 0 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH " rfc3161:MAA=", 1 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH " rfc3161:", 0 },
        { "reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH " rfc3161:MAA= rfc3161:MAA=", 0 },
        { "rfc3161:MAA=", 0 },
        { "reeve/anchor/2 inst x " HASH " 3 1790000000000 " HASH, 0 },
        { "reeve/anchor/2 inst 7 0123 3 1790000000000 " HASH, 0 },
        { "reeve/anchor/2  7 " HASH " 3 1790000000000 " HASH, 0 },
        { "", 0 },
        { "<html>", 0 },
    };
    struct anchor_line line;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if ((anchor_parse(str_from_c(rows[i].text), &line) == 0) != rows[i].is_line)
            fail_msg("'%s'", rows[i].text);
}

static void test_a_time_stamp_is_of_all_before_it(void **state)
{
    struct given *g = *state;
    struct anchor_line line;
    struct str bare = S("reeve/anchor/2 inst 7 " HASH " 3 1790000000000 " HASH);

    assert_int_equal(anchor_parse(anchor_stamped(&g->a, bare, S("0\0")), &line), 0);
    assert_true(str_eq(line.text, bare));
    assert_true(str_eq(line.stamp, S("MAA=")));
    assert_int_equal(line.epoch, 3);
    assert_int_equal(anchor_parse(bare, &line), 0);
    assert_null(line.stamp.p);
}

static void test_a_line_says_whose_key_wrote_it(void **state)
{
    struct given *g = *state;
    struct anchor_line line = given_line(g, key);

    assert_true(anchor_is_sealed(key, &line));
    assert_false(anchor_is_sealed(other_key, &line));
    line.seq++;
    assert_false(anchor_is_sealed(key, &line));
    line.seq--;
    line.time_ms++;
    assert_false(anchor_is_sealed(key, &line));
    assert_int_equal(anchor_parse(S("reeve/anchor/1 inst 7 " HASH), &line), 0);
    assert_false(anchor_is_sealed(key, &line)); /* a person noted it */
}

static void expect_why(struct given *g, const struct anchor_line *line, const char *wanted)
{
    struct str why;

    expect_ok(g, anchor_judge(g->db, &g->a, key, line, &why, &g->err));
    if (!wanted)
        assert_null(why.p);
    else if (!why.p || str_find(why, str_from_c(wanted)) == STR_NPOS)
        fail_msg("wanted '%s', got '%.*s'", wanted, STR_ARG(why));
}

static void test_a_history_that_has_the_line_goes_on_from_it(void **state)
{
    struct given *g = *state;
    struct anchor_line line = given_line(g, key);

    expect_why(g, &line, NULL);
    given_event(g, "test.event", 3);
    expect_why(g, &line, NULL);
    line.installation = S("another");
    line.seq = 99;
    expect_why(g, &line, NULL); /* it says nothing of this one */
}

static void test_a_history_that_is_older_or_another_one(void **state)
{
    struct given *g = *state;
    struct anchor_line line = given_line(g, key);

    line.seq = 2;
    expect_why(g, &line,
               "event 2 was anchored, with another key than ours, and it has not happened here");
    line = given_line(g, key);
    line.hash.b[0] ^= 1;
    line.mac = (struct digest){ 0 };
    expect_why(g, &line, "event 1 is another one than was anchored");
}

/* Of the history before it, which ended there; a person hears of it where lines are held against an export. */
static void test_a_recover_begins_another_history(void **state)
{
    struct given *g = *state;
    struct anchor_line line = given_line(g, key);

    given_event(g, "state.recovered", 2);
    line.seq = 3;
    line.time_ms--;
    expect_why(g, &line, NULL); /* it was earlier */
    line.time_ms++;
    expect_why(g, &line, "has not happened here");
    line.epoch = 2;
    expect_why(g, &line, NULL); /* of a life that it knew of */
    line.epoch = REC_NONE;
    line.time_ms = REC_NONE;
    expect_why(g, &line, "has not happened here");
}

static void test_what_tells_of_anchors_asks_for_none(void **state)
{
    struct given *g = *state;
    struct anchor_gap gap;

    expect_ok(g, anchor_find_gap(g->db, 0, 100, &gap, &g->err));
    assert_int_equal(gap.n, 1);
    expect_ok(g, anchor_find_gap(g->db, 1, 100, &gap, &g->err));
    assert_int_equal(gap.n, 0);
    given_event(g, "anchor.made", 3);
    given_event(g, "anchor.failed", 3);
    expect_ok(g, anchor_find_gap(g->db, 1, 100, &gap, &g->err));
    assert_int_equal(gap.n, 0);
    given_event(g, "plan.stored", 3);
    given_event(g, "plan.started", 3);
    expect_ok(g, anchor_find_gap(g->db, 1, 100, &gap, &g->err));
    assert_int_equal(gap.n, 2);
    assert_int_equal(gap.since_ms, GIVEN_MS);
    expect_ok(g, anchor_find_gap(g->db, 1, 1, &gap, &g->err));
    assert_int_equal(gap.n, 1);
}

static void test_the_newest_of_a_place(void **state)
{
    struct given *g = *state;
    struct rec_anchor row = { .seq = 9, .place = S(PLACE), .proof = S("a") }, got;

    expect_code(g, anchor_newest(g->db, &g->a, S(PLACE), &got, &g->err), ERR_NOT_FOUND);
    given_put(g, REC_anchor, &row);
    row.seq = 11;
    given_put(g, REC_anchor, &row);
    row.place = S("elsewhere");
    row.seq = 12;
    given_put(g, REC_anchor, &row);
    expect_ok(g, anchor_newest(g->db, &g->a, S(PLACE), &got, &g->err));
    assert_int_equal(got.seq, 11);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        UNIT(test_a_time_stamp_is_of_all_before_it),
        UNIT(test_a_line_says_whose_key_wrote_it),
        UNIT(test_a_history_that_has_the_line_goes_on_from_it),
        UNIT(test_a_history_that_is_older_or_another_one),
        UNIT(test_a_recover_begins_another_history),
        UNIT(test_what_tells_of_anchors_asks_for_none),
        UNIT(test_the_newest_of_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
