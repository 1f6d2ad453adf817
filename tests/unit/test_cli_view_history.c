/* engine/view: what was, and what differs since. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_cli_view_given.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_history_can_be_narrowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_is_of_things_plans_and_commits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_differs_between_two_instants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_report_says_who_decided_and_whose_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_state_at_a_time_is_what_was_valid_then, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("cli view: history", tests, NULL, NULL);
}
