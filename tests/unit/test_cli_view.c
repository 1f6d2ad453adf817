/* engine/view: answers made of rows. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/view.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "state/tx.h"

#define T0 1732099031000

struct world {
    struct arena arena;
    char dir[32];
    struct db *db;
    struct tx *tx;
    int64_t time_ms;
    struct view view;
    struct digest plan, revision, key;
};

static struct digest some(unsigned char byte)
{
    struct digest d;

    memset(d.b, byte, sizeof(d.b));
    return d;
}

static void begin(struct world *w, const char *kind, const char *subject, const char *cause)
{
    struct err err = ERR_INIT;
    const struct tx_head head = { .time_ms = w->time_ms += 1000,
                                  .mono_ms = 1,
                                  .epoch = 1,
                                  .actor = S("local:ann(1000)"),
                                  .cause = str_from_c(cause),
                                  .kind = str_from_c(kind),
                                  .subject = str_from_c(subject),
                                  .env = S("e1") };

    assert_int_equal(db_batch_begin(w->db, &err), 0);
    assert_int_equal(tx_begin(w->db, &head, &w->tx, &err), 0);
}

static void put(struct world *w, enum record record, const void *rec)
{
    struct err err = ERR_INIT;

    if (tx_put(w->tx, record, rec, &err))
        fail_msg("%s", err.text);
}

static struct digest put_document(struct world *w, const char *kind, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;
    struct digest d;

    assert_int_equal(json_parse(&w->arena, str_from_c(json), 1 << 20, &v, &err), 0);
    d = digest_value(&w->arena, str_from_c(kind), v);
    if (tx_document(w->tx, str_from_c(kind), &d, json_format(&w->arena, v), &err))
        fail_msg("%s", err.text);
    return d;
}

static int64_t commit(struct world *w)
{
    struct err err = ERR_INIT;
    int64_t seq = tx_seq(w->tx);

    if (tx_commit(w->tx, &err) || db_batch_commit(w->db, &err))
        fail_msg("%s", err.text);
    return seq;
}

static void given_environment(struct world *w)
{
    begin(w, "environment.accepted", "staging", "");
    put(w, REC_source,
        &(struct rec_source){ .name = S("acme"), .url = S("file:///x"), .config_digest = some(1) });
    put(w, REC_head,
        &(struct rec_head){ S("acme"), S("develop"), S("8f31c2a0"), S("tree"), T0, REC_NONE,
                            STR_NONE });
    put(w, REC_environment,
        &(struct rec_environment){ .uid = S("e1"),
                                   .name = S("staging"),
                                   .source = S("acme"),
                                   .branch = S("develop"),
                                   .commit_id = S("8f31c2a0"),
                                   .live_rev = w->revision,
                                   .route_gen = 3,
                                   .sync = S("waiting"),
                                   .health = S("healthy"),
                                   .reason = S("approval: manual"),
                                   .deleted_ms = REC_NONE });
    (void)commit(w);
}

static void given_revision(struct world *w)
{
    struct rec_revision rev = { S("e1"), w->revision, 7, { { 0 } }, 1, 1, S("8f31c2a0") };

    begin(w, "revision.seen", "revision", "commit:8f31c2a0");
    rev.doc = put_document(w, "revision", "{\"a\":1}");
    put(w, REC_revision, &rev);
    put(w, REC_revision_commit,
        &(struct rec_revision_commit){ S("e1"), w->revision, S("8f31c2a0"), S("ann"), S("add x"),
                                       1 });
    put(w, REC_set,
        &(struct rec_set){ .env = S("e1"),
                           .service = S("api"),
                           .set_key = w->key,
                           .colour = S("blue"),
                           .state = S("live"),
                           .replicas = 1,
                           .desired = some(9),
                           .revision = w->revision,
                           .proven_seq = REC_NONE,
                           .since_ms = T0,
                           .keep_ms = REC_NONE });
    put(w, REC_instance,
        &(struct rec_instance){ S("e1"), S("api"), w->key, 1, S("p1"), S("127.0.0.1:2000"),
                                S("ready"), 0, STR_NONE });
    (void)commit(w);
}

static void given_plan(struct world *w)
{
    struct rec_plan plan = { .id = w->plan,
                             .env = S("e1"),
                             .target = w->revision,
                             .cause = S("commit"),
                             .state = S("waiting"),
                             .reason = S("approval: manual"),
                             .actor = S(""),
                             .started_seq = REC_NONE,
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };

    begin(w, "plan.stored", "plan", "plan:5c5c5c5c5c5c");
    plan.made_seq = tx_seq(w->tx);
    plan.doc = put_document(w, "plan", "{\"core\":{},\"lines\":[]}");
    put(w, REC_plan, &plan);
    put(w, REC_operation,
        &(struct rec_operation){ .uid = S("o1"),
                                 .plan = w->plan,
                                 .env = S("e1"),
                                 .kind = S("instance"),
                                 .name = S("api@01.1"),
                                 .provider = S("local"),
                                 .action = S("create"),
                                 .phase = S("SETTLED"),
                                 .outcome = STR_NONE,
                                 .key = S("k"),
                                 .owner = S("o"),
                                 .expected = S("{}"),
                                 .provider_id = STR_NONE,
                                 .token = STR_NONE,
                                 .not_before_ms = REC_NONE,
                                 .poll_at_ms = REC_NONE,
                                 .message = S("no free port") });
    (void)commit(w);
}

static void given_resource(struct world *w, const char *status)
{
    struct rec_resource r = { .env = S("e1"),
                              .kind = S("service"),
                              .name = S("api"),
                              .incarnation = 1,
                              .provider = S("local"),
                              .owner = S("rv1x"),
                              .outputs = S("{}"),
                              .protect = S(""),
                              .drift = S("{}"),
                              .reason = S("") };
    struct err err = ERR_INIT;

    begin(w, "resource.changed", "service/api", "");
    r.status = str_from_c(status);
    r.desired = put_document(w, "desired", "{\"replicas\":1}");
    if (tx_put_resource(w->tx, &r, &err))
        fail_msg("%s", err.text);
    (void)commit(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct db_birth birth = { .time_ms = T0, .installation = S("0193-install") };
    struct err err = ERR_INIT;
    char path[64];

    arena_init(&w->arena, 0);
    strcpy(w->dir, "/tmp/rv-view-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof(path), "%s/reeve.db", w->dir);
    if (db_create(path, &birth, &w->db, &err))
        fail_msg("%s", err.text);
    w->time_ms = T0;
    w->plan = some(0x5c);
    w->revision = some(0xaa);
    w->key = some(0x01);
    w->view = (struct view){ w->db, &w->arena, T0 + 60000, NULL };
    given_environment(w);
    given_revision(w);
    given_plan(w);
    given_resource(w, "creating");
    given_resource(w, "ready");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;

    db_close(w->db);
    (void)sys_remove_all(w->dir, &err);
    arena_fini(&w->arena);
    free(w);
    return 0;
}

static struct str at(const struct value *v, const char *path)
{
    const struct value *found = value_at(v, str_from_c(path));

    return value_is(found, VALUE_TEXT) ? found->u.text : S("(absent)");
}

#define expect(str, text) assert_string_equal(str_to_c(&w->arena, (str)), text)

static void test_status_lists_environments_and_sources(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;
    const struct value *env, *source;

    assert_int_equal(view_status(&w->view, &v, &err), 0);
    env = value_item(value_get(v, S("environments")), 0);
    source = value_item(value_get(v, S("sources")), 0);
    expect(at(env, "name"), "staging");
    expect(at(env, "plan.state"), "waiting");
    expect(value_item(value_get(env, S("services")), 0)->u.text, "api");
    assert_int_equal(value_get_int(env, S("revision"), 0), 7);
    expect(at(value_item(value_get(source, S("heads")), 0), "commit"), "8f31c2a0");
}

static void given_more(struct world *w)
{
    static const struct {
        const char *env, *cause, *state;
    } rows[] = { { "e2", "commit", "waiting" }, { "e2", "repair", "applying" },
                 { "e2", "commit", "applied" }, { "e3", "repair", "open" },
                 { "e3", "commit", "waiting" }, { "e4", "drift", "approved" },
                 { "e4", "repair", "approved" } };
    static const char *const envs[] = { "e2", "e3", "e4", "e5" };

    begin(w, "environment.accepted", "staging", "");
    for (size_t i = 0; i < N_ELEMENTS(envs); i++)
        put(w, REC_environment,
            &(struct rec_environment){ .uid = str_from_c(envs[i]),
                                       .name = str_from_c(envs[i]),
                                       .source = S("acme"),
                                       .branch = S("develop"),
                                       .live_rev = i % 2 ? some(9) : (struct digest){ { 0 } },
                                       .sync = S("in_sync"),
                                       .health = S("healthy"),
                                       .reason = S(""),
                                       .deleted_ms = REC_NONE });
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        put(w, REC_plan,
            &(struct rec_plan){ .id = some((unsigned char)(100 + i)),
                                .env = str_from_c(rows[i].env),
                                .cause = str_from_c(rows[i].cause),
                                .state = str_from_c(rows[i].state),
                                .reason = S(""),
                                .actor = S(""),
                                .made_seq = 1 + (int64_t)i,
                                .started_seq = REC_NONE,
                                .ended_seq = REC_NONE,
                                .expires_ms = REC_NONE });
    put(w, REC_revision,
        &(struct rec_revision){ S("e3"), some(9), 4, some(8), 1, REC_NONE, STR_NONE });
    for (int i = 0; i < 3; i++)
        put(w, REC_set,
            &(struct rec_set){ .env = i ? S("e5") : S("e2"),
                               .service = i == 2 ? S("b") : S("a"),
                               .set_key = some(7),
                               .colour = S("blue"),
                               .state = S("live"),
                               .desired = some(6),
                               .proven_seq = REC_NONE,
                               .keep_ms = REC_NONE });
    (void)commit(w);
}

/* The list asks for all at once, an environment for itself. */
static void expect_listed_as_alone(struct world *w, const struct value *listed)
{
    static const char *const same[] = { "name",     "uid",    "source",  "branch",
                                        "sync",     "health", "reason",  "commit",
                                        "revision", "plan",   "event_ms" };
    const struct value *services = value_get(listed, S("services"));
    struct err err = ERR_INIT;
    struct value *alone;

    assert_int_equal(
        view_environment(&w->view, value_get_text(listed, S("name"), S("")), &alone, &err), 0);
    for (size_t i = 0; i < N_ELEMENTS(same); i++) {
        const struct value *here = value_get(listed, str_from_c(same[i]));
        const struct value *there = value_get(alone, str_from_c(same[i]));

        assert_int_equal(!here, !there);
        assert_true(!here || value_eq(here, there));
    }
    assert_int_equal(value_count(services), value_count(value_get(alone, S("services"))));
    for (size_t i = 0; i < value_count(services); i++)
        expect(value_item(services, i)->u.text,
               str_to_c(&w->arena, value_get_text(value_item(value_get(alone, S("services")), i),
                                                  S("name"), S(""))));
}

