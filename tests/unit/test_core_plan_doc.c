/* core/plan: what its document says beside its lines, its id and its size. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "tests/unit/test_core_scene.h"

static void test_what_is_remarked_changes_nothing(void **state)
{
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct snapshot s;
    struct plan plan, again;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    given_world(&w, &a);
    spec = given_spec(&a, "a v1");
    s = world_snapshot(&w, &spec, PLAN_CAUSE_COMMIT);
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    *vec_push(&a, &plan.remarks) = S("secret 'db' is absent");
    assert_int_equal(plan_parse(&a, plan_format(&a, &plan), &again, &err), 0);
    assert_true(digest_eq(&again.id, &plan.id));
    assert_int_equal(again.remarks.n, plan.remarks.n);
    assert_string_equal(again.remarks.p[again.remarks.n - 1].p, "secret 'db' is absent");
    assert_int_equal(again.notes.n, 0); /* those say that something is left undone */
    arena_fini(&a);
}

static size_t bytes_of_estate(int n_services, size_t *ret_n_groups)
{
    struct scene c;
    struct sb b;
    size_t n_bytes;

    arena_init(&c.arena, 0);
    given_world(&c.world, &c.arena);
    sb_init(&b, &c.arena);
    for (int n = 0; n < n_services; n++)
        sb_addf(&b, "s%03d v1 port;", n);
    sb_add_c(&b, "domain d h");
    for (int n = 0; n < n_services; n++)
        sb_addf(&b, " /%03d=s%03d", n, n);
    c.spec = given_spec(&c.arena, sb_str(&b).p);
    c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
    n_bytes = plan_format(&c.arena, &c.plan).n;
    *ret_n_groups = c.plan.groups.n;
    arena_fini(&c.arena);
    return n_bytes;
}

#define NOTHING_LOST "no request is lost, reeve moves the traffic only to what is ready"
#define UNDO "undo is possible for 10 minutes afterwards, reeve keeps what served before"
#define NO_UNDO "there is no undo, only a rollout back"
#define BAKED "reeve watches what is new for 1 minute before it counts as proven"

/* What a plan says that will not be lost, and by whom: of all that it is true of, once. */
static void test_promises_are_said(void **state)
{
    static const struct {
        const char *before, *want;
        enum plan_cause cause;
        const char *remarks;
    } rows[] = {
        { "a v1 port;b v1 port;domain d h /=a", "a v2 port;b v2 port canary=100;domain d h /=a",
          PLAN_CAUSE_COMMIT, "a, b: " NOTHING_LOST "|a, b: " UNDO "|a, b: " BAKED "|" },
        { "a v1 port x2;b v1 port;domain d h /=b",
          "a v2 port x2 rolling=1;b v2 port;domain d h /=b", PLAN_CAUSE_COMMIT,
          "a, b: " NOTHING_LOST "|a: " NO_UNDO "|a, b: " BAKED "|b: " UNDO "|" },
        { "a v1 port x2", "a v2 port x2 rolling=1", PLAN_CAUSE_COMMIT,
          "a: " NOTHING_LOST "|a: " NO_UNDO "|a: " BAKED "|" },
        { "a v1 x2", "a v2 x2 rolling=1", PLAN_CAUSE_COMMIT,
          "a: there are no requests to lose|a: " NO_UNDO "|a: " BAKED "|" },
        { "a v1 port", "a v2 port recreate", PLAN_CAUSE_COMMIT,
          "a: requests are lost while it is down, nobody keeps them|a: " NO_UNDO "|a: " BAKED "|" },
        { "", "a v1 port", PLAN_CAUSE_COMMIT,
          "a: " NOTHING_LOST "|a: there is nothing before it to go back to|a: " BAKED "|" },
        { "a v1 port x1", "a v1 port x2", PLAN_CAUSE_COMMIT, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct world w;
        struct environment_spec want;
        struct plan plan;
        struct sb said;

        arena_init(&a, 0);
        given_world(&w, &a);
        (void)given_applied(&w, rows[i].before, TAIL_RUNS);
        want = given_spec(&a, rows[i].want);
        plan = world_plan(&w, &want, rows[i].cause);
        sb_init(&said, &a);
        for (size_t k = 0; k < plan.remarks.n; k++)
            sb_addf(&said, "%.*s|", STR_ARG(plan.remarks.p[k]));
        assert_string_equal(str_to_c(&a, sb_str(&said)), rows[i].remarks);
        arena_fini(&a);
    }
}

/* The routes stand once, whoever switches: else the document grows with the square of the estate. */
static void test_a_plan_grows_with_what_changes(void **state)
{
    size_t n_few, n_many, few = bytes_of_estate(40, &n_few), many = bytes_of_estate(400, &n_many);

    (void)state;
    assert_int_equal(n_few, 40);
    assert_int_equal(n_many, 400);
    assert_in_range(many, few * 10 * 95 / 100, few * 10 * 105 / 100);
}

/* After two versions of a: the set of the first is kept, or has gone. */
static void given_two_versions(struct scene *c, const char *want, enum given_tail tail)
{
    arena_init(&c->arena, 0);
    given_world(&c->world, &c->arena);
    (void)given_applied(&c->world, "a v1 x2 port;b v1;domain d h /=a", TAIL_RUNS);
    (void)given_applied(&c->world, "a v2 x2 port;b v1;domain d h /=a", tail);
    c->spec = given_spec(&c->arena, want);
    c->plan = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);
}

