/* cli: words, options, times and the table of verbs. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/cli.h"
#include "reconciler/cli/client.h"

#define NOW_MS 1732099031000 /* 2024-11-20T10:37:11Z */
#define WORDS_MAX 8

static void test_command_lines_are_read_or_refused(void **state)
{
    static const struct {
        const char *sentence;
        const char *argv[WORDS_MAX];
        int rc;
        const char *verb, *text; /* part of the error */
    } rows[] = {
        { "nothing at all is help", { NULL }, 0, NULL, "" },
        { "a verb and its word", { "plan", "production" }, 0, "plan", "" },
        { "common options stand before the verb",
          { "-c", "x.yaml", "plan", "production" },
          0,
          "plan",
          "" },
        { "and behind it", { "plan", "production", "-o", "json" }, 0, "plan", "" },
        { "options stand between words",
          { "rollback", "-m", "why", "production", "42" },
          0,
          "rollback",
          "" },
        { "a value may begin with a dash",
          { "history", "production", "--at", "-2h" },
          0,
          "history",
          "" },
        { "a verb of another name is guessed",
          { "stauts" },
          ERR_USAGE,
          NULL,
          "did you mean 'status'?" },
        { "what is like nothing is not guessed",
          { "deploy-everything" },
          ERR_USAGE,
          NULL,
          "reeve --help" },
        { "an option of another name is guessed",
          { "plan", "--recoded" },
          ERR_USAGE,
          "plan",
          "did you mean --recorded?" },
        { "an option of another verb is refused",
          { "status", "--reason", "x" },
          ERR_USAGE,
          "status",
          "reeve status --help" },
        { "a number must be one",
          { "logs", "x", "--lines", "many" },
          ERR_USAGE,
          "logs",
          "--lines is a number above 0, not 'many'" },
        { "and say so of its short name",
          { "history", "-n", "0" },
          ERR_USAGE,
          "history",
          "--limit is a number above 0, not '0'" },
        { "words behind a wrong value are not blamed",
          { "apply", "--timeout", "soon", "staging" },
          ERR_USAGE,
          "apply",
          "--timeout is a time such as 90s or 5m, not 'soon'" },
        { "a format must be known",
          { "status", "-o", "xml" },
          ERR_USAGE,
          "status",
          "--output is text or json, not 'xml'" },
        { "a colour too",
          { "--color=maybe", "status" },
          ERR_USAGE,
          NULL,
          "--color is auto, always or never, not 'maybe'" },
        { "a value must be there",
          { "approve", "5c1e09", "--reason" },
          ERR_USAGE,
          "approve",
          "--reason lacks its TEXT" },
        { "behind a letter too", { "status", "-o" }, ERR_USAGE, "status", "-o lacks its FORMAT" },
        { "a flag takes none",
          { "apply", "--all=yes" },
          ERR_USAGE,
          "apply",
          "--all takes no value" },
        { "a letter that nobody knows", { "-x" }, ERR_USAGE, NULL, "no option '-x' here" },
        { "behind one that is known", { "-qx" }, ERR_USAGE, NULL, "no option '-x' here" },
        { "not the last one is blamed",
          { "hold", "prod", "--bogus", "-m", "x" },
          ERR_USAGE,
          "hold",
          "no option '--bogus' here: reeve hold" },
        { "not what is behind it either",
          { "history", "-z", "-n", "5" },
          ERR_USAGE,
          "history",
          "no option '-z' here" },
        { "not a value that looks like one",
          { "hold", "prod", "-m", "--late", "--bogus" },
          ERR_USAGE,
          "hold",
          "no option '--bogus' here" },
        { "a letter that lacks its value, behind another",
          { "hold", "prod", "-qm" },
          ERR_USAGE,
          "hold",
          "-qm lacks its TEXT" },
        { "the beginning of several", { "plan", "--re" }, ERR_USAGE, "plan", "did you mean --re" },
        { "the beginning of one is not blamed",
          { "plan", "--exit", "--bogus" },
          ERR_USAGE,
          "plan",
          "no option '--bogus' here" },
        { "a word must not be empty", { "status", "" }, ERR_USAGE, "status", "an empty word" },
        { "too few words show the usage",
          { "approve" },
          ERR_USAGE,
          "approve",
          "usage: reeve approve [OPTION...] PLAN" },
        { "too many too", { "undo", "a", "b" }, ERR_USAGE, "undo", "usage: reeve undo" },
        { "help needs no words", { "approve", "--help" }, 0, "approve", "" },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char *argv[WORDS_MAX + 2] = { strdup("reeve") };
        struct cli_args args;
        struct err err = ERR_INIT;
        int argc = 1;

        print_message("  %s\n", rows[i].sentence);
        for (size_t j = 0; j < WORDS_MAX && rows[i].argv[j]; j++)
            argv[argc++] = strdup(rows[i].argv[j]);
        assert_int_equal(args_parse(&a, argc, argv, &args, &err), rows[i].rc);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_string_equal(args.verb ? args.verb->name : "-", rows[i].verb ? rows[i].verb : "-");
        for (int j = 0; j < argc; j++)
            free(argv[j]);
    }
}