static void test_the_list_says_what_each_says_alone(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *status, *list, *page;

    given_more(w);
    assert_int_equal(view_status(&w->view, &status, &err), 0);
    assert_int_equal(
        view_environments(&w->view, &(struct view_page){ .cursor = S("") }, &list, &err), 0);
    assert_int_equal(value_count(value_get(list, S("environments"))), 5);
    for (size_t i = 0; i < 5; i++) {
        struct value *one = value_copy(w->view.a,
                                       value_item(value_get(status, S("environments")), i));
        const struct value *listed = value_item(value_get(list, S("environments")), i);

        /* A page alone affords to say when something happened last. */
        if (value_get(listed, S("event_ms")))
            value_set_int(w->view.a, one, S("event_ms"), value_get_int(listed, S("event_ms"), 0));
        assert_true(value_eq(listed, one));
        expect_listed_as_alone(w, listed);
    }
    expect(at(value_item(value_get(status, S("environments")), 0), "plan.cause"), "commit");
    for (size_t i = 0; i < 5; i += value_count(value_get(page, S("environments")))) {
        const struct view_page ask = { .limit = 2,
                                       .cursor = i ? value_get_text(page, S("next"), S(""))
                                                   : S("") };

        assert_int_equal(view_environments(&w->view, &ask, &page, &err), 0);
        for (size_t k = 0; k < value_count(value_get(page, S("environments"))); k++)
            assert_true(value_eq(value_item(value_get(page, S("environments")), k),
                                 value_item(value_get(list, S("environments")), i + k)));
    }
}

