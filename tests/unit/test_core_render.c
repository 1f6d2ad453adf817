/* core/render: plans and states as text. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "reconciler/core/render.h"
#include "specs/json_io.h"

#define NOW_MS 1732099031000 /* 2024-11-20T10:37:11Z */

struct page {
    struct arena arena;
    struct sb text;
    struct render render;
};

static void given_page(struct page *p, int colour)
{
    arena_init(&p->arena, 0);
    sb_init(&p->text, &p->arena);
    p->render = (struct render){ .out = &p->text, .colour = colour, .now_ms = NOW_MS };
}

static void expect_text(struct page *p, const char *text)
{
    assert_string_equal(sb_str(&p->text).p, text);
    arena_fini(&p->arena);
}

static void expect_part(struct page *p, const char *part)
{
    if (!strstr(sb_str(&p->text).p, part))
        print_error("in\n%s\n", sb_str(&p->text).p);
    assert_non_null(strstr(sb_str(&p->text).p, part));
}

static const struct value *given(struct arena *a, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;

    assert_int_equal(json_parse(a, str_from_c(json), 1 << 20, &v, &err), 0);
    return v;
}

static void test_foreign_text_cannot_steer_a_terminal(void **state)
{
    static const struct {
        const char *sentence, *in, *out;
    } rows[] = {
        { "plain text stays", "api 200 ok", "api 200 ok" },
        { "letters of every script stay", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5",
          "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5" },
        { "an escape sequence is shown", "\033[2Jx", "\\u{1b}[2Jx" },
        { "line ends and tabs are shown", "a\r\n\tb", "a\\u{d}\\u{a}\\u{9}b" },
        { "DEL is shown", "a\x7f", "a\\u{7f}" },
        { "C1 controls are shown",
          "a\xc2\x9b"
          "1m",
          "a\\u{9b}1m" },
        { "bidi overrides are shown",
          "a\xe2\x80\xae"
          "b",
          "a\\u{202e}b" },
        { "bidi isolates are shown", "\xe2\x81\xa6", "\\u{2066}" },
        { "zero width is shown",
          "a\xe2\x80\x8b"
          "b\xef\xbb\xbf",
          "a\\u{200b}b\\u{feff}" },
        { "tag characters are shown", "\xf3\xa0\x81\x81", "\\u{e0041}" },
        { "a lone byte is shown", "a\xff", "a\\x{ff}" },
        { "a raw C1 byte is shown",
          "\x9b"
          "31m",
          "\\x{9b}31m" },
        { "overlong forms are shown", "\xc0\x9b", "\\x{c0}\\x{9b}" },
        { "a cut sequence is shown", "\xe2\x80", "\\x{e2}\\x{80}" },
        { "surrogates are shown", "\xed\xa0\x80", "\\x{ed}\\x{a0}\\x{80}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct page p;

        print_message("  %s\n", rows[i].sentence);
        given_page(&p, 0);
        render_foreign(&p.text, str_from_c(rows[i].in));
        expect_text(&p, rows[i].out);
    }
}

static void test_json_cannot_steer_a_terminal_and_stays_the_same(void **state)
{
    static const struct {
        const char *sentence, *in, *out;
    } rows[] = {
        { "letters stay", "{\"gr\xc3\xbc\":\"\xe6\x97\xa5\"}",
          "{\"gr\xc3\xbc\":\"\xe6\x97\xa5\"}" },
        { "what JSON escapes stays so", "\"\\u001b[2J\"", "\"\\u001b[2J\"" },
        { "DEL is escaped", "\"\x7f\"", "\"\\u007f\"" },
        { "C1 controls are escaped", "\"\xc2\x9b\"", "\"\\u009b\"" },
        { "bidi overrides are escaped", "\"\xe2\x80\xae\"", "\"\\u202e\"" },
        { "tag characters are a pair", "\"\xf3\xa0\x81\x81\"", "\"\\udb40\\udc41\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct page p;

        print_message("  %s\n", rows[i].sentence);
        given_page(&p, 0);
        sb_add(&p.text, render_safe_json(&p.arena, str_from_c(rows[i].in)));
        expect_text(&p, rows[i].out);
    }
}

static void test_columns_are_aligned_by_what_is_seen(void **state)
{
    static const char *const heads[] = { "name", "state", "" };
    struct page p;
    struct render_table t;

    (void)state;
    given_page(&p, 0);
    render_table_init(&t, &p.arena, heads, 3);
    render_cell(&t, TONE_PLAIN, S("gr\xc3\xbc\xc3\x9f"));
    render_cell(&t, TONE_BAD, S("failed"));
    render_cell(&t, TONE_PLAIN, S("x"));
    render_cell(&t, TONE_PLAIN, S("\xe6\x97\xa5\xe6\x9c\xac\033"));
    render_cell(&t, TONE_PLAIN, S("ok"));
    render_cell(&t, TONE_PLAIN, S(""));
    render_table_write(&p.render, &t, "");
    expect_text(&p, "name        state\n"
                    "gr\xc3\xbc\xc3\x9f        failed  x\n"
                    "\xe6\x97\xa5\xe6\x9c\xac\\u{1b}  ok\n");
}

static void test_colour_only_where_it_is_asked_for(void **state)
{
    struct page p;

    (void)state;
    given_page(&p, 1);
    render_text(&p.render, TONE_BAD, S("failed"));
    render_text(&p.render, TONE_PLAIN, S(" x"));
    expect_text(&p, "\033[31mfailed\033[0m x");
    given_page(&p, 0);
    render_text(&p.render, TONE_BAD, S("failed"));
    expect_text(&p, "failed");
}

static void test_times_are_said_in_one_unit(void **state)
{
    static const struct {
        int64_t ago_ms;
        const char *text;
    } rows[] = {
        { 400, "now" },           { 4100, "4.1 s ago" },  { 90000, "90 s ago" },
        { 720000, "12 min ago" }, { 7200000, "2 h ago" }, { 259200000, "3 d ago" },
        { -75600000, "in 21 h" },
    };
    struct page p;

    (void)state;
    given_page(&p, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(render_ago(&p.arena, NOW_MS, NOW_MS - rows[i].ago_ms).p, rows[i].text);
    assert_string_equal(render_ago(&p.arena, NOW_MS, REC_NONE).p, "");
    assert_string_equal(render_time(&p.arena, NOW_MS).p, "2024-11-20T10:37:11Z");
    expect_text(&p, "");
}

/* --- plans --------------------------------------------------------------------------------------- */

static struct plan_line *given_line(struct page *p, struct plan *plan, struct plan_line line)
{
    struct plan_line *slot = vec_push(&p->arena, &plan->lines);

    *slot = line;
    plan->classes |= line.classes;
    return slot;
}

static void given_item(struct page *p, struct plan *plan, struct plan_item item)
{
    struct plan_item *slot = vec_push(&p->arena, &plan->items);

    *slot = item;
}

static void given_rollout(struct page *p, struct plan *plan)
{
    struct plan_group *g = vec_push(&p->arena, &plan->groups);
    struct str *service = vec_push(&p->arena, &g->services);
    static const struct {
        enum plan_lane lane;
        enum plan_action action;
        int step;
        const char *kind, *gate;
    } rows[] = {
        { LANE_MAIN, PLAN_RUN, 1, "artifact", NULL },
        { LANE_MAIN, PLAN_CREATE, 4, "instance", NULL },
        { LANE_MAIN, PLAN_CREATE, 4, "instance", NULL },
        { LANE_MAIN, PLAN_GATE, 5, "gate", "{\"length_ms\":180000}" },
        { LANE_MAIN, PLAN_SWITCH, 6, "switch", NULL },
        { LANE_MAIN, PLAN_GATE, 7, "gate", "{\"length_ms\":60000}" },
        { LANE_REVERT, PLAN_SWITCH, 6, "switch", NULL },
        { LANE_TAIL, PLAN_GATE, 9, "gate", "{\"length_ms\":600000}" },
        { LANE_TAIL, PLAN_DELETE, 11, "instance", NULL },
    };

    *service = S("api");
    g->auto_revert = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        given_item(
            p, plan,
            (struct plan_item){ .lane = rows[i].lane,
                                .action = rows[i].action,
                                .step = rows[i].step,
                                .kind = str_from_c(rows[i].kind),
                                .gate = rows[i].gate ? given(&p->arena, rows[i].gate) : NULL });
}

static void test_a_plan_says_its_risk_first(void **state)
{
    struct page p;
    struct plan plan = { .id = { { 0x5c, 0x1e, 0x09, 0xd2 } }, .target = { { 0xaa } } };
    struct plan_line *line;
    const char *text;

    (void)state;
    given_page(&p, 0);
    (void)given_line(&p, &plan,
                     (struct plan_line){ .action = PLAN_DELETE,
                                         .kind = S("database"),
                                         .name = S("main"),
                                         .classes = PLAN_CLASS_DESTROY | PLAN_CLASS_DATA,
                                         .disruption = S("data-loss"),
                                         .reason = S("no spec names it"),
                                         .place = S("app.yaml:81:5") });
    line = given_line(&p, &plan,
                      (struct plan_line){ .action = PLAN_UPDATE,
                                          .kind = S("service"),
                                          .name = S("api"),
                                          .disruption = S("none"),
                                          .reason = S("") });
    *(struct plan_change *)vec_push(&p.arena, &line->changes) = (struct plan_change){
        S("environment.LOG_LEVEL"), S("debug"), S("in\033fo")
    };
    given_rollout(&p, &plan);
    *(struct str *)vec_push(&p.arena, &plan.notes) = S("quarantined: worker (exit 1)");

    render_plan(
        &p.render, &plan,
        given(
            &p.arena,
            "{\"environment\":\"production\",\"state\":\"waiting\",\"reason\":\"class destroy\","
            "\"needs\":{\"min\":1},\"base\":{\"revision\":42},\"expires_ms\":1732127291000,"
            "\"target\":{\"revision\":43,\"commits\":[{\"commit\":\"77be014aabb\",\"author\":\"a\","
            "\"summary\":\"bump\"}]},\"decisions\":[{\"actor\":\"local:ann(1000)\","
            "\"verdict\":\"approved\",\"reason\":\"seen\",\"at_ms\":1732098971000}]}"));
    text = sb_str(&p.text).p;
    assert_int_equal(
        strncmp(text, "Plan 5c1e09d2 for production   waiting: class destroy\n risk", 58), 0);
    expect_part(&p, "1 can lose data, 1 is destroyed; 1 to update, 1 to delete\n");
    expect_part(&p, "77be014a \"bump\" / commit / revision 42 -> 43 / 0 reads / expires in 7 h\n");
    expect_part(
        &p,
        " !- delete  database/main  data-loss  [destroy, data]  no spec names it  app.yaml:81:5\n");
    expect_part(&p, "  ~ update  service/api\n");
    expect_part(&p, "       environment.LOG_LEVEL  debug -> in\\u{1b}fo\n");
    expect_part(&p, "api: build 1, start 2, ready, switch, bake 1m; then keep 10m, stop 1\n");
    expect_part(&p, "quarantined: worker (exit 1)\n");
    expect_part(&p, "approved by local:ann(1000) 60 s ago: \"seen\"\n");
    expect_part(&p, "reeve approve 5c1e09d2 --reason");
    arena_fini(&p.arena);
}

/* What an operator sees of it on a terminal of 60 columns: nothing is cut, nothing steers. */
static void test_a_narrow_terminal_gets_more_rows(void **state)
{
    struct page p;
    struct plan plan = { .id = { { 0x5c, 0x1e, 0x09, 0xd2 } }, .classes = PLAN_CLASS_WEAKEN };
    struct plan_line *line;

    (void)state;
    given_page(&p, 0);
    p.render.width = 60;
    (void)given_line(&p, &plan,
                     (struct plan_line){ .action = PLAN_CREATE,
                                         .kind = S("service"),
                                         .name = S("api"),
                                         .disruption = S("none"),
                                         .reason = S("blue-green"),
                                         .place = S("app.yaml:5:3") });
    line = given_line(&p, &plan,
                      (struct plan_line){ .action = PLAN_UPDATE,
                                          .kind = S("policy"),
                                          .name = S("environment"),
                                          .classes = PLAN_CLASS_WEAKEN,
                                          .disruption = S("none"),
                                          .way_back = PLAN_BACK_NONE,
                                          .reason = S("laxer: approval.expires from 1500ms to 1d"),
                                          .place = S(".reeve/app.yaml:30:11") });
    *(struct plan_change *)vec_push(&p.arena, &line->changes) = (struct plan_change){
        S("approval.expires_ms"), S("1500"), S("86400000")
    };
    *(struct plan_change *)vec_push(&p.arena, &line->changes) = (struct plan_change){
        S("asked.expires_ms"), S("1500"), S("86400000")
    };
    *(struct plan_change *)vec_push(&p.arena, &line->changes) = (struct plan_change){
        S("environment.MOTTO"), STR_NONE,
        S("a value that has more words than a row of sixty columns can hold")
    };
    *(struct plan_record *)vec_push(
        &p.arena, &plan.records) = (struct plan_record){ .kind = S("domain"), .name = S("app") };
    *(struct plan_record *)vec_push(
        &p.arena, &plan.records) = (struct plan_record){ .kind = S("service"), .name = S("api") };
    render_lines(&p.render, &plan);
    expect_text(&p, " !~ update  policy/environment  [weaken]\n"
                    "            cannot be taken back\n"
                    "            laxer: approval.expires from 1500ms to 1d\n"
                    "            .reeve/app.yaml:30:11\n"
                    "       approval.expires   1500ms -> 1d\n"
                    "       environment.MOTTO\n"
                    "         - (none)\n"
                    "         + a value that has more words than a row of sixty\n"
                    "           columns can hold\n"
                    "  + create  service/api         blue-green  app.yaml:5:3\n"
                    "            1 unchanged: domain/app\n");
}

static void test_what_is_long_is_folded_at_blanks(void **state)
{
    static const struct {
        const char *sentence, *in, *out;
    } rows[] = {
        { "what fits stays", "0123 567", "> 0123 567\n" },
        { "at the last blank", "0123 5678", "> 0123\n  5678\n" },
        { "a word that is too long anywhere", "012345678", "> 01234567\n  8\n" },
        { "behind a blank", "0 123456789abc", "> 0\n  12345678\n  9abc\n" },
        { "wide characters count two",
          "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5",
          "> \xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\n  \xe6\x97\xa5\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct page p;
        struct render_flow f;

        print_message("  %s\n", rows[i].sentence);
        given_page(&p, 0);
        p.render.width = 10;
        sb_add_c(&p.text, "> ");
        f = render_flow_start(&p.render, 2, 2);
        render_flow_add(&f, TONE_PLAIN, str_from_c(rows[i].in));
        render_flow_end(&f);
        expect_text(&p, rows[i].out);
    }
}

static void test_lengths_are_said_as_specs_say_them(void **state)
{
    static const struct {
        int64_t ms;
        const char *text, *words;
    } rows[] = {
        { 0, "0s", "no time" },         { 250, "250ms", "250 milliseconds" },
        { 1000, "1s", "1 second" },     { 1500, "1500ms", "1500 milliseconds" },
        { 90000, "90s", "90 seconds" }, { 300000, "5m", "5 minutes" },
        { 7200000, "2h", "2 hours" },   { 86400000, "1d", "1 day" },
    };
    struct page p;

    (void)state;
    given_page(&p, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(render_spec_length(&p.arena, rows[i].ms).p, rows[i].text);
        assert_string_equal(render_length_words(&p.arena, rows[i].ms).p, rows[i].words);
    }
    expect_text(&p, "");
}

static void test_numbers_are_said_as_specs_say_them(void **state)
{
    static const struct {
        const char *path, *kept, *said;
    } rows[] = {
        { "rollout.bake_time_ms", "90000", "90s" },
        { "rollout.abort_if.error_rate", "250", "2.50%" },
        { "rollout.abort_if.error_rate", "200", "2%" },
        { "limits.memory", "805306368", "768M" },
        { "limits.cpus", "1000", "1.0" },
        { "limits.cpus", "1250", "1.25" },
        { "storage", "21474836480", "20G" },
        { "port", "4000", "4000" },
        { "environment.limits.memory", "1048576", "1048576" },
        { "release.environment.X_ms", "1000", "1000" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str said = render_path_value(&a, str_from_c(rows[i].path), str_from_c(rows[i].kept));

        if (!str_eq_c(said, rows[i].said))
            fail_msg("%s: '%.*s'", rows[i].path, STR_ARG(said));
    }
    arena_fini(&a);
}

static void test_a_harmless_plan_says_so(void **state)
{
    struct page p;
    struct plan plan = { .id = { { 1 } }, .cause = PLAN_CAUSE_UNDO };

    (void)state;
    given_page(&p, 0);
    (void)given_line(&p, &plan,
                     (struct plan_line){ .action = PLAN_CREATE,
                                         .kind = S("service"),
                                         .name = S("api"),
                                         .disruption = S("none"),
                                         .reason = S("asked for by the spec") });
    render_plan(&p.render, &plan, NULL);
    expect_part(&p, "nothing is destroyed, nothing is interrupted; 1 to create\n");
    expect_part(&p, "  + create  service/api  asked for by the spec\n");
    arena_fini(&p.arena);
}

/* --- states -------------------------------------------------------------------------------------- */

static void test_status_marks_what_needs_a_person(void **state)
{
    struct page p;

    (void)state;
    given_page(&p, 0);
    render_status(
        &p.render,
        given(&p.arena,
              "{\"environments\":[{\"name\":\"production\",\"branch\":\"main\",\"commit\":"
              "\"77be0141ff\","
              "\"sync\":\"waiting\",\"health\":\"healthy\",\"reason\":\"approval: manual\","
              "\"plan\":{\"id\":\"5c1e09d2aa\",\"state\":\"waiting\"}},"
              "{\"name\":\"staging\",\"branch\":\"develop\",\"commit\":\"8f31c2a011\",\"sync\":"
              "\"in_sync\","
              "\"health\":\"healthy\",\"reason\":\"\",\"services\":[\"api\",\"web\"]}],"
              "\"sources\":[{\"name\":\"acme\",\"heads\":[{\"branch\":\"main\",\"commit\":"
              "\"77be0141ff\","
              "\"seen_ms\":1732099001000}]},{\"name\":\"old\",\"error\":\"refused\",\"heads\":[]}],"
              "\"live\":{\"sources\":{\"acme\":{\"fetched_ms_ago\":2500}},\"providers\":{\"box\":{"
              "\"failures\":1,\"open\":false,\"error\":\"once\"},\"far\":{\"failures\":5,\"open\":"
              "true,"
              "\"error\":\"provider 'far' does not answer\"}}}}"));
    expect_text(
        &p, "provider 'far' does not answer\n"
            "\n"
            "   environment  branch   commit    sync     health\n"
            "!  production   main     77be0141  waiting  healthy  plan 5c1e09d2: approval: manual\n"
            "   staging      develop  8f31c2a0  in_sync  healthy  api web\n"
            "\n"
            "source  branch  commit    moved     fetched\n"
            "acme    main    77be0141  30 s ago  2.5 s ago\n"
            "old                                            refused\n");
}

static void test_an_environment_shows_sets_and_what_holds_it(void **state)
{
    struct page p;

    (void)state;
    given_page(&p, 0);
    render_environment(
        &p.render,
        given(&p.arena,
              "{\"name\":\"staging\",\"branch\":\"develop\",\"commit\":\"8f31c2a011\",\"sync\":"
              "\"held\","
              "\"health\":\"healthy\",\"reason\":\"\",\"revision\":7,"
              "\"because\":[\"held by local:ann(1000): audit\",\"not \\u001b[2J well\"],"
              "\"services\":[{\"name\":\"api\",\"sets\":[{\"set\":\"0123456789ab\",\"colour\":"
              "\"green\","
              "\"state\":\"live\",\"since_ms\":1732099001000,\"instances\":[{\"ordinal\":1,"
              "\"state\":\"ready\",\"address\":\"127.0.0.1:2000\",\"restarts\":2}]}]}],"
              "\"revisions\":[{\"revision\":7,\"proven\":true,\"commits\":[{\"commit\":"
              "\"8f31c2a011\","
              "\"summary\":\"add x\"}]}]}"));
    expect_part(&p, "staging   develop 8f31c2a0   revision 7   held   healthy\n");
    expect_part(&p, "  held by local:ann(1000): audit\n");
    expect_part(&p, "  not \\u{1b}[2J well\n");
    expect_part(
        &p, "  api      01234567  green  live   1 ready (2 restarts)  127.0.0.1:2000  30 s ago\n");
    expect_part(&p, "  7  8f31c2a0  live  add x\n");
    arena_fini(&p.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_text_cannot_steer_a_terminal),
        cmocka_unit_test(test_json_cannot_steer_a_terminal_and_stays_the_same),
        cmocka_unit_test(test_columns_are_aligned_by_what_is_seen),
        cmocka_unit_test(test_colour_only_where_it_is_asked_for),
        cmocka_unit_test(test_times_are_said_in_one_unit),
        cmocka_unit_test(test_a_plan_says_its_risk_first),
        cmocka_unit_test(test_a_narrow_terminal_gets_more_rows),
        cmocka_unit_test(test_what_is_long_is_folded_at_blanks),
        cmocka_unit_test(test_lengths_are_said_as_specs_say_them),
        cmocka_unit_test(test_numbers_are_said_as_specs_say_them),
        cmocka_unit_test(test_a_harmless_plan_says_so),
        cmocka_unit_test(test_status_marks_what_needs_a_person),
        cmocka_unit_test(test_an_environment_shows_sets_and_what_holds_it),
    };

    return cmocka_run_group_tests_name("core render", tests, NULL, NULL);
}
