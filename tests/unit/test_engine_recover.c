/* What a new database is made of, where the world is not simple. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/kit.h"
#include "providers/registry.h"
#include "reconciler/core/identity.h"
#include "reconciler/engine/recover.h"
#include "state/environments.h"
#include "state/events.h"
#include "state/resources.h"
#include "state/sets.h"
#include "state/tx.h"
#include "tests/support/test_host.h"

#define OURS "018bcfe5-6800-7000-8000-000000000001"
#define THEIRS "018bcfe5-6800-7000-8000-000000000002"
#define NEWER "018bcfe5-6900-7000-8000-00000000000a"
#define OLDER "018bcfe5-6800-7000-8000-00000000000b"
#define KEY_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define REVISION "3333333333333333333333333333333333333333333333333333333333333333"

struct lost {
    char dir[32];
    struct arena arena;
    struct err err;
    struct test_host host;
    struct value *daemon, *report;
    struct registry *providers;
    struct loop *loop;
    struct db *db;
    int n_owners;
};

static struct value *json(struct lost *l, const char *text)
{
    struct value *v = NULL;

    assert_int_equal(json_parse(&l->arena, str_from_c(text), 1u << 20, &v, &l->err), 0);
    return v;
}

static int given_lost(void **state)
{
    static struct lost l;
    struct registry_options options = { .may_write = 1 };

    l = (struct lost){ .dir = "/tmp/recover.XXXXXX", .err = ERR_INIT };
    *state = &l;
    arena_init(&l.arena, 0);
    test_host_init(&l.host);
    if (!mkdtemp(l.dir))
        return -1;
    l.daemon = json(
        &l, str_fmt(&l.arena,
                    "{\"state\":{\"file\":\"%s/reeve.db\"},"
                    "\"providers\":{\"null\":{\"driver\":\"null\",\"directory\":\"%s/null\"}},"
                    "\"sources\":{\"shop\":{}},\"environments\":[{\"match\":{\"source\":\"shop\","
                    "\"kind\":\"environment\",\"name\":\"prod\"},\"branch\":\"main\","
                    "\"providers\":{\"domains\":\"null\"}}]}",
                    l.dir, l.dir)
                .p);
    options.installation = S(OURS);
    options.state_dir = str_from_c(l.dir);
    options.keeper = S("/nowhere");
    return registry_open(&options, value_get(l.daemon, S("providers")), &l.providers, &l.err) ||
           loop_uv_new(&(struct loop_options){ 0 }, &l.loop, &l.err);
}

static int given_no_more(void **state)
{
    struct lost *l = *state;

    db_close(l->db);
    registry_close(l->providers);
    loop_free(l->loop);
    test_host_fini(&l->host);
    arena_fini(&l->arena);
    return sys_remove_all(l->dir, &l->err);
}

struct thing {
    const char *installation, *env_uid, *resource, *key; /* key "": of nothing */
    int incarnation, uid;
    const char *body; /* members before the label: "\"generation\":3," */
};