/* The command line closes the state file before it prints. */
static void test_a_view_outlives_its_database(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *status, *audit;

    assert_int_equal(view_status(&w->view, &status, &err), 0);
    assert_int_equal(view_audit(&w->view, &(struct view_audit_ask){ 0 }, &audit, &err), 0);
    db_close(TAKE(w->db));
    expect(at(status, "installation"), "0193-install");
    assert_true(json_format(&w->arena, status).n > 0);
    assert_true(json_format(&w->arena, audit).n > 0);
}

static void test_an_environment_holds_its_sets(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    const struct value *set;
    struct value *v;

    assert_int_equal(view_environment(&w->view, S("staging"), &v, &err), 0);
    set = value_item(value_get(value_item(value_get(v, S("services")), 0), S("sets")), 0);
    expect(at(set, "state"), "live");
    expect(at(value_item(value_get(set, S("instances")), 0), "address"), "127.0.0.1:2000");
    expect(at(value_item(value_get(v, S("resources")), 0), "status"), "ready");
    expect(at(value_item(value_get(value_item(value_get(v, S("revisions")), 0), S("commits")), 0),
              "summary"),
           "add x");
    assert_int_equal(view_environment(&w->view, S("nope"), &v, &err), ERR_NOT_FOUND);
}

static void test_plans_are_found_by_a_prefix(void **state)
{
    static const struct {
        const char *sentence, *id;
        int rc;
    } rows[] = {
        { "six digits are enough", "5c5c5c", 0 },
        { "an odd number of digits too", "5c5c5c5", 0 },
        { "five are not", "5c5c5", ERR_INVALID },
        { "others are not found", "5c5c5d", ERR_NOT_FOUND },
        { "words are not ids", "production", ERR_INVALID },
    };
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(view_plan(&w->view, str_from_c(rows[i].id), &v, &err), rows[i].rc);
    }
    assert_int_equal(view_plan_of(&w->view, S("staging"), &v, &err), 0);
    expect(at(v, "environment"), "staging");
    assert_int_equal(value_get_int(value_get(v, S("target")), S("revision"), 0), 7);
    expect(at(value_item(value_get(v, S("operations")), 0), "message"), "no free port");
    assert_true(value_is(value_get(v, S("document")), VALUE_MAP));
}

