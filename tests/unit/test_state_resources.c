/* state: resources at every time, and the sets that serve. SPDX-License-Identifier: Apache-2.0 */
#include "state/resources.h"
#include "state/sets.h"
#include "test_state_given.h"

static struct digest digest_of(const char *text)
{
    return hash_bytes(str_from_c(text));
}

static void put_resource(struct given *g, struct rec_resource *rec, int64_t want_events)
{
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.resource");
    expect_ok(g, tx_put_resource(tx, rec, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    assert_int_equal(given_count(g, "SELECT count(*) FROM resources"), want_events);
}

static struct rec_resource given_resource(void)
{
    return (struct rec_resource){ .env = S("e"),
                                  .kind = S("service"),
                                  .name = S("api"),
                                  .provider = S("p"),
                                  .provider_id = S("id1"),
                                  .owner = S("rv1x"),
                                  .status = S("creating") };
}

static void test_a_resource_has_a_row_for_every_time(void **state)
{
    struct given *g = *state;
    struct rec_resource rec = given_resource(), now, *list;
    int64_t rows;
    size_t n;

    put_resource(g, &rec, 1); /* event 2 */
    rec.reason = S("only a reason");
    put_resource(g, &rec, 1); /* event 3: nothing that counts */
    rec.status = S("ready");
    put_resource(g, &rec, 2); /* event 4 */
    rec.status = S("gone");
    put_resource(g, &rec, 3); /* event 5 */
    expect_ok(g, resources_now(g->db, &g->a, S("e"), S("service"), S("api"), &now, &g->err));
    assert_string_equal(now.status.p, "gone");
    assert_int_equal(now.valid_from, 5);
    assert_int_equal(now.valid_to, REC_NONE);
    expect_ok(g, resources_list(g->db, &g->a, S("e"), &list, &n, &g->err));
    assert_int_equal(n, 0);

    static const struct {
        int64_t seq;
        const char *status;
    } at[] = { { 1, NULL }, { 2, "creating" }, { 3, "creating" }, { 4, "ready" }, { 5, NULL } };
    for (size_t i = 0; i < N_ELEMENTS(at); i++) {
        expect_ok(g, DB_SELECT(g->db, &g->a, resource,
                               "WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)"
                               " AND status <> 'gone'",
                               &list, &n, &g->err, DB_I(at[i].seq)));
        assert_int_equal(n, at[i].status != NULL);
        if (n)
            assert_string_equal(list[0].status.p, at[i].status);
    }
    expect_ok(g, DB_SELECT(g->db, &g->a, resource, "ORDER BY valid_from DESC", &list, &n, &g->err));
    assert_int_equal(n, 3);
    assert_int_equal(list[0].valid_from, 5);
    assert_int_equal(list[1].valid_to, 5);
    expect_code(g, resources_now(g->db, &g->a, S("f"), S("service"), S("api"), &now, &g->err),
                ERR_NOT_FOUND);
    expect_ok(g, replay_verify(g->db, &rows, &g->err));
}

static void test_a_resource_put_twice_in_one_event_has_one_row(void **state)
{
    struct given *g = *state;
    struct rec_resource rec = given_resource(), now;
    struct tx *tx;
    int64_t rows;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.resource");
    expect_ok(g, tx_put_resource(tx, &rec, &g->err));
    rec.status = S("ready");
    expect_ok(g, tx_put_resource(tx, &rec, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    expect_ok(g, resources_now(g->db, &g->a, S("e"), S("service"), S("api"), &now, &g->err));
    assert_string_equal(now.status.p, "ready");
    assert_int_equal(given_count(g, "SELECT count(*) FROM resources"), 1);
    expect_ok(g, replay_verify(g->db, &rows, &g->err));
}

static void test_a_provider_id_is_one_living_resource(void **state)
{
    struct given *g = *state;
    struct rec_resource rec = given_resource(), other = given_resource();
    struct tx *tx;

    put_resource(g, &rec, 1);
    other.name = S("web");
    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.resource");
    expect_code(g, tx_put_resource(tx, &other, &g->err), ERR_CONFLICT);
    tx_rollback(tx);
    expect_ok(g, db_batch_commit(g->db, &g->err));
    rec.status = S("gone");
    put_resource(g, &rec, 2);
    put_resource(g, &other, 3);
}

static void given_set(struct given *g, const char *key, const char *set_state, int64_t since_ms)
{
    given_put(g, REC_set,
              &(struct rec_set){ .env = S("e"),
                                 .service = S("api"),
                                 .set_key = digest_of(key),
                                 .state = str_from_c(set_state),
                                 .proven_seq = REC_NONE,
                                 .since_ms = since_ms,
                                 .keep_ms = 100 });
}

static void test_a_service_has_one_live_and_one_previous_set(void **state)
{
    struct given *g = *state;
    struct rec_set set, *list;
    struct rec_instance *instances;
    struct rec_route *routes;
    struct digest key = digest_of("k2");
    struct tx *tx;
    size_t n;

    given_set(g, "k1", "previous", 1000);
    given_set(g, "k2", "live", 2000);
    given_set(g, "k0", "gone", 0);
    expect_ok(g, sets_get(g->db, &g->a, S("e"), S("api"), &key, &set, &g->err));
    expect_ok(g, sets_list(g->db, &g->a, S("e"), &list, &n, &g->err));
    assert_int_equal(n, 2);

    set.set_key = digest_of("k3");
    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.set");
    expect_code(g, tx_put(tx, REC_set, &set, &g->err), ERR_CONFLICT);
    tx_rollback(tx);
    db_batch_abandon(g->db);

    given_put(g, REC_instance,
              &(struct rec_instance){ .env = S("e"), .service = S("api"), .set_key = key });
    given_put(g, REC_route, &(struct rec_route){ .env = S("e"), .route_gen = 3 });
    expect_ok(g, sets_instances(g->db, &g->a, S("e"), S("api"), &key, &instances, &n, &g->err));
    assert_int_equal(n, 1);
    expect_ok(g, sets_instances_of_env(g->db, &g->a, S("e"), &instances, &n, &g->err));
    assert_int_equal(n, 1);
    expect_ok(g, sets_routes(g->db, &g->a, S("e"), 3, &routes, &n, &g->err));
    assert_int_equal(n, 1);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_resource_has_a_row_for_every_time),
        UNIT(test_a_resource_put_twice_in_one_event_has_one_row),
        UNIT(test_a_provider_id_is_one_living_resource),
        UNIT(test_a_service_has_one_live_and_one_previous_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
