/* state: what each table is asked, and what may be there once. SPDX-License-Identifier: Apache-2.0 */
#include "state/environments.h"
#include "state/holds.h"
#include "state/outbox.h"
#include "state/quarantine.h"
#include "state/revisions.h"
#include "state/rollouts.h"
#include "state/secrets.h"
#include "test_state_given.h"

static struct digest digest_of(const char *text)
{
    return hash_bytes(str_from_c(text));
}

static void given_environment(struct given *g, const char *uid, const char *name, int64_t apply_seq,
                              int64_t deleted_ms)
{
    given_put(g, REC_environment,
              &(struct rec_environment){ .uid = str_from_c(uid),
                                         .name = str_from_c(name),
                                         .apply_seq = apply_seq,
                                         .deleted_ms = deleted_ms });
}

/* The partial unique indexes of PROTOCOL 4: the second of two rows, by the words that decide. */
static int put_second(struct given *g, enum record record, const void *first, const void *second)
{
    struct tx *tx;
    int rc;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.second");
    expect_ok(g, tx_put(tx, record, first, &g->err));
    rc = tx_put(tx, record, second, &g->err);
    tx_rollback(tx);
    db_batch_abandon(g->db);
    return rc;
}

#define EXPECT_SECOND(g, record, want, first, second)                                              \
    expect_code(                                                                                   \
        g, put_second(g, REC_##record, &(struct rec_##record)first, &(struct rec_##record)second), \
        want)
#define ROW(...)                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void test_what_may_be_there_once(void **state)
{
    struct given *g = *state;
    const struct digest a = digest_of("a"), b = digest_of("b");
    const struct str e = S("e"), f = S("f"), n = S("n");

    EXPECT_SECOND(g, environment, ERR_CONFLICT, ROW(.uid = e, .name = n, .deleted_ms = REC_NONE),
                  ROW(.uid = f, .name = n, .deleted_ms = REC_NONE));
    EXPECT_SECOND(g, environment, 0, ROW(.uid = e, .name = n, .deleted_ms = 1),
                  ROW(.uid = f, .name = n, .deleted_ms = REC_NONE));
    EXPECT_SECOND(g, revision, ERR_CONFLICT, ROW(.env = e, .digest = a, .n = 1),
                  ROW(.env = e, .digest = b, .n = 1));
    EXPECT_SECOND(g, revision, 0, ROW(.env = e, .digest = a, .n = 1),
                  ROW(.env = f, .digest = b, .n = 1));
    EXPECT_SECOND(g, plan, ERR_CONFLICT, ROW(.id = a, .env = e, .state = S("applying")),
                  ROW(.id = b, .env = e, .state = S("applying")));
    EXPECT_SECOND(g, plan, 0, ROW(.id = a, .env = e, .state = S("applied")),
                  ROW(.id = b, .env = e, .state = S("applying")));
    EXPECT_SECOND(g, operation, ERR_CONFLICT, ROW(.uid = e, .env = e, .kind = n, .name = n),
                  ROW(.uid = f, .env = e, .kind = n, .name = n));
    EXPECT_SECOND(g, operation, 0,
                  ROW(.uid = e, .env = e, .kind = n, .name = n, .outcome = S("done")),
                  ROW(.uid = f, .env = e, .kind = n, .name = n));
    EXPECT_SECOND(g, set, ERR_CONFLICT, ROW(.env = e, .set_key = a, .state = S("live")),
                  ROW(.env = e, .set_key = b, .state = S("live")));
    EXPECT_SECOND(g, set, ERR_CONFLICT, ROW(.env = e, .set_key = a, .state = S("previous")),
                  ROW(.env = e, .set_key = b, .state = S("previous")));
    EXPECT_SECOND(g, set, 0, ROW(.env = e, .set_key = a, .state = S("draining")),
                  ROW(.env = e, .set_key = b, .state = S("draining")));
    EXPECT_SECOND(g, resource, ERR_CONFLICT, ROW(.env = e, .valid_from = 1, .valid_to = REC_NONE),
                  ROW(.env = e, .valid_from = 2, .valid_to = REC_NONE));
    EXPECT_SECOND(g, resource, 0, ROW(.env = e, .valid_from = 1, .valid_to = 2),
                  ROW(.env = e, .valid_from = 2, .valid_to = REC_NONE));
    EXPECT_SECOND(g, outbox, ERR_CONFLICT, ROW(.uid = e, .subject = n, .target = n, .terminal = 1),
                  ROW(.uid = f, .subject = n, .target = n, .terminal = 1));
    EXPECT_SECOND(g, outbox, 0, ROW(.uid = e, .subject = n, .target = n),
                  ROW(.uid = f, .subject = n, .target = n));
}

static void test_names_of_deleted_environments_are_free(void **state)
{
    struct given *g = *state;
    struct rec_environment env, *list;
    size_t n;

    given_environment(g, "e1", "web", 0, GIVEN_MS);
    given_environment(g, "e2", "web", 0, REC_NONE);
    given_environment(g, "e3", "api", 0, REC_NONE);
    expect_ok(g, environments_by_name(g->db, &g->a, S("web"), &env, &g->err));
    assert_string_equal(env.uid.p, "e2");
    expect_ok(g, environments_by_uid(g->db, &g->a, S("e1"), &env, &g->err));
    expect_code(g, environments_by_name(g->db, &g->a, S("x"), &env, &g->err), ERR_NOT_FOUND);
    expect_code(g, environments_by_uid(g->db, &g->a, S("x"), &env, &g->err), ERR_NOT_FOUND);
    expect_ok(g, environments_list(g->db, &g->a, &list, &n, &g->err));
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name.p, "api");
}