static void test_two_plans_of_one_prefix_are_a_conflict(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    w->plan.b[31] = 0x5d;
    given_plan(w);
    assert_int_equal(view_plan(&w->view, S("5c5c5c"), &v, &err), ERR_CONFLICT);
}

static void test_progress_gives_what_came_after(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    assert_int_equal(view_progress(&w->view, S("5c5c5c"), 0, &v, &err), 0);
    assert_int_equal(value_count(value_get(v, S("events"))), 1);
    assert_int_equal(value_count(value_get(v, S("running"))), 1);
    assert_true(view_progress_is_news(v));
    assert_int_equal(view_progress(&w->view, S("5c5c5c"), value_get_int(v, S("seq"), 0), &v, &err),
                     0);
    assert_int_equal(value_count(value_get(v, S("events"))), 0);
}

static void test_history_can_be_narrowed(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    assert_int_equal(view_history(&w->view,
                                  &(struct view_history){
                                      .env = S("staging"), .kind = S("plan."), .with_body = 1 },
                                  &v, &err),
                     0);
    assert_int_equal(value_count(value_get(v, S("events"))), 1);
    expect(at(value_item(value_get(v, S("events")), 0), "environment"), "staging");
    assert_true(
        value_is(value_at(value_item(value_get(v, S("events")), 0), S("body.rows")), VALUE_MAP));
    assert_int_equal(
        view_history(&w->view, &(struct view_history){ .limit = 2, .newest_first = 1 }, &v, &err),
        0);
    assert_int_equal(value_count(value_get(v, S("events"))), 2);
    assert_true(value_get_bool(v, S("more"), 0));
}

