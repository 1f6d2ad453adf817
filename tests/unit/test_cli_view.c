/* engine/view: answers made of rows. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_cli_view_given.h"

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
        cmocka_unit_test_setup_teardown(test_status_lists_environments_and_sources, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_list_says_what_each_says_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_view_outlives_its_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_environment_holds_its_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans_are_found_by_a_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_plans_of_one_prefix_are_a_conflict, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_progress_gives_what_came_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_environment_of_another_name_is_guessed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_audit_counts_what_it_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_findings_say_how_to_mend, setup, teardown),
    };

    return cmocka_run_group_tests_name("cli view", tests, NULL, NULL);
}