static void test_values_arrive(void **state)
{
    char *argv[] = { strdup("reeve"),
                     strdup("hold"),
                     strdup("production"),
                     strdup("--reason=launch day"),
                     strdup("--until"),
                     strdup("18h"),
                     strdup("-q"),
                     strdup("--color=never"),
                     NULL };
    AUTO_ARENA struct arena a;
    struct cli_args args;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(args_parse(&a, 8, argv, &args, &err), 0);
    assert_true(str_eq_c(args.words.p[0], "production"));
    assert_true(str_eq_c(args.reason, "launch day"));
    assert_true(str_eq_c(args.until, "18h"));
    assert_int_equal(args.colour, COLOUR_NEVER);
    assert_true(args.quiet);
    for (int i = 0; i < 8; i++)
        free(argv[i]);
}

static void test_timeouts_are_seconds_or_lengths(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = { { "90", 90000 }, { "90s", 90000 }, { "5m", 300000 }, { "0", 0 }, { "-3", 0 } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char *argv[] = { strdup("reeve"),     strdup("apply"),      strdup("staging"),
                         strdup("--timeout"), strdup(rows[i].text), NULL };
        AUTO_ARENA struct arena a;
        struct cli_args args;
        struct err err = ERR_INIT;

        print_message("  %s\n", rows[i].text);
        arena_init(&a, 0);
        assert_int_equal(args_parse(&a, 5, argv, &args, &err), rows[i].ms ? 0 : ERR_USAGE);
        if (rows[i].ms)
            assert_int_equal(args.timeout_ms, rows[i].ms);
        for (int j = 0; j < 5; j++)
            free(argv[j]);
    }
}