static void test_what_clears_is_no_part_of_the_id(void **state)
{
    static const struct {
        const char *sentence, *want;
        int is_same;
    } rows[] = {
        { "a new set", "a v3 x2 port;b v1;domain d h /=a", 1 },
        { "two of them", "a v3 x2 port;b v3;domain d h /=a", 1 },
        { "recreated", "a v3 x2 port recreate;b v1;domain d h /=a", 1 },
        { "a service that goes", "b v1", 1 },
        { "the set that is kept serves again", "a v1 x2 port;b v1;domain d h /=a", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct scene kept, gone;
        struct plan parsed;
        struct err err = ERR_INIT;

        given_two_versions(&kept, rows[i].want, TAIL_WAITS);
        given_two_versions(&gone, rows[i].want, TAIL_RUNS);
        if (kept.plan.items.n == gone.plan.items.n && rows[i].is_same)
            fail_msg("%s: nothing is cleared", rows[i].sentence);
        if (digest_eq(&kept.plan.id, &gone.plan.id) != rows[i].is_same)
            fail_msg("%s: the id", rows[i].sentence);
        if (plan_parse(&kept.arena, plan_format(&kept.arena, &kept.plan), &parsed, &err) ||
            parsed.items.n != kept.plan.items.n)
            fail_msg("%s: %s", rows[i].sentence, err.text);
        arena_fini(&kept.arena);
        arena_fini(&gone.arena);
    }
}

/* What failed is quarantined by its group: more time for the job that comes first is another try. */
static void test_a_job_with_more_time_is_another_change(void **state)
{
    struct digest digests[3];

    (void)state;
    for (int64_t i = 0; i < 3; i++) {
        struct scene c;

        arena_init(&c.arena, 0);
        given_world(&c.world, &c.arena);
        c.spec = given_spec(&c.arena, "a v1 after=seed;job seed v9");
        for (size_t n = 0; n < c.spec.resources.n; n++) {
            struct spec_resource *r = &c.spec.resources.p[n];
            struct value *more = value_copy(&c.arena, r->desired);

            if (i < 2 && str_eq_c(r->kind, "job"))
                value_set_int(&c.arena, more, S("timeout_ms"), 1000);
            r->desired = more;
        }
        c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        digests[i] = c.plan.groups.p[0].digest;
        arena_fini(&c.arena);
    }
    assert_true(digest_eq(&digests[0], &digests[1]));
    assert_false(digest_eq(&digests[0], &digests[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_remarked_changes_nothing),
        cmocka_unit_test(test_promises_are_said),
        cmocka_unit_test(test_a_plan_grows_with_what_changes),
        cmocka_unit_test(test_what_clears_is_no_part_of_the_id),
        cmocka_unit_test(test_a_job_with_more_time_is_another_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