/* As an operation would have made it. */
static void given(struct lost *l, struct thing t)
{
    const struct provider *p = registry_find(l->providers, S("null"));
    struct str resource = str_from_c(t.resource);
    size_t slash = str_find_char(resource, '/');
    struct str body = str_fmt(
        &l->arena,
        "{%s\"label\":{\"installation\":\"%s\",\"env\":\"prod\",\"env_uid\":\"%s\","
        "\"resource\":\"%s\",\"incarnation\":%d,\"revision\":\"" REVISION
        "\",\"commit\":\"c0ffee\"%s%s%s%s}}",
        t.body ? t.body : "", t.installation, t.env_uid, t.resource,
        t.incarnation ? t.incarnation : 1, *t.key ? ",\"key\":\"" : "", t.key, *t.key ? "\"" : "",
        t.uid ? str_fmt(&l->arena, ",\"uid\":%d", t.uid).p : "");
    struct rv_op op = { .size = sizeof(op),
                        .action = RV_CREATE,
                        .epoch = 7,
                        .type = kit_rv(str_slice(resource, 0, slash)),
                        .name = kit_rv(str_slice(resource, slash + 1, resource.n)),
                        .owner = kit_rv(str_fmt(&l->arena, "rv1owner%d", ++l->n_owners)),
                        .key = kit_rv(str_fmt(&l->arena, "key%d", l->n_owners)),
                        .desired = kit_rv(body) };
    struct rv_result ret = { .size = sizeof(ret) };

    p->driver->apply(p->self, &l->host.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
}

static void given_installation(struct lost *l, const char *id)
{
    assert_int_equal(sys_mkdir_all(str_fmt(&l->arena, "%s/keys", l->dir).p, 0700, &l->err), 0);
    assert_int_equal(sys_write_file(str_fmt(&l->arena, "%s/keys/installation", l->dir).p, 0600,
                                    str_fmt(&l->arena, "%s\n", id), &l->err),
                     0);
}

static int recovered(struct lost *l)
{
    const struct recover_options options = {
        .loop = l->loop, .daemon = l->daemon, .keeper = "/nowhere", .holder = "a test"
    };
    int rc = recover_run(&l->arena, &options, &l->report, &l->err);

    if (!rc)
        assert_int_equal(
            db_open(str_fmt(&l->arena, "%s/reeve.db", l->dir).p, DB_READ, &l->db, &l->err), 0);
    return rc;
}

static const char *state_of(struct lost *l, const char *uid, const char *key)
{
    struct rec_set set;
    struct digest d;

    assert_int_equal(digest_from_hex(str_from_c(key), &d), 0);
    if (sets_get(l->db, &l->arena, str_from_c(uid), S("web"), &d, &set, &l->err))
        return "none";
    return str_to_c(&l->arena, set.state);
}

/* The proxy says which of two sets is live; its number of a user stays its own. */
static void test_what_is_routed_is_live(void **state)
{
    struct lost *l = *state;
    struct rec_environment env;
    struct rec_hold *holds;
    struct rec_host host = { .host = S("shop.test") };
    struct rec_meta meta = { .k = S("uid/60007") };
    struct event first;
    size_t n;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 60007, NULL });
    given(l, (struct thing){ OURS, NEWER, "backend/web@111111111111", KEY_1, 1, 0,
                             "\"servers\":[]," });
    given(l, (struct thing){ OURS, NEWER, "instance/web@222222222222.0", KEY_2, 1, 60007, NULL });
    given(l, (struct thing){ OURS, NEWER, "backend/web@222222222222", KEY_2, 1, 0,
                             "\"servers\":[]," });
    given(l,
          (struct thing){ OURS, NEWER, "routes/G3", "", 1, 0,
                          "\"environment\":\"e\",\"generation\":3,\"routes\":[{\"route\":\"app:/\","
                          "\"host\":\"shop.test\",\"path\":\"/\",\"backend\":\"b4\"}]," });
    given(l, (struct thing){ OURS, NEWER, "switch/prod", "", 1, 0,
                             "\"environment\":\"e\",\"generation\":3," });
    assert_int_equal(recovered(l), 0);
    assert_string_equal(state_of(l, NEWER, KEY_1), "previous");
    assert_string_equal(state_of(l, NEWER, KEY_2), "live");
    assert_int_equal(environments_by_name(l->db, &l->arena, S("prod"), &env, &l->err), 0);
    assert_true(env.route_gen > 3); /* one that went since may have been used */
    assert_true(env.apply_seq > 0); /* no plan's id of before comes again */
    assert_true(str_eq_c(env.source, "shop") && str_eq_c(env.branch, "main"));
    assert_true(str_eq_c(env.commit_id, "c0ffee"));
    assert_int_equal(DB_SELECT(l->db, &l->arena, hold, "WHERE env = $1 AND ended_seq IS NULL",
                               &holds, &n, &l->err, DB_T(env.uid)),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(db_get(l->db, &l->arena, REC_host, &host, &l->err), 0);
    assert_int_equal(db_get(l->db, &l->arena, REC_meta, &meta, &l->err), 0);
    assert_true(str_eq_c(meta.v, NEWER));
    assert_int_equal(events_get(l->db, &l->arena, 1, &first, &l->err), 0);
    assert_true(str_find(first.body, S("\"lost\"")) != STR_NPOS);
    assert_int_equal(value_get_int(l->report, S("epoch"), 0), 8);
}

