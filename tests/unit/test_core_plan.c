/* core/plan: lines, classes, judgement and what a plan refuses. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "tests/unit/test_core_apply.h"

struct scene {
    struct arena arena;
    struct world world;
    struct environment_spec spec;
    struct plan plan;
};

static void given_scene(struct scene *c, const char *before, const char *want,
                        enum plan_cause cause, const char *policy)
{
    arena_init(&c->arena, 0);
    given_world(&c->world, &c->arena);
    if (*before)
        (void)given_applied(&c->world, before, TAIL_RUNS);
    c->spec = given_spec(&c->arena, want);
    if (policy)
        c->spec.policy = given_json(&c->arena, policy);
    if (cause == PLAN_CAUSE_REPAIR)
        c->world.instances.p[0].health = INSTANCE_LOST;
    c->plan = world_plan(&c->world, &c->spec, cause);
}

static struct str format_lines(struct scene *c)
{
    struct sb b;

    sb_init(&b, &c->arena);
    for (size_t i = 0; i < c->plan.lines.n; i++) {
        const struct plan_line *line = &c->plan.lines.p[i];
        struct str name = str_slice(line->name, 0, str_find_char(line->name, '@'));

        sb_addf(&b, "%s%s %.*s/%.*s (%.*s, %.*s) [%.*s]", i ? "|" : "",
                plan_action_name(line->action), STR_ARG(line->kind), STR_ARG(name),
                STR_ARG(line->reason), STR_ARG(line->disruption),
                STR_ARG(plan_class_names(&c->arena, line->classes)));
        for (size_t j = 0; j < line->changes.n && line->changes.n < 3; j++)
            sb_addf(&b, " %.*s", STR_ARG(line->changes.p[j].path));
    }
    return sb_str(&b);
}

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
          "update service/b (renamed from a: a new set takes over; laxer: rollout.auto_revert, "
          "none) [weaken] command rollout.auto_revert" },
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
          "(renamed from d, none) [weaken]" },
        { "nor does a new name of what was guarded", "a v1 port;domain d h /=a+ip",
          "b v1 port moved=a;domain d h /=b+ip;domain e i /=b", PLAN_CAUSE_COMMIT, NULL,
          "update service/b (renamed from a: a new set takes over, none) []|"
          "update domain/d (, none) [] routes./.service|"
          "create domain/e (, none) [weaken] hosts routes./.service" },
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
          "update domain/d (, none) [weaken] routes./x.deny" },
        { "its route goes, and the one around it is open", "a v1 port;domain d h /=a /x=a+ip",
          "a v1 port;domain d h /=a", PLAN_CAUSE_COMMIT, NULL,
          "update domain/d (, none) [weaken] routes./x.access.type routes./x.service" },
        { "another domain takes its host", "a v1 port;domain d h /=a+ip",
          "a v1 port;domain e h /=a", PLAN_CAUSE_COMMIT, NULL,
          "create domain/e (, none) [weaken] hosts routes./.service|"
          "delete domain/d (no longer in the specs, downtime) [destroy]" },
        { "auto_revert is turned off", "a v1", "a v1 hold", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings; laxer: rollout.auto_revert, none) [weaken] "
          "rollout.auto_revert" },
        { "its build gets the network", "a v1 built", "a v1 built network", PLAN_CAUSE_COMMIT, NULL,
          "update service/a (settings; laxer: build.network, none) [weaken] build.network" },
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

static void test_policies_judge_plans(void **state)
{
    static const char automatic[] = "{\"approval\":{\"policy\":\"auto\"}}",
                      manual[] = "{\"approval\":{\"policy\":\"manual\"}}",
                      downtime[] = "{\"approval\":{\"policy\":\"auto\","
                                   "\"require_for\":[\"data\",\"downtime\"]}}",
                      scales[] = "{\"approval\":{\"policy\":\"manual\","
                                 "\"auto_if\":[\"only_scale\"]}}",
                      nothing[] = "{\"approval\":{\"policy\":\"manual\","
                                  "\"auto_if\":[\"no_changes\"]}}";
    static const struct {
        const char *sentence, *before, *want;
        enum plan_cause cause;
        const char *policy, *asks; /* NULL: runs */
    } rows[] = {
        { "auto runs", "a v1", "a v2", PLAN_CAUSE_COMMIT, automatic, NULL },
        { "manual asks", "a v1", "a v2", PLAN_CAUSE_COMMIT, manual, "approval: manual" },
        { "nothing said is manual", "a v1", "a v2", PLAN_CAUSE_COMMIT, "{}", "approval: manual" },
        { "an empty plan never asks", "a v1", "a v1", PLAN_CAUSE_COMMIT, manual, NULL },
        { "a removal always asks", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT, automatic,
          "class destroy" },
        { "the class stands before the policy", "a v1;b v1", "a v1", PLAN_CAUSE_COMMIT, manual,
          "class destroy" },
        { "what weakens always asks", "a v1", "a v1 hold", PLAN_CAUSE_COMMIT, automatic,
          "class weaken" },
        { "downtime asks where it is asked for", "a v1 recreate", "a v2 recreate",
          PLAN_CAUSE_COMMIT, downtime, "class downtime" },
        { "downtime runs where it is not", "a v1 recreate", "a v2 recreate", PLAN_CAUSE_COMMIT,
          automatic, NULL },
        { "replicas alone, where that needs nobody", "a v1", "a v1 x2", PLAN_CAUSE_COMMIT, scales,
          NULL },
        { "and not where it is no word", "a v1", "a v1 x2", PLAN_CAUSE_COMMIT, nothing,
          "approval: manual" },
        { "a new version is more than that", "a v1", "a v2 x2", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "and so is a new service", "a v1", "a v1 x2;b v1", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "a class is never let through", "a v1;b v1", "a v1 x2", PLAN_CAUSE_COMMIT, scales,
          "class destroy" },
        { "nothing that runs moves", "a v1 ask", "a v1", PLAN_CAUSE_COMMIT, nothing,
          "class weaken" },
        { "nor where it is laxer", "a v1", "a v1 ask", PLAN_CAUSE_COMMIT, nothing, NULL },
        { "and asks without the word", "a v1", "a v1 ask", PLAN_CAUSE_COMMIT, scales,
          "approval: manual" },
        { "a repair never asks", "a v1", "a v2", PLAN_CAUSE_REPAIR, manual, NULL },
        { "an undo was asked for", "a v1;b v1", "a v2", PLAN_CAUSE_UNDO, manual, NULL },
        { "a rollback was asked for", "a v1;b v1", "a v2", PLAN_CAUSE_ROLLBACK, manual, NULL },
        { "auto_promote false asks nobody: it waits later", "a v1 ask", "a v2 ask",
          PLAN_CAUSE_COMMIT, automatic, NULL },
        { "a release that is run by hand asks", "a v1", "a v2 manual", PLAN_CAUSE_COMMIT, automatic,
          "release.run: manual, service a" },
        { "but where it was run it does not", "a v1 manual", "a v1 manual x2", PLAN_CAUSE_COMMIT,
          automatic, NULL },
        { "run by itself from now on: what weakens asks", "a v1 manual", "a v2 release",
          PLAN_CAUSE_COMMIT, automatic, "class weaken" },
        { "but not for replicas", "a v1 ask", "a v1 ask x2", PLAN_CAUSE_COMMIT, automatic, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene c;
        struct plan_verdict v;

        given_scene(&c, rows[i].before, rows[i].want, rows[i].cause, NULL);
        v = plan_judge(&c.arena, &c.plan, given_json(&c.arena, rows[i].policy));
        if (v.asks != (rows[i].asks != NULL) ||
            !str_eq_c(v.reason, rows[i].asks ? rows[i].asks : ""))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, v.asks, STR_ARG(v.reason));
        arena_fini(&c.arena);
    }
}

