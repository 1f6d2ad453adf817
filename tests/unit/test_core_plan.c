/* core/plan: what a plan's lines say, and what it refuses. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_core_scene.h"

static void test_lines_say_what_changes_and_why(void **state)
{
    static const struct {
        const char *sentence, *before, *want;
        enum plan_cause cause;
        const char *policy, *lines;
    } rows[] = {
        { "nothing", "a v1", "a v1", PLAN_CAUSE_COMMIT, NULL, "" },
        { "a new set", "a v1", "a v2", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (blue-green, none) [] command" },
        { "recreate is downtime", "a v1 recreate", "a v2 recreate", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (recreate, downtime) [downtime] command" },
        { "a first recreate is not", "", "a v1 recreate", PLAN_CAUSE_COMMIT, NULL,
          "create service/a (blue-green, none) []|create policy/environment (, none) [] "
          "approval.policy" },
        { "replicas", "a v1", "a v1 x2", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (replicas, none) [] replicas" },
        { "settings", "a v1", "a v1 settings=1", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings, none) [] rollout.note" },
        { "a removal destroys", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT, NULL,
          "delete service/b (no longer in the specs, downtime) [destroy]" },
        { "a renamed one is taken over from", "web v1 port;domain d h /=web",
          "site v1 port moved=web;domain d h /=site", PLAN_CAUSE_COMMIT, NULL,
          "update service/site (renamed from web: a new set takes over, none) []|"
          "update domain/d (, none) [] routes./.service" },
        { "and may change on the way", "a v1", "b v2 hold moved=a", PLAN_CAUSE_COMMIT, NULL,
          "update service/b (renamed from a: a new set takes over; laxer: rollout.auto_revert from "
          "none to false, none) [weaken] command rollout.auto_revert" },
        { "even where nothing is pruned", "a v1", "b v1 moved=a", PLAN_CAUSE_COMMIT,
          "{\"approval\":{\"policy\":\"auto\"},\"reconcile\":{\"prune\":false}}",
          "update service/b (renamed from a: a new set takes over, none) []|"
          "update policy/environment (, none) [] reconcile.prune" },
        { "what was there beside it has not become it", "a v1;b v1", "b v1 moved=a",
          PLAN_CAUSE_COMMIT, NULL,
          "delete service/a (no longer in the specs, downtime) [destroy]" },
        { "a name that nobody had is no other", "b v1", "a v1 moved=old;b v1", PLAN_CAUSE_COMMIT,
          NULL, "create service/a (blue-green, none) []" },
        { "a renamed domain is the same", "a v1 port;domain d h /=a",
          "a v1 port;domain e moved=d h /=a", PLAN_CAUSE_COMMIT, NULL,
          "update domain/e (renamed from d, none) []" },
        { "and opens no more than another", "a v1 port;domain d h /=a+ip",
          "b v1 port moved=a;domain e moved=d h i /=b", PLAN_CAUSE_COMMIT, NULL,
          "update service/b (renamed from a: a new set takes over, none) []|update domain/e "
          "(renamed from d; laxer: h/ access from ip to everybody, i/ leads to service/b and asks "
          "nobody, none) [weaken]" },
        { "nor does a new name of what was guarded", "a v1 port;domain d h /=a+ip",
          "b v1 port moved=a;domain d h /=b+ip;domain e i /=b", PLAN_CAUSE_COMMIT, NULL,
          "update service/b (renamed from a: a new set takes over, none) []|"
          "update domain/d (, none) [] routes./.service|"
          "create domain/e (laxer: i/ leads to service/b and asks nobody, none) [weaken] hosts "
          "routes./.service" },
        { "a service that is made beside one that stays", "a v1", "a v1;b v1", PLAN_CAUSE_COMMIT,
          NULL, "create service/b (blue-green, none) []" },
        { "a domain comes", "a v1 port", "a v1 port;domain d h /=a", PLAN_CAUSE_COMMIT, NULL,
          "create domain/d (, none) [] hosts routes./.service" },
        { "a domain goes", "a v1 port;domain d h /=a", "a v1 port", PLAN_CAUSE_COMMIT, NULL,
          "delete domain/d (no longer in the specs, downtime) [destroy] hosts routes./.service" },
        { "a path is denied", "a v1 port;domain d h /=a /x=a", "a v1 port;domain d h /=a /x=a+deny",
          PLAN_CAUSE_COMMIT, NULL, "update domain/d (, none) [] routes./x.deny" },
        { "a denied path is opened", "a v1 port;domain d h /=a /x=a+deny",
          "a v1 port;domain d h /=a /x=a", PLAN_CAUSE_COMMIT, NULL,
          "update domain/d (laxer: h/x access from nobody to everybody, none) [weaken] "
          "routes./x.deny" },
        { "its route goes, and the one around it is open", "a v1 port;domain d h /=a /x=a+ip",
          "a v1 port;domain d h /=a", PLAN_CAUSE_COMMIT, NULL,
          "update domain/d (laxer: h/x access from ip to everybody, none) [weaken] "
          "routes./x.access.type routes./x.service" },
        { "another domain takes its host", "a v1 port;domain d h /=a+ip",
          "a v1 port;domain e h /=a", PLAN_CAUSE_COMMIT, NULL,
          "create domain/e (laxer: h/ access from ip to everybody, none) [weaken] hosts "
          "routes./.service|"
          "delete domain/d (no longer in the specs, downtime) [destroy]" },
        { "auto_revert is turned off", "a v1", "a v1 hold", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings; laxer: rollout.auto_revert from none to false, none) "
          "[weaken] "
          "rollout.auto_revert" },
        { "its build gets the network", "a v1 built", "a v1 built network", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings; laxer: build.network from none to true, none) [weaken] "
          "build.network" },
        { "its build had it", "a v1 built network", "a v1 built", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings, none) [] build.network" },
        { "the policy becomes stricter", "a v1", "a v1", PLAN_CAUSE_COMMIT,
          "{\"approval\":{\"policy\":\"manual\"}}",
          "update policy/environment (, none) [] approval.policy" },
        { "the policy becomes laxer", "a v1", "a v1", PLAN_CAUSE_COMMIT,
          "{\"approval\":{\"policy\":\"auto\",\"expires_ms\":1}}",
          "update policy/environment (, none) [] approval.expires_ms" },
        { "what is not pruned stays", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT,
          "{\"approval\":{\"policy\":\"auto\"},\"reconcile\":{\"prune\":false}}",
          "update policy/environment (, none) [] reconcile.prune" },
        { "a repair says what was lost", "a v1", "a v2", PLAN_CAUSE_REPAIR, NULL,
          "update instance/a (lost: runs again in its place, none) []" },
        { "a repair leaves the policy", "a v1", "a v1", PLAN_CAUSE_REPAIR,
          "{\"approval\":{\"policy\":\"manual\"}}",
          "update instance/a (lost: runs again in its place, none) []" },
        { "a rollback leaves the policy", "a v1", "a v2", PLAN_CAUSE_ROLLBACK,
          "{\"approval\":{\"policy\":\"manual\"}}",
          "update service/a (blue-green, none) [] command" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene c;

        given_scene(&c, rows[i].before, rows[i].want, rows[i].cause, rows[i].policy);
        if (!str_eq_c(format_lines(&c), rows[i].lines))
            fail_msg("%s: '%s'", rows[i].sentence, format_lines(&c).p);
        arena_fini(&c.arena);
    }
}

/* After the database was lost: what serves as it is wanted is recorded, and nothing runs for that. */
static void test_what_nobody_remembers_is_adopted(void **state)
{
    static const struct {
        const char *sentence, *want, *lines;
        size_t n_items;
    } rows[] = {
        { "as it runs", "a v1 port;domain d h /=a",
          "adopt service/a (as it runs; it was not recorded, none) []|"
          "adopt policy/environment (what was asked for before is not known: what the specs ask "
          "for is, none) []",
          1 },
        { "another is rolled out", "a v2 port;domain d h /=a",
          "update service/a (blue-green, none) []|"
          "adopt policy/environment (what was asked for before is not known: what the specs ask "
          "for is, none) []",
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene c;

        given_scene(&c, "a v1 port;domain d h /=a", rows[i].want, PLAN_CAUSE_COMMIT, NULL);
        world_unrecord(&c.world, S("service"), S("a"));
        world_unrecord(&c.world, S("policy"), S("environment"));
        c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        if (!str_eq_c(format_lines(&c), rows[i].lines))
            fail_msg("%s: '%s'", rows[i].sentence, format_lines(&c).p);
        if (rows[i].n_items)
            assert_int_equal(c.plan.items.n, rows[i].n_items);
        arena_fini(&c.arena);
    }
}

/* Of what nobody remembers nothing that is lost can be made again: that ends no watch beside it. */
static void test_a_watch_says_who_is_not_recorded(void **state)
{
    static const struct {
        const char *sentence, *want;
        int is_recorded, n_unrecorded;
    } rows[] = {
        { "recorded", "a v2 port canary=1000;domain d h /=a", 1, 0 },
        { "not recorded", "a v2 port canary=1000;domain d h /=a", 0,
          2 }, /* the share and the bake */
        { "not recorded, without a share", "a v2 port;domain d h /=a", 0, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene c;
        int n = 0;

        given_scene(&c, "a v1 port;domain d h /=a", rows[i].want, PLAN_CAUSE_COMMIT, NULL);
        if (!rows[i].is_recorded)
            world_unrecord(&c.world, S("service"), S("a"));
        c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        for (size_t k = 0; k < c.plan.items.n; k++) {
            const struct value *members = value_get(c.plan.items.p[k].gate, S("members"));

            for (size_t m = 0; c.plan.items.p[k].lane == LANE_MAIN && m < value_count(members); m++)
                n += value_get_bool(value_item(members, m), S("unrecorded"), 0);
        }
        if (n != rows[i].n_unrecorded)
            fail_msg("%s: %d", rows[i].sentence, n);
        arena_fini(&c.arena);
    }
}

#define SLOTS                                                                                      \
    ", and a backend of provider 'edge' has 8 slots: fewer of them, or more 'pool.slots' of the "  \
    "provider [slots]"

static void test_plans_refuse_what_cannot_be(void **state)
{
    static const struct {
        const char *sentence, *spec;
        int has_edge, rc;
        const char *error;
        const char *before; /* what runs; NULL: nothing */
    } rows[] = {
        { "a cycle", "a needs=b;b needs=a", 1, ERR_INVALID,
          "app.yaml:1:1: error: dependency cycle: service/a -> service/b -> service/a [cycle]",
          NULL },
        { "no replicas", "a v1 x0", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has no replicas; 'enabled: false' leaves it out "
          "[replicas]",
          NULL },
        { "an address without an edge", "a v1 uses=b;b v1 port", 0, ERR_REFUSED,
          "environment 'test': the address of service 'b' is asked for, but no provider of domains "
          "is allowed",
          NULL },
        { "more than a backend holds", "a v1 port x9", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has up to 9 instances behind one backend" SLOTS, NULL },
        { "or may come to hold", "a v1 port between=2-9", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has up to 9 instances behind one backend" SLOTS, NULL },
        { "also without a new set", "a v1 port between=2-9", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has up to 9 instances behind one backend" SLOTS,
          "a v1 port x2" },
        { "or by then holds while it rolls", "a v2 port between=2-7 rolling=3", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has up to 9 instances behind one backend while it "
          "rolls by 'max_unavailable'" SLOTS,
          "a v1 port between=2-7" },
        { "or holds while it rolls", "a v2 port x8 rolling=3", 1, ERR_INVALID,
          "app.yaml:1:1: error: service 'a' has up to 9 instances behind one backend while it "
          "rolls by 'max_unavailable'" SLOTS,
          "a v1 port x8" },
        { "but as many fit", "a v2 port x8 rolling=2", 1, 0, "", "a v1 port x8" },
        { "and without a port all do", "a v2 x9 rolling=3", 1, 0, "", "a v1 x9" },
        { "what stays may be too many", "a v1 port x9", 1, 0, "", "a v1 port x9" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct world w;
        struct environment_spec spec;
        struct snapshot s;
        struct plan plan;
        struct err err = ERR_INIT;

        arena_init(&a, 0);
        given_world(&w, &a);
        w.has_edge = rows[i].has_edge;
        if (rows[i].before)
            (void)given_applied(&w, rows[i].before, TAIL_RUNS);
        spec = given_spec(&a, rows[i].spec);
        s = world_snapshot(&w, &spec, PLAN_CAUSE_COMMIT);
        s.edge_slots = 8;
        assert_int_equal(plan_make(&a, &s, &plan, &err), rows[i].rc);
        assert_string_equal(err.text, rows[i].error);
        arena_fini(&a);
    }
}

static void test_what_a_rollout_left_behind_is_taken_away(void **state)
{
    struct scene c;
    struct str text;

    (void)state;
    given_scene(&c, "a v1", "a v1", PLAN_CAUSE_COMMIT, NULL);
    *vec_push(&c.arena, &c.world.sets) = (struct world_set){ .rec = { .service = S("gone"),
                                                                      .set_key = { { 7 } },
                                                                      .state = S("failed"),
                                                                      .replicas = 2,
                                                                      .backend = S("b9"),
                                                                      .proven_seq = REC_NONE } };
    c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
    text = format_lines(&c);
    assert_string_equal(text.p, "delete set/gone (left behind by a rollout, none) []");
    assert_int_equal(c.plan.items.n, 4); /* two instances, the backend, the mark */
    world_apply(&c.world, &c.plan, TAIL_RUNS);
    c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
    assert_true(plan_is_empty(&c.plan));
    arena_fini(&c.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_say_what_changes_and_why),
        cmocka_unit_test(test_what_nobody_remembers_is_adopted),
        cmocka_unit_test(test_a_watch_says_who_is_not_recorded),
        cmocka_unit_test(test_plans_refuse_what_cannot_be),
        cmocka_unit_test(test_what_a_rollout_left_behind_is_taken_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
