/* engine/view: why it is so. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_cli_view_given.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_explain_names_reasons_and_ways_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reason_is_explained_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_says_why, setup, teardown),
    };

    return cmocka_run_group_tests_name("cli view: explain", tests, NULL, NULL);
}