/* Two that had one name: the newer keeps it. What others own is counted and left alone. */
static void test_of_two_with_one_name_the_newer_has_it(void **state)
{
    struct lost *l = *state;
    struct rec_environment env;

    given(l, (struct thing){ OURS, OLDER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    given(l, (struct thing){ OURS, NEWER, "instance/web@222222222222.0", KEY_2, 1, 0, NULL });
    given(l, (struct thing){ THEIRS, OLDER, "instance/db@222222222222.0", KEY_2, 1, 0, NULL });
    given_installation(l, OURS);
    assert_int_equal(recovered(l), 0);
    assert_int_equal(environments_by_name(l->db, &l->arena, S("prod"), &env, &l->err), 0);
    assert_true(str_eq_c(env.uid, NEWER));
    assert_int_equal(environments_by_uid(l->db, &l->arena, S(OLDER), &env, &l->err), 0);
    assert_true(env.deleted_ms != REC_NONE);
    assert_int_equal(value_get_int(l->report, S("strange"), 0), 1);
}

/* What ran to its end does not run again; of two incarnations the newer one stands. */
static void test_what_was_done_is_done(void **state)
{
    struct lost *l = *state;
    struct rec_release release = { .env = S(NEWER) };
    struct rec_artifact artifact = { .made_for = S(NEWER) };
    struct rec_resource r;

    assert_int_equal(digest_from_hex(S(KEY_1), &release.key), 0);
    artifact.key = release.key;
    given(l, (struct thing){ OURS, NEWER, "artifact/web@111111111111", KEY_1, 1, 0,
                             "\"key\":\"" KEY_1 "\"," });
    given(l, (struct thing){ OURS, NEWER, "release/web@111111111111", KEY_1, 1, 0, NULL });
    given(l, (struct thing){ OURS, NEWER, "address/web", "", 1, 0, NULL });
    given(l, (struct thing){ OURS, NEWER, "address/web", "", 2, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_int_equal(db_get(l->db, &l->arena, REC_release, &release, &l->err), 0);
    assert_int_equal(db_get(l->db, &l->arena, REC_artifact, &artifact, &l->err), 0);
    assert_int_equal(resources_now(l->db, &l->arena, S(NEWER), S("address"), S("web"), &r, &l->err),
                     0);
    assert_int_equal(r.incarnation, 2);
    assert_true(str_eq_c(r.owner, "rv1owner4"));
}

static struct rec_instance instance_of(struct lost *l, const char *uid, const char *key)
{
    struct rec_instance row = { .env = str_from_c(uid), .service = S("web") };

    assert_int_equal(digest_from_hex(str_from_c(key), &row.set_key), 0);
    assert_int_equal(db_get(l->db, &l->arena, REC_instance, &row, &l->err), 0);
    return row;
}

/* A set is as large as its newest instances are many. */
static void test_an_older_incarnation_counts_for_nothing(void **state)
{
    struct lost *l = *state;
    struct rec_resource r;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 2, 0, NULL });
    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_int_equal(resources_now(l->db, &l->arena, S(NEWER), S("instance"),
                                   S("web@111111111111.0"), &r, &l->err),
                     0);
    assert_true(str_eq(instance_of(l, NEWER, KEY_1).provider_id, r.provider_id));
    assert_int_equal(value_count(value_get(l->report, S("doubles"))), 0);
}

/* The row says that it is gone, and knows the incarnation that comes next: it knows nothing of that. */
static void test_what_was_made_again_since_is_not_known(void **state)
{
    const struct tx_head head = {
        .kind = S("test"), .subject = S(""), .actor = S("test"), .cause = S(""), .env = S("")
    };
    struct lost *l = *state;
    struct rec_resource r;
    struct tx *tx;

    given(l, (struct thing){ OURS, NEWER, "address/web", "", 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_int_equal(resources_now(l->db, &l->arena, S(NEWER), S("address"), S("web"), &r, &l->err),
                     0);
    db_close(TAKE(l->db));
    assert_int_equal(recovered(l), ERR_REFUSED); /* nothing is lost */
    r.status = S("gone");
    r.incarnation = 2;
    assert_int_equal(
        db_open(str_fmt(&l->arena, "%s/reeve.db", l->dir).p, DB_WRITE, &l->db, &l->err), 0);
    assert_int_equal(db_batch_begin(l->db, &l->err), 0);
    assert_int_equal(tx_begin(l->db, &head, &tx, &l->err), 0);
    assert_int_equal(tx_put_resource(tx, &r, &l->err), 0);
    assert_int_equal(tx_commit(tx, &l->err), 0);
    assert_int_equal(db_batch_commit(l->db, &l->err), 0);
    db_close(TAKE(l->db));
    assert_int_equal(recovered(l), ERR_REFUSED); /* what is going was known */
    given(l, (struct thing){ OURS, NEWER, "address/web", "", 2, 0, NULL });
    assert_int_equal(recovered(l), 0);
}

/* Both are told, and one of them stands in every row. */
static void test_two_things_that_carry_one_label(void **state)
{
    struct lost *l = *state;
    struct rec_resource r;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_int_equal(value_count(value_get(l->report, S("doubles"))), 1);
    assert_int_equal(resources_now(l->db, &l->arena, S(NEWER), S("instance"),
                                   S("web@111111111111.0"), &r, &l->err),
                     0);
    assert_true(str_eq(instance_of(l, NEWER, KEY_1).provider_id, r.provider_id));
}

/* Which of two is ours is for a person to say. */
static void test_things_of_two_installations(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    given(l, (struct thing){ THEIRS, OLDER, "instance/web@222222222222.0", KEY_2, 1, 0, NULL });
    assert_int_equal(recovered(l), ERR_REFUSED);
    given_installation(l, OURS);
    assert_int_equal(recovered(l), 0);
}

/* Everything would be made a second time. */
static void test_the_id_of_another_installation(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    given_installation(l, THEIRS);
    assert_int_equal(recovered(l), ERR_REFUSED);
}

static void given_file_of(struct lost *l, const char *installation)
{
    const struct db_birth birth = { .time_ms = 1700000000000,
                                    .installation = str_from_c(installation) };
    struct db *db = NULL;

    assert_int_equal(db_create(str_fmt(&l->arena, "%s/reeve.db", l->dir).p, &birth, &db, &l->err),
                     0);
    db_close(db);
}

/* A file that somebody put there is not taken for a copy of ours. */
static void test_a_file_of_another_installation(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    given_installation(l, OURS);
    given_file_of(l, THEIRS);
    assert_int_equal(recovered(l), 0);
    assert_true(str_find(value_get_text(l->report, S("because"), S("")), S(THEIRS)) != STR_NPOS);
    assert_int_equal(value_get_int(l->report, S("after_seq"), -1), 0);
    assert_true(str_eq_c(db_installation(l->db), OURS));
}

/* What the edge does not know cannot have the traffic, and is made again. */
static void test_a_set_that_the_edge_lost(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0,
                             "\"port\":8000," });
    assert_int_equal(recovered(l), 0);
    assert_string_equal(state_of(l, NEWER, KEY_1), "failed");
}

/* It was still being made: nothing of it runs, and nothing leads to it. */
static void test_a_set_of_nothing_but_a_backend(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "backend/web@111111111111", KEY_1, 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_string_equal(state_of(l, NEWER, KEY_1), "failed");
}

/* It was put to rest when something else took over, however many of it there are. */
static void test_what_rests_is_not_live(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0,
                             "\"frozen\":true," });
    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.1", KEY_1, 1, 0,
                             "\"frozen\":true," });
    given(l, (struct thing){ OURS, NEWER, "instance/web@222222222222.0", KEY_2, 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    assert_string_equal(state_of(l, NEWER, KEY_2), "live");
    assert_string_equal(state_of(l, NEWER, KEY_1), "previous");
}

/* And nobody would wake it. */
static void test_what_rests_alone_is_left_over(void **state)
{
    struct lost *l = *state;

    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0,
                             "\"frozen\":true," });
    assert_int_equal(recovered(l), 0);
    assert_string_equal(state_of(l, NEWER, KEY_1), "failed");
}