static void test_history_is_of_things_plans_and_commits(void **state)
{
    static const struct {
        const char *sentence, *resource, *plan, *commit;
        const char *seqs; /* which are found, or what is said */
    } rows[] = {
        { "a service: what it runs as, too", "service/api", "", "", "3 4 5 6" },
        { "an instance of any set", "instance/api", "", "", "4" },
        { "a part of a name is none", "service/ap", "", "", "" },
        { "another kind of that name", "domain/api", "", "", "" },
        { "a plan by its first digits", "", "5c5c5c", "", "4" },
        { "a commit, and its plans", "", "", "8f31c2", "2 3 4" },
        { "a commit that nobody wanted", "", "", "0123456", "" },
        { "a service within a plan", "service/api", "5c5c5c5c", "", "4" },
        { "no plan", "", "abcdef", "", "no plan 'abcdef'" },
        { "no kind", "api", "", "", "'api' is not KIND/NAME" },
        { "a path of JSON is no kind", "$.x/api", "", "", "'$.x/api' is not KIND/NAME" },
        { "too few digits", "", "", "8f31", "'8f31' is not a commit (at least 6 hex digits)" },
        { "both", "", "5c5c5c", "8f31c2", "of a plan or of a commit, not of both" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct view_history in = { .env = S("staging"),
                                         .resource = str_from_c(rows[i].resource),
                                         .plan = str_from_c(rows[i].plan),
                                         .commit = str_from_c(rows[i].commit) };
        struct err err = ERR_INIT;
        struct value *v;
        struct sb seqs;

        print_message("  %s\n", rows[i].sentence);
        sb_init(&seqs, &w->arena);
        if (view_history(&w->view, &in, &v, &err)) {
            assert_string_equal(err.text, rows[i].seqs);
            continue;
        }
        for (size_t k = 0; k < value_count(value_get(v, S("events"))); k++)
            sb_addf(
                &seqs, "%s%lld", k ? " " : "",
                (long long)value_get_int(value_item(value_get(v, S("events")), k), S("seq"), 0));
        expect(sb_str(&seqs), rows[i].seqs);
    }
}

static void test_what_differs_between_two_instants(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    const struct value *thing;
    struct value *v;

    assert_int_equal(view_changes(&w->view, S("staging"), T0 + 4500, T0 + 9000, &v, &err), 0);
    thing = value_item(value_get(v, S("resources")), 0);
    assert_int_equal(value_count(value_get(v, S("resources"))), 1);
    expect(at(thing, "name"), "service/api");
    expect(at(thing, "was.status"), "creating");
    expect(at(thing, "is.status"), "ready");
    assert_int_equal(view_changes(&w->view, S("staging"), T0, T0 + 9000, &v, &err), 0);
    expect(at(value_item(value_get(v, S("resources")), 0), "was.status"), "(absent)");
    assert_int_equal(view_changes(&w->view, S("staging"), T0 + 8000, T0 + 9000, &v, &err), 0);
    assert_int_equal(value_count(value_get(v, S("resources"))), 0);
    assert_int_equal(view_changes(&w->view, S("staging"), T0 + 2, T0 + 1, &v, &err), ERR_USAGE);
}

static void given_decision(struct world *w, const char *person, const char *verdict)
{
    begin(w, "command.approve", "staging", "plan:5c5c5c5c5c5c");
    put(w, REC_plan_author,
        &(struct rec_plan_author){ .plan = w->plan,
                                   .mail = S("ann@acme.test"),
                                   .name = S("Ann"),
                                   .commit_id = S("8f31c2a0") });
    put(w, REC_decision,
        &(struct rec_decision){ .plan = w->plan,
                                .actor = str_fmt(&w->arena, "local:%s(7)", person),
                                .verdict = str_from_c(verdict),
                                .class = S(""),
                                .reason = S("seen"),
                                .principals = S("[]"),
                                .at_seq = tx_seq(w->tx),
                                .person = str_from_c(person),
                                .signature = STR_NONE,
                                .until_ms = REC_NONE });
    (void)commit(w);
}

static void test_a_report_says_who_decided_and_whose_it_was(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *people, *v;
    const struct value *change, *decisions;

    assert_int_equal(json_parse(&w->arena,
                                S("{\"ann\":{\"local\":\"ann\",\"emails\":[\"ann@acme.test\"]}}"),
                                1000, &people, &err),
                     0);
    given_decision(w, "ann", "overridden");
    given_decision(w, "bob", "approved");
    if (view_report(&w->view, people, T0, w->view.now_ms, &v, &err))
        fail_msg("%s", err.text);
    change = value_item(value_get(v, S("changes")), 0);
    decisions = value_get(change, S("decisions"));
    expect(at(change, "environment"), "staging");
    expect(at(value_item(value_get(change, S("authors")), 0), "person"), "ann");
    assert_int_equal(value_count(decisions), 2);
    expect(at(value_item(decisions, 0), "own"),
           "ann made commit 8f31c2a0, which is in it, as ann@acme.test");
    expect(at(value_item(decisions, 1), "own"), "(absent)");
    expect(at(value_item(decisions, 1), "person"), "bob");
    assert_int_equal(value_count(value_get(v, S("commands"))), 2);
    assert_int_equal(value_count(value_get(v, S("emergencies"))), 0);
    assert_int_equal(view_report(&w->view, people, T0, T0 + 4500, &v, &err), 0);
    assert_int_equal(value_count(value_get(v, S("changes"))), 0); /* nothing was decided yet */
}

static void test_the_state_at_a_time_is_what_was_valid_then(void **state)
{
    static const struct {
        const char *sentence;
        int64_t after_ms;
        const char *status;
    } rows[] = {
        { "before it was made", 3500, NULL },
        { "while it was made", 4500, "creating" },
        { "afterwards", 9000, "ready" },
    };
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct value *list;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(view_state_at(&w->view, S("staging"), T0 + rows[i].after_ms, &v, &err), 0);
        list = value_get(v, S("resources"));
        assert_int_equal(value_count(list), rows[i].status != NULL);
        if (rows[i].status)
            expect(at(value_item(list, 0), "status"), rows[i].status);
    }
}