static void test_revisions_are_numbered_for_an_environment(void **state)
{
    struct given *g = *state;
    struct rec_revision *list, revision;
    struct rec_revision_commit *commits;
    struct digest a = digest_of("a"), b = digest_of("b");
    int64_t next;
    size_t n;

    expect_ok(g, revisions_next_n(g->db, &g->a, S("e"), &next, &g->err));
    assert_int_equal(next, 1);
    given_put(g, REC_revision,
              &(struct rec_revision){ .env = S("e"), .digest = a, .n = 1, .proven_seq = 9 });
    given_put(g, REC_revision,
              &(struct rec_revision){ .env = S("e"), .digest = b, .n = 2, .proven_seq = REC_NONE });
    given_put(g, REC_revision_commit,
              &(struct rec_revision_commit){ .env = S("e"), .digest = a, .commit_id = S("c1") });
    expect_ok(g, revisions_next_n(g->db, &g->a, S("e"), &next, &g->err));
    assert_int_equal(next, 3);
    expect_ok(g, revisions_by_n(g->db, &g->a, S("e"), 2, &revision, &g->err));
    assert_true(digest_eq(&revision.digest, &b));
    expect_ok(g, revisions_by_digest(g->db, &g->a, S("e"), &a, &revision, &g->err));
    assert_int_equal(revision.n, 1);
    expect_code(g, revisions_by_n(g->db, &g->a, S("f"), 1, &revision, &g->err), ERR_NOT_FOUND);
    expect_code(g, revisions_by_digest(g->db, &g->a, S("f"), &a, &revision, &g->err),
                ERR_NOT_FOUND);
    expect_ok(g, revisions_list(g->db, &g->a, S("e"), 10, &list, &n, &g->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[0].n, 2);
    expect_ok(g, revisions_proven(g->db, &g->a, S("e"), 10, &list, &n, &g->err));
    assert_int_equal(n, 1);
    expect_ok(g, revisions_commits(g->db, &g->a, S("e"), &a, &commits, &n, &g->err));
    assert_int_equal(n, 1);
}

static void test_holds_and_quarantine_end_by_time_or_by_hand(void **state)
{
    struct given *g = *state;
    struct rec_hold *holds;
    struct rec_quarantine *list;
    struct digest a = digest_of("a"), b = digest_of("b"), c = digest_of("c");
    size_t n;

    given_put(
        g, REC_hold,
        &(struct rec_hold){ .uid = S("1"), .env = S("e"), .until_ms = 10, .ended_seq = REC_NONE });
    given_put(g, REC_hold,
              &(struct rec_hold){
                  .uid = S("2"), .env = S("e"), .until_ms = REC_NONE, .ended_seq = REC_NONE });
    given_put(
        g, REC_hold,
        &(struct rec_hold){ .uid = S("3"), .env = S("e"), .until_ms = REC_NONE, .ended_seq = 7 });
    expect_ok(g, holds_active(g->db, &g->a, S("e"), 9, &holds, &n, &g->err));
    assert_int_equal(n, 2);
    expect_ok(g, holds_active(g->db, &g->a, S("e"), 10, &holds, &n, &g->err));
    assert_int_equal(n, 1);

    given_put(g, REC_quarantine,
              &(struct rec_quarantine){ .env = S("e"), .group_digest = a, .until_ms = 10 });
    given_put(g, REC_quarantine,
              &(struct rec_quarantine){ .env = S("e"), .group_digest = b, .until_ms = REC_NONE });
    given_put(g, REC_quarantine,
              &(struct rec_quarantine){
                  .env = S("e"), .group_digest = c, .until_ms = REC_NONE, .lifted_by = S("ann") });
    expect_ok(g, quarantine_active(g->db, &g->a, S("e"), 9, &list, &n, &g->err));
    assert_int_equal(n, 2);
    expect_ok(g, quarantine_active(g->db, &g->a, S("e"), 10, &list, &n, &g->err));
    assert_int_equal(n, 1);
    assert_true(digest_eq(&list[0].group_digest, &b));
}

static void test_the_newest_rollout_comes_first(void **state)
{
    struct given *g = *state;
    struct rec_rollout *list;
    size_t n;

    given_put(g, REC_rollout, &(struct rec_rollout){ .uid = S("1"), .env = S("e") });
    given_put(g, REC_rollout,
              &(struct rec_rollout){ .uid = S("2"), .env = S("e"), .began_seq = 4 });
    given_put(g, REC_rollout,
              &(struct rec_rollout){ .uid = S("3"), .env = S("f"), .began_seq = 9 });
    expect_ok(g, rollouts_list(g->db, &g->a, S("e"), 1, &list, &n, &g->err));
    assert_int_equal(n, 1);
    assert_string_equal(list[0].uid.p, "2");
}

static void given_message(struct given *g, const char *uid, const char *target, int64_t done_ms)
{
    given_put(g, REC_outbox,
              &(struct rec_outbox){ .uid = str_from_c(uid),
                                    .subject = str_from_c(uid),
                                    .target = str_from_c(target),
                                    .word = S("applied"),
                                    .terminal = 1,
                                    .next_ms = 5,
                                    .done_seq = done_ms ? 4 : REC_NONE,
                                    .done_ms = done_ms ? done_ms : REC_NONE,
                                    .outcome = done_ms ? S("sent") : STR_NONE });
}

static void test_the_outbox_tells_what_waits_for_whom(void **state)
{
    struct given *g = *state;
    struct rec_outbox *list, newest;
    struct str target;
    int64_t n_waiting;
    size_t n;

    expect_ok(g, outbox_next_target(g->db, &g->a, S(""), &target, &g->err));
    assert_null(target.p);
    given_message(g, "1", "a", 70);
    given_message(g, "2", "b", 0);
    given_message(g, "3", "c", 0);
    given_message(g, "4", "b", 0);
    expect_ok(g, outbox_next_target(g->db, &g->a, S(""), &target, &g->err));
    assert_string_equal(target.p, "b");
    expect_ok(g, outbox_next_target(g->db, &g->a, S("b"), &target, &g->err));
    assert_string_equal(target.p, "c");
    expect_ok(g, outbox_waiting(g->db, &n_waiting, &g->err));
    assert_int_equal(n_waiting, 3);
    expect_ok(g, outbox_next_ms(g->db, &g->a, &n_waiting, &g->err));
    assert_int_equal(n_waiting, 5);
    expect_ok(g, outbox_waiting_for(g->db, &g->a, S("b"), 9, &list, &n, &g->err));
    assert_int_equal(n, 2);
    assert_string_equal(list[1].uid.p, "4");
    expect_ok(g, outbox_sent_since(g->db, &g->a, S("a"), 69, 9, &list, &n, &g->err));
    assert_int_equal(n, 1);
    expect_ok(g, outbox_sent_since(g->db, &g->a, S("a"), 70, 9, &list, &n, &g->err));
    assert_int_equal(n, 0);
    expect_ok(g, outbox_waiting_count(g->db, S("b"), &n_waiting, &g->err));
    assert_int_equal(n_waiting, 2);
    expect_ok(g, outbox_ended(g->db, &g->a, S("a"), S("sent"), &n_waiting, &newest, &g->err));
    assert_int_equal(n_waiting, 1);
    assert_string_equal(newest.uid.p, "1");
    expect_ok(g, outbox_ended(g->db, &g->a, S("a"), S("given_up"), &n_waiting, &newest, &g->err));
    assert_int_equal(n_waiting, 0);
    expect_ok(g, outbox_old(g->db, &g->a, 70, 9, &list, &n, &g->err));
    assert_int_equal(n, 0);
    expect_ok(g, outbox_old(g->db, &g->a, 71, 9, &list, &n, &g->err));
    assert_int_equal(n, 1);
    list[0].body = S(OUTBOX_NO_BODY);
    given_put(g, REC_outbox, &list[0]);
    expect_ok(g, outbox_old(g->db, &g->a, 71, 9, &list, &n, &g->err));
    assert_int_equal(n, 0);
    assert_int_equal(outbox_has_terminal(g->db, &g->a, S("1"), S("a"), &g->err), 1);
    assert_int_equal(outbox_has_terminal(g->db, &g->a, S("1"), S("b"), &g->err), 0);
    assert_int_equal(outbox_is_waiting(g->db, &g->a, S("2"), S("b"), S("applied"), &g->err), 1);
    assert_int_equal(outbox_is_waiting(g->db, &g->a, S("1"), S("a"), S("applied"), &g->err), 0);
}

static void given_version(struct given *g, const char *name, const char *version, int64_t seen_ms,
                          int64_t gone_ms)
{
    given_put(g, REC_secret_version,
              &(struct rec_secret_version){ .env = S("e"),
                                            .name = str_from_c(name),
                                            .version = str_from_c(version),
                                            .seen_ms = seen_ms,
                                            .gone_ms = gone_ms });
}

static void test_the_newest_version_of_a_secret_counts(void **state)
{
    struct given *g = *state;
    struct rec_secret_version *list;
    size_t n;

    given_version(g, "db", "1", 10, REC_NONE);
    given_version(g, "db", "2", 20, REC_NONE);
    given_version(g, "db", "3", 30, 40);
    given_version(g, "api", "7", 5, REC_NONE);
    given_version(g, "old", "1", 5, 6);
    expect_ok(g, secrets_now_of(g->db, &g->a, S("e"), S("db"), &list, &n, &g->err));
    assert_int_equal(n, 1);
    assert_string_equal(list[0].version.p, "2");
    expect_ok(g, secrets_now_of(g->db, &g->a, S("e"), S("old"), &list, &n, &g->err));
    assert_int_equal(n, 0);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_what_may_be_there_once),
        UNIT(test_names_of_deleted_environments_are_free),
        UNIT(test_revisions_are_numbered_for_an_environment),
        UNIT(test_holds_and_quarantine_end_by_time_or_by_hand),
        UNIT(test_the_newest_rollout_comes_first),
        UNIT(test_the_outbox_tells_what_waits_for_whom),
        UNIT(test_the_newest_version_of_a_secret_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