static void test_nothing_is_lost(void **state)
{
    struct lost *l = *state;

    assert_int_equal(recovered(l), ERR_REFUSED);
    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.0", KEY_1, 1, 0, NULL });
    assert_int_equal(recovered(l), 0);
    db_close(l->db);
    l->db = NULL;
    assert_int_equal(recovered(l), ERR_REFUSED);
    given(l, (struct thing){ OURS, NEWER, "instance/web@111111111111.1", KEY_1, 1, 0, NULL });
    assert_int_equal(recovered(l), 0); /* it does not know the second */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_lost, given_no_more)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_routed_is_live),
        TEST(test_of_two_with_one_name_the_newer_has_it),
        TEST(test_what_was_done_is_done),
        TEST(test_an_older_incarnation_counts_for_nothing),
        TEST(test_what_was_made_again_since_is_not_known),
        TEST(test_two_things_that_carry_one_label),
        TEST(test_things_of_two_installations),
        TEST(test_the_id_of_another_installation),
        TEST(test_a_file_of_another_installation),
        TEST(test_a_set_that_the_edge_lost),
        TEST(test_a_set_of_nothing_but_a_backend),
        TEST(test_what_rests_is_not_live),
        TEST(test_what_rests_alone_is_left_over),
        TEST(test_nothing_is_lost),
    };

    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