static void test_explain_names_reasons_and_ways_out(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    begin(w, "hold.begun", "staging", "");
    put(w, REC_hold,
        &(struct rec_hold){ S("h1"), S("e1"), STR_NONE, S("local:ann(1000)"), S("audit"), REC_NONE,
                            REC_NONE });
    (void)commit(w);
    assert_int_equal(view_explain(&w->view, S("staging"), S(""), &v, &err), 0);
    expect(value_item(value_get(v, S("because")), 0)->u.text,
           "plan 5c5c5c5c is waiting: approval: manual");
    expect(value_item(value_get(v, S("because")), 1)->u.text, "held by local:ann(1000): audit");
    expect(at(value_item(value_get(v, S("choices")), 0), "command"),
           "reeve approve 5c5c5c5c --reason ...");
    assert_int_equal(view_explain(&w->view, S("staging"), S("service/api"), &v, &err), 0);
    assert_int_equal(value_count(value_get(v, S("resource"))), 2);
    assert_int_equal(value_count(value_get(v, S("operations"))), 1);
    assert_int_equal(view_explain(&w->view, S("staging"), S("service/web"), &v, &err),
                     ERR_NOT_FOUND);
}

static void given_word(struct world *w, const char *sync, const char *reason)
{
    begin(w, "environment.status", "staging", "");
    put(w, REC_environment,
        &(struct rec_environment){ .uid = S("e1"),
                                   .name = S("staging"),
                                   .source = S("acme"),
                                   .branch = S("develop"),
                                   .live_rev = w->revision,
                                   .sync = str_from_c(sync),
                                   .health = S("healthy"),
                                   .reason = str_from_c(reason),
                                   .deleted_ms = REC_NONE });
    (void)commit(w);
}

/* The plan that was stored has ended, `cause` says how it began; its rollout left `w->revision`. */
static void given_rollout(struct world *w, const char *cause)
{
    struct rec_plan plan = { .id = w->plan,
                             .env = S("e1"),
                             .target = w->revision,
                             .cause = str_from_c(cause),
                             .state = S("applied"),
                             .reason = S(""),
                             .actor = S("local:ann(1000)"),
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };
    int is_back = str_eq_c(plan.cause, "undo");

    begin(w, "command.undo", "staging", "");
    tx_note(w->tx, S("reason"), S("\"too slow\""));
    (void)commit(w);
    begin(w, "plan.started", "staging", "");
    plan.made_seq = plan.started_seq = tx_seq(w->tx);
    plan.doc = put_document(w, "plan", "{\"core\":{},\"lines\":[]}");
    put(w, REC_plan, &plan);
    put(w, REC_rollout,
        &(struct rec_rollout){ .uid = S("r1"),
                               .plan = w->plan,
                               .env = S("e1"),
                               .from_rev = is_back ? w->revision : some(2),
                               .to_rev = is_back ? some(2) : w->revision,
                               .state = S("proven"),
                               .culprit = STR_NONE,
                               .reason = STR_NONE,
                               .counters = S("{}"),
                               .began_seq = tx_seq(w->tx),
                               .ended_seq = REC_NONE });
    put(w, REC_quarantine,
        &(struct rec_quarantine){ S("e1"), some(4), S("api"), S("bad answers"), S("r1"), REC_NONE,
                                  STR_NONE });
    (void)commit(w);
}