static void test_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int sign;
        int64_t ms; /* 0: refused */
    } rows[] = {
        { "2024-11-20T10:37:11Z", -1, NOW_MS },
        { "2024-11-20T11:37:11+01:00", -1, NOW_MS },
        { "2024-11-20T10:37Z", -1, NOW_MS - 11000 },
        { "2024-11-20 05:07:11-05:30", -1, NOW_MS },
        { "now", -1, NOW_MS },
        { "-2h", 1, NOW_MS - 7200000 },
        { "2h", -1, NOW_MS - 7200000 },
        { "18h", 1, NOW_MS + 64800000 },
        { "+30m", -1, NOW_MS + 1800000 },
        { "-1w", 1, NOW_MS - 604800000 },
        { "yesterday", -1, 0 },
        { "2h30", -1, 0 },
        { "-", -1, 0 },
        { "", -1, 0 },
        { "2024-13-40T00:00Z", -1, 0 },
        { "99999999999999h", -1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct err err = ERR_INIT;
        int64_t ms = 0;

        print_message("  %s\n", rows[i].text);
        assert_int_equal(args_time(str_from_c(rows[i].text), rows[i].sign, NOW_MS, &ms, &err),
                         rows[i].ms ? 0 : ERR_USAGE);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void test_the_table_of_verbs_is_whole(void **state)
{
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_non_null(verbs[i].run);
        assert_true(verbs[i].args_min <= verbs[i].args_max);
        assert_true((verbs[i].args_max == 0) == (*verbs[i].args == 0));
        assert_true(verbs[i].help[0] && verbs[i].help[strlen(verbs[i].help) - 1] != '.');
        assert_ptr_equal(cli_find_verb(str_from_c(verbs[i].name)), &verbs[i]); /* once */
    }
}

static void test_targets_are_encoded(void **state)
{
    AUTO_ARENA struct arena a;
    struct value *query;

    (void)state;
    arena_init(&a, 0);
    query = value_map(&a);
    value_set_text(&a, query, S("subject"), S("service/a b&c=\xc3\xbc"));
    value_set_text(&a, query, S("n"), S("1"));
    assert_string_equal(client_target(&a, S("/api"), query).p,
                        "/api?subject=service%2Fa%20b%26c%3D%C3%BC&n=1");
    assert_string_equal(client_target(&a, S("/api"), NULL).p, "/api");
}

static void test_without_a_daemon_the_client_says_how_to_start_one(void **state)
{
    struct client *client = NULL;
    struct value *answer;
    struct err err = ERR_INIT;
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(client_new(&(struct client_place){ .socket = "/tmp/no/such/dir/reeve.sock" },
                                &client, &err),
                     ERR_UNREACHABLE);
    assert_string_equal(err.text, "no daemon at '/tmp/no/such/dir/reeve.sock': reeve serve");
    assert_int_equal(
        client_new(&(struct client_place){ .socket = "/tmp/rv-no-such-socket" }, &client, &err), 0);
    assert_int_equal(client_call(client, &a, "GET", S("/api/v1/status"), NULL, 0, &answer, &err),
                     ERR_UNREACHABLE);
    assert_string_equal(err.text, "no daemon at '/tmp/rv-no-such-socket': reeve serve");
    client_free(client);
}

static void test_urls_of_a_daemon(void **state)
{
    static const struct {
        const char *sentence, *url, *token;
        int rc;
    } rows[] = {
        { "a machine", "https://reeve.example.test", NULL, 0 },
        { "with a port, a path and a token", "https://reeve.example.test:7420/reeve/", "t", 0 },
        { "plain to another machine, but nothing is to be kept secret", "http://10.0.0.7:7420",
          NULL, 0 },
        { "a token in the clear to another machine", "http://10.0.0.7:7420", "t", ERR_USAGE },
        { "a token to this one", "http://127.0.0.1:7420", "t", 0 },
        { "by its name", "http://localhost:7420", "t", 0 },
        { "by its other address", "http://[::1]:7420", "t", 0 },
        { "one that only looks like this one", "http://127.0.0.1.example.test", "t", ERR_USAGE },
        { "or like its name", "http://localhost.example.test", "t", ERR_USAGE },
        { "a password in the URL", "https://ann:secret@reeve.example.test", NULL, ERR_USAGE },
        { "a query", "https://reeve.example.test/?a=b", NULL, ERR_USAGE },
        { "no machine", "https://", NULL, ERR_USAGE },
        { "another scheme", "ftp://reeve.example.test", NULL, ERR_USAGE },
        { "a blank", "https://reeve.example.test /", NULL, ERR_USAGE },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct client_place place = { .url = rows[i].url, .token = rows[i].token };
        struct client *client = NULL;
        struct err err = ERR_INIT;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(client_new(&place, &client, &err), rows[i].rc);
        client_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_lines_are_read_or_refused),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_timeouts_are_seconds_or_lengths),
        cmocka_unit_test(test_times_are_read),
        cmocka_unit_test(test_the_table_of_verbs_is_whole),
        cmocka_unit_test(test_targets_are_encoded),
        cmocka_unit_test(test_without_a_daemon_the_client_says_how_to_start_one),
        cmocka_unit_test(test_urls_of_a_daemon),
    };

    return cmocka_run_group_tests_name("cli args", tests, NULL, NULL);
}
