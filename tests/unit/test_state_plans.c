/* state: plans and operations are found by what they wait for. SPDX-License-Identifier: Apache-2.0 */
#include "state/journal.h"
#include "state/plans.h"
#include "test_state_given.h"

static struct digest digest_of(const char *text)
{
    return hash_bytes(str_from_c(text));
}

static struct digest given_plan(struct given *g, const char *name, const char *env,
                                const char *plan_state, int64_t made_seq)
{
    struct rec_plan plan = { .id = digest_of(name),
                             .env = str_from_c(env),
                             .state = str_from_c(plan_state),
                             .made_seq = made_seq,
                             .started_seq = REC_NONE,
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };

    given_put(g, REC_plan, &plan);
    return plan.id;
}

static void test_plans_are_found_by_what_they_wait_for(void **state)
{
    struct given *g = *state;
    struct rec_plan plan, *list;
    struct digest applied;
    size_t n;

    applied = given_plan(g, "p1", "e", "applied", 1);
    (void)given_plan(g, "p2", "e", "waiting", 2);
    (void)given_plan(g, "p3", "e", "open", 3);
    (void)given_plan(g, "p4", "e", "applying", 4);
    (void)given_plan(g, "p5", "f", "rejected", 5);
    expect_ok(g, plans_by_id(g->db, &g->a, &applied, &plan, &g->err));
    expect_ok(g, plans_applying(g->db, &g->a, S("e"), &plan, &g->err));
    assert_int_equal(plan.made_seq, 4);
    expect_code(g, plans_applying(g->db, &g->a, S("f"), &plan, &g->err), ERR_NOT_FOUND);
    expect_ok(g, plans_list(g->db, &g->a, S("e"), 2, &list, &n, &g->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[0].made_seq, 4);
    expect_ok(g, plans_list(g->db, &g->a, STR_NONE, 9, &list, &n, &g->err));
    assert_int_equal(n, 5);
}

static void test_a_plan_is_named_by_the_beginning_of_its_id(void **state)
{
    struct given *g = *state;
    struct digest id = { { 0xab, 0xcd, 0xe1 } }, twin = { { 0xab, 0xcd, 0xe2 } };
    static const struct {
        const char *prefix;
        int rc;
    } rows[] = {
        { "abcde1", 0 },           { "abcde", ERR_CONFLICT }, { "abcde20", 0 },
        { "abce", ERR_NOT_FOUND }, { "abc", ERR_USAGE },      { "abcg", ERR_USAGE },
        { "ABCDE1", ERR_USAGE },   { "0000", ERR_NOT_FOUND },
    };
    struct rec_plan plan;

    given_put(g, REC_plan, &(struct rec_plan){ .id = id });
    given_put(g, REC_plan, &(struct rec_plan){ .id = twin });
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        expect_code(g, plans_by_prefix(g->db, &g->a, str_from_c(rows[i].prefix), &plan, &g->err),
                    rows[i].rc);
    expect_ok(g, plans_by_prefix(g->db, &g->a, digest_hex(&g->a, &id), &plan, &g->err));
    assert_true(digest_eq(&plan.id, &id));
}

static void test_a_plan_knows_its_decisions(void **state)
{
    struct given *g = *state;
    struct digest open = given_plan(g, "p1", "e", "open", 1);
    struct rec_decision *decisions;
    size_t n;

    given_put(g, REC_decision, &(struct rec_decision){ .plan = open, .actor = S("ann") });
    expect_ok(g, plans_decisions(g->db, &g->a, &open, &decisions, &n, &g->err));
    assert_int_equal(n, 1);
}

static void test_a_death_is_counted_once_a_life(void **state)
{
    static const struct {
        int64_t deaths, op_epoch, epoch, want;
    } rows[] = { { 0, 4, 4, 0 }, { 0, 3, 4, 1 }, { 2, 3, 9, 3 }, { 2, 9, 9, 2 } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct rec_operation op = { .deaths = rows[i].deaths, .epoch = rows[i].op_epoch };

        assert_int_equal(journal_next_deaths(&op, rows[i].epoch), rows[i].want);
    }
}

/* What is over is many, and is not walked through: SQLite finds the index by its words. */
static void test_what_is_not_over_has_an_index(void **state)
{
    static const char *const asks[] = {
        "EXPLAIN QUERY PLAN SELECT * FROM plans WHERE " PLANS_UNFINISHED,
        "EXPLAIN QUERY PLAN SELECT * FROM plans WHERE env = $1 AND " PLANS_STANDING,
        "EXPLAIN QUERY PLAN SELECT * FROM plans WHERE env = $1 AND " PLANS_UNFINISHED,
    };
    struct given *g = *state;

    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        AUTO_STMT sqlite3_stmt *st = NULL;

        expect_ok(g, stmt_prepare(g->db, str_from_c(asks[i]), &st, &g->err));
        expect_code(g, stmt_step(g->db, st, &g->err), 1);
        assert_non_null(strstr((const char *)sqlite3_column_text(st, 3), "INDEX plans_standing"));
        expect_code(g, stmt_step(g->db, st, &g->err), 0);
    }
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_plans_are_found_by_what_they_wait_for),
        UNIT(test_a_plan_is_named_by_the_beginning_of_its_id),
        UNIT(test_a_plan_knows_its_decisions),
        cmocka_unit_test(test_a_death_is_counted_once_a_life),
        UNIT(test_what_is_not_over_has_an_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