static void test_a_repair_alone_never_weakens(void **state)
{
    struct scene c;

    (void)state;
    given_scene(&c, "a v1", "a v1 hold", PLAN_CAUSE_REPAIR, NULL);
    assert_int_equal(c.plan.classes, 0);
    assert_true(
        digest_eq(&c.plan.target, &c.world.live_rev)); /* nothing of the commit is recorded */
    arena_fini(&c.arena);
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

static void test_a_secret_that_is_gone_asks(void **state)
{
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct snapshot s;
    struct plan plan;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    given_world(&w, &a);
    spec = given_spec(&a, "a v1");
    s = world_snapshot(&w, &spec, PLAN_CAUSE_ROLLBACK);
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_int_equal(plan.classes & PLAN_CLASS_DOWNGRADE, 0);
    assert_false(plan_judge(&a, &plan, NULL).asks); /* a person asked for exactly this */
    spec.resources.p[0].gone = S("db");
    assert_int_equal(plan_make(&a, &s, &plan, &err), 0);
    assert_int_equal(plan.classes & PLAN_CLASS_DOWNGRADE, PLAN_CLASS_DOWNGRADE);
    assert_int_equal(plan.lines.p[0].classes, PLAN_CLASS_DOWNGRADE);
    assert_string_equal(plan.lines.p[0].reason.p,
                        "the version of secret 'db' is gone, there is another now");
    assert_true(str_eq_c(plan_judge(&a, &plan, NULL).reason, "class downgrade"));
    arena_fini(&a);
}

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
        cmocka_unit_test(test_lines_say_what_changes_and_why),
        cmocka_unit_test(test_what_nobody_remembers_is_adopted),
        cmocka_unit_test(test_a_watch_says_who_is_not_recorded),
        cmocka_unit_test(test_policies_judge_plans),
        cmocka_unit_test(test_a_repair_alone_never_weakens),
        cmocka_unit_test(test_plans_refuse_what_cannot_be),
        cmocka_unit_test(test_a_secret_that_is_gone_asks),
        cmocka_unit_test(test_what_is_remarked_changes_nothing),
        cmocka_unit_test(test_what_a_rollout_left_behind_is_taken_away),
        cmocka_unit_test(test_promises_are_said),
        cmocka_unit_test(test_a_plan_grows_with_what_changes),
        cmocka_unit_test(test_what_clears_is_no_part_of_the_id),
        cmocka_unit_test(test_a_job_with_more_time_is_another_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