static void test_a_reason_is_explained_once(void **state)
{
    static const struct {
        const char *sentence, *cause, *sync, *word;
        const char *because; /* all of them, joined */
    } rows[] = {
        { "a word that no row explains stands alone", NULL, "failed", "a spec is wrong",
          "a spec is wrong" },
        { "a hold is said once, by its row", NULL, "held", "held by local:ann(1000): audit",
          "held by local:ann(1000): audit" },
        { "a group that went wrong names its commit", "commit", "reverted", "bad answers",
          "revision 7 (8f31c2a0 \"add x\") is quarantined: bad answers" },
        { "what a person took back names the person", "undo", "reverted",
          "quarantined: web (undo by a person)",
          "revision 7 (8f31c2a0 \"add x\") is quarantined: undo by local:ann(1000): too slow" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *w;
        struct err err = ERR_INIT;
        const struct value *because;
        struct value *v;
        struct sb all;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        w = *state;
        if (rows[i].cause)
            given_rollout(w, rows[i].cause);
        given_word(w, rows[i].sync, rows[i].word);
        if (!strcmp(rows[i].sync, "held")) {
            begin(w, "hold.begun", "staging", "");
            put(w, REC_hold,
                &(struct rec_hold){ S("h1"), S("e1"), STR_NONE, S("local:ann(1000)"), S("audit"),
                                    REC_NONE, REC_NONE });
            (void)commit(w);
        }
        assert_int_equal(view_explain(&w->view, S("staging"), S(""), &v, &err), 0);
        because = value_get(v, S("because"));
        sb_init(&all, &w->arena);
        for (size_t j = 0; j < value_count(because); j++)
            if (!str_starts(value_item(because, j)->u.text, S("plan ")) &&
                !str_starts(value_item(because, j)->u.text, S("create ")))
                sb_addf(&all, "%s%.*s", all.n ? " + " : "",
                        STR_ARG(value_item(because, j)->u.text));
        expect(sb_str(&all), rows[i].because);
    }
}

static void test_an_environment_of_another_name_is_guessed(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { "stagin", "no environment 'stagin': did you mean 'staging'?" },
        { "production", "no environment 'production'" },
    };
    struct world *w = *state;
    struct value *v;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(view_environment(&w->view, str_from_c(rows[i].name), &v, &err),
                         ERR_NOT_FOUND);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void test_history_says_why(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    const struct value *event;
    struct value *v;

    given_rollout(w, "undo");
    assert_int_equal(
        view_history(&w->view, &(struct view_history){ .env = S("staging"), .kind = S("command.") },
                     &v, &err),
        0);
    event = value_item(value_get(v, S("events")), 0);
    expect(at(event, "why"), "too slow");
    assert_null(value_get(event, S("body")));
}

static void test_audit_counts_what_it_checked(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    if (view_audit(&w->view, &(struct view_audit_ask){ .depth = VIEW_AUDIT_REPLAY }, &v, &err))
        fail_msg("%s", err.text);
    assert_true(value_get_int(v, S("events"), 0) >= 5);
    assert_true(value_get_int(v, S("rows"), 0) >= 5);
}

static void test_findings_say_how_to_mend(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct value *v;

    assert_int_equal(view_findings(&w->view, &v, &err), 0);
    assert_int_equal(value_count(v), 1);
    expect(at(value_item(v, 0), "mend"), "reeve explain staging");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_list_says_what_each_says_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_lists_environments_and_sources, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_view_outlives_its_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_environment_holds_its_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans_are_found_by_a_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_plans_of_one_prefix_are_a_conflict, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_progress_gives_what_came_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_can_be_narrowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_is_of_things_plans_and_commits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_differs_between_two_instants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_report_says_who_decided_and_whose_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_state_at_a_time_is_what_was_valid_then, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_explain_names_reasons_and_ways_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reason_is_explained_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_environment_of_another_name_is_guessed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_history_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_counts_what_it_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_findings_say_how_to_mend, setup, teardown),
    };

    return cmocka_run_group_tests_name("cli view", tests, NULL, NULL);
}
