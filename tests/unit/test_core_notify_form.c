/* core: what each medium is sent, and what hostile text becomes in it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/notify_form.h"
#include "reconciler/core/notify_link.h"
#include "reconciler/core/notify_mail.h"
#include "specs/forge.h"
#include "specs/json_io.h"

#define SAYS                                                                                       \
    "{\"word\":\"reverted\",\"env\":\"prod\",\"subject\":\"plan/1\",\"commit\":\"c0ffee\","        \
    "\"text\":\"<!channel> `x` & \\r\\nBcc: all@acme.dev\"}"

/* Step, type and fields, where the request goes, a header of it, and two texts that the body has. */
static const struct {
    const char *sentence, *config;
    size_t step;
    const char *url, *header, *has, *has_too;
} rows[] = {
    { "Slack", "{\"type\":\"slack\"}", 0, "https://sink.test/x", "Idempotency-Key: u-1",
      "*prod: taken back*", "`&lt;!channel&gt; 'x' &amp; " },
    { "a webhook", "{\"type\":\"webhook\"}", 0, "https://sink.test/x",
      "webhook-signature: v1,D57Q3ViX5JTS6QcqjlE7Ls24chRJ7OPaZl6rvkiMdOY=",
      "\"type\":\"reeve.reverted\"", "\"time\":\"2023-11-14T22:13:20Z\"" },
    { "PagerDuty", "{\"type\":\"pagerduty\"}", 0, "https://sink.test/x", "Idempotency-Key: u-1",
      "\"event_action\":\"trigger\"", "\"dedup_key\":\"plan/1\"" },
    { "PagerDuty, after a test", "{\"type\":\"pagerduty\"}", 1, "https://sink.test/x",
      "Idempotency-Key: u-1", "\"event_action\":\"resolve\"", "\"dedup_key\":\"plan/1\"" },
    { "a release of Sentry", "{\"type\":\"sentry\",\"organization\":\"a/b\",\"project\":\"p\"}", 0,
      "https://sink.test/x/api/0/organizations/a%2Fb/releases/", "Authorization: Bearer key",
      "\"version\":\"c0ffee\"", "\"projects\":[\"p\"]" },
    { "its deploy", "{\"type\":\"sentry\",\"organization\":\"a\",\"project\":\"p\"}", 1,
      "https://sink.test/x/api/0/organizations/a/releases/c0ffee/deploys/",
      "Authorization: Bearer key", "\"environment\":\"prod\"", "\"dateFinished\"" },
};

static struct notify_message message(struct arena *a, const char *says)
{
    struct err err = ERR_INIT;
    struct value *v = NULL;

    assert_int_equal(json_parse(a, str_from_c(says), 1u << 16, &v, &err), 0);
    return (struct notify_message){ .id = S("u-1"),
                                    .made_ms = INT64_C(1700000000000),
                                    .now_ms = INT64_C(1700000001000),
                                    .severity = NOTIFY_ERROR,
                                    .says = v,
                                    .link = S("") };
}

static const struct value *parse(struct arena *a, const char *text)
{
    struct err err = ERR_INIT;
    struct value *v = NULL;

    assert_int_equal(json_parse(a, str_from_c(text), 1u << 16, &v, &err), 0);
    return v;
}

static int has_header(const struct notify_form *f, const char *line)
{
    for (size_t i = 0; f->headers[i]; i++) {
        assert_null(strpbrk(f->headers[i], "\r\n"));
        if (!strcmp(f->headers[i], line))
            return 1;
    }
    return 0;
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct notify_message m;
        struct notify_form f;
        const struct notify_secrets secrets = { S("https://sink.test/x"), S("key"), STR_NONE };

        arena_init(&a, 0);
        m = message(&a, SAYS);
        if (notify_form_make(&a, parse(&a, rows[i].config), &m, &secrets, rows[i].step, &f, &err))
            fail_msg("%s: %s", rows[i].sentence, err.text);
        if (strcmp(f.url, rows[i].url) || !has_header(&f, rows[i].header) ||
            str_find(f.body, str_from_c(rows[i].has)) == STR_NPOS ||
            str_find(f.body, str_from_c(rows[i].has_too)) == STR_NPOS) {
            for (size_t h = 0; f.headers[h]; h++)
                print_message("%s\n", f.headers[h]);
            fail_msg("%s: %s %.*s", rows[i].sentence, f.url, STR_ARG(f.body));
        }
    }
}

static const struct {
    const char *type;
    int status;
    const char *answer;
    int code;
} answers[] = {
    { "slack", 200, "ok", 0 },
    { "sentry", 208, "", 0 },
    { "commit_status", 400, "{\"message\":\"Cannot transition status via :enqueue from :pending\"}",
      0 },
    { "commit_status", 400, "{\"message\":\"bad\"}", ERR_UNREACHABLE },
    { "slack", 400, "Cannot transition status", ERR_UNREACHABLE },
    { "webhook", 403, "", ERR_REFUSED },
    { "slack", 410, "channel_is_archived", ERR_NOT_FOUND },
    { "slack", 429, "", ERR_BUSY },
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(notify_form_judge(str_from_c(answers[i].type), answers[i].status,
                                           str_from_c(answers[i].answer), &err),
                         answers[i].code);
    }
}

/* Only what can be taken back at once is done twice. */
static const struct {
    const char *config, *says;
    size_t n;
} steps[] = {
    { "{\"type\":\"pagerduty\"}", SAYS, 1 },
    { "{\"type\":\"pagerduty\"}", "{\"word\":\"test\"}", 2 },
    { "{\"type\":\"slack\"}", "{\"word\":\"test\"}", 1 },
    { "{\"type\":\"sentry\"}", SAYS, 2 },
};

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        AUTO_ARENA struct arena a;
        struct notify_message m;

        arena_init(&a, 0);
        m = message(&a, steps[i].says);
        assert_int_equal(notify_form_steps(parse(&a, steps[i].config), &m), steps[i].n);
    }
}

/* What each medium makes of a template, and of what stands in it. */
static const struct {
    const char *sentence, *config, *has, *has_not;
} templates[] = {
    { "a title", "{\"type\":\"slack\",\"template\":{\"title\":\"{env} at {commit}: {title}\"}}",
      "*`prod` at `c0ffee`: prod: taken back*", "\"template\"" },
    { "text is escaped as it was", "{\"type\":\"slack\",\"template\":{\"text\":\"& {text}\"}}",
      "\\u000a&amp; `&lt;!channel&gt; 'x' &amp; ", "<!channel>" },
    { "what was filled in is not read again",
      "{\"type\":\"webhook\",\"template\":{\"text\":\"{author}\"}}", "\"message\":\"{text}\"",
      "\"message\":\"<" },
    { "its lines stay lines", "{\"type\":\"webhook\",\"template\":{\"text\":\"a\\nb {env}\"}}",
      "\"message\":\"a\\u000ab prod\"", "\\\\u{a}b" },
    { "what is not said is nothing",
      "{\"type\":\"webhook\",\"template\":{\"text\":\"a{plan}b{link}c\"}}",
      "\"message\":\"abhttps://reeve.test/plans/1c\"", "{plan}" },
    { "PagerDuty", "{\"type\":\"pagerduty\",\"template\":{\"title\":\"T\",\"text\":\"x {env}\"}}",
      "\"summary\":\"T: x prod\"", "T: x `" },
    { "and its link", "{\"type\":\"pagerduty\"}",
      "\"links\":[{\"href\":\"https://reeve.test/plans/1\"", "template" },
};

#define SAYS_TEMPLATE                                                                              \
    "{\"word\":\"reverted\",\"env\":\"prod\",\"subject\":\"plan/1\",\"commit\":\"c0ffee\","        \
    "\"author\":\"{text}\",\"text\":\"<!channel> `x` & \\r\\nBcc: all@acme.dev\"}"

static void test_templates(void **state)
{
    const struct notify_secrets secrets = { S("https://sink.test/x"), S("key"), STR_NONE };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(templates); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct notify_message m;
        struct notify_form f;

        arena_init(&a, 0);
        m = message(&a, SAYS_TEMPLATE);
        m.link = S("https://reeve.test/plans/1");
        if (notify_form_make(&a, parse(&a, templates[i].config), &m, &secrets, 0, &f, &err) ||
            str_find(f.body, str_from_c(templates[i].has)) == STR_NPOS ||
            str_find(f.body, str_from_c(templates[i].has_not)) != STR_NPOS)
            fail_msg("%s: %s %.*s", templates[i].sentence, err.text, STR_ARG(f.body));
    }
}

/* Longer than any message may be; a test and a digest stay as they are made. */
static void test_templates_have_limits(void **state)
{
    const struct notify_secrets secrets = { S("https://sink.test/x"), S("key"), STR_NONE };
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct notify_message m;
    struct notify_form f;
    struct sb says, config;

    (void)state;
    arena_init(&a, 0);
    sb_init(&says, &a);
    sb_add_c(&says, "{\"word\":\"reverted\",\"env\":\"prod\",\"subject\":\"s\",\"text\":\"");
    for (int i = 0; i < 5000; i++)
        sb_add_char(&says, '<');
    sb_add_c(&says, "\"}");
    sb_init(&config, &a);
    sb_add_c(&config, "{\"type\":\"slack\",\"template\":{\"text\":\"");
    for (int i = 0; i < 160; i++)
        sb_add_c(&config, "{text}");
    sb_add_c(&config, "\"}}");
    m = message(&a, sb_str(&says).p);
    assert_int_equal(notify_form_make(&a, parse(&a, sb_str(&config).p), &m, &secrets, 0, &f, &err),
                     0);
    assert_true(f.body.n < 8 * NOTIFY_TEXT_MAX);
    m = message(&a, "{\"word\":\"test\",\"env\":\"prod\"}");
    assert_int_equal(
        notify_form_make(&a,
                         parse(&a, "{\"type\":\"slack\",\"template\":{\"title\":\"all is well\"}}"),
                         &m, &secrets, 0, &f, &err),
        0);
    assert_true(str_find(f.body, S("prod: a test")) != STR_NPOS);
}

/* Where the page is, by what the Daemon document says. */
static const struct {
    const char *daemon, *says, *link;
} links[] = {
    { "{\"http\":{\"hosts\":[\"r.test\"],\"url\":\"https://ops.test/reeve/\"}}",
      "{\"plan\":\"a1\",\"env\":\"prod\"}", "https://ops.test/reeve/plans/a1" },
    { "{\"http\":{\"hosts\":[\"r.test\",\"s.test\"]},\"listen\":\"0.0.0.0:7420\",\"tls\":{}}",
      "{\"env\":\"prod\"}", "https://r.test:7420/environments/prod" },
    { "{\"http\":{\"hosts\":[\"r.test\"]},\"listen\":\"[::]:443\",\"tls\":{}}",
      "{\"env\":\"prod\"}", "https://r.test/environments/prod" },
    { "{\"http\":{\"hosts\":[\"r.test\"]},\"listen\":\"127.0.0.1:7420\"}", "{\"env\":\"prod\"}",
      "" },
    { "{\"http\":{\"url\":\"https://ops.test\"}}", "{\"subject\":\"disk\"}", "" },
    { "{}", "{\"env\":\"prod\"}", "" },
};

static void test_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(links); i++) {
        AUTO_ARENA struct arena a;

        arena_init(&a, 0);
        assert_string_equal(
            str_to_c(&a, notify_link_to(&a, notify_link_base(&a, parse(&a, links[i].daemon)),
                                        parse(&a, links[i].says))),
            links[i].link);
    }
}

static const struct {
    const char *forge, *word, *url, *header, *has;
} statuses[] = {
    { "github", "applied", "https://api.test/repos/a/b/statuses/c0ffee",
      "Authorization: Bearer key", "\"state\":\"success\"" },
    { "gitlab", "reverted", "https://api.test/projects/a%2Fb/statuses/c0ffee", "PRIVATE-TOKEN: key",
      "\"name\":\"reeve/prod\",\"state\":\"failed\"" },
    { "gitea", "applying", "https://api.test/repos/a/b/statuses/c0ffee", "Authorization: token key",
      "\"context\":\"reeve/prod\"" },
};

static void test_commit_statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct notify_message m;
        struct notify_form f;

        arena_init(&a, 0);
        m = message(&a, str_fmt(&a, "{\"word\":\"%s\",\"env\":\"prod\",\"commit\":\"c0ffee\"}",
                                statuses[i].word)
                            .p);
        assert_int_equal(
            notify_form_status(&a,
                               parse(&a, str_fmt(&a,
                                                 "{\"type\":\"%s\",\"api\":\"https://api.test/\","
                                                 "\"repository\":\"a/b\"}",
                                                 statuses[i].forge)
                                             .p),
                               &m, S("key"), &f, &err),
            0);
        if (strcmp(f.url, statuses[i].url) || !has_header(&f, statuses[i].header) ||
            str_find(f.body, str_from_c(statuses[i].has)) == STR_NPOS)
            fail_msg("%s: %s %.*s", statuses[i].forge, f.url, STR_ARG(f.body));
    }
}

static void test_who_is_told_a_status(void **state)
{
    struct str words = str_from_c(schema_field(SCHEMA_FORGE, S("type"))->words), type;

    (void)state;
    while (str_next(&words, '|', &type)) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct notify_message m;
        struct notify_form f;
        const struct value *forge;

        print_message("  %.*s\n", STR_ARG(type));
        arena_init(&a, 0);
        m = message(&a, "{\"word\":\"applied\",\"env\":\"prod\",\"commit\":\"c0ffee\"}");
        forge = parse(
            &a,
            str_fmt(&a, "{\"type\":\"%.*s\",\"api\":\"https://api.test\",\"repository\":\"a/b\"}",
                    STR_ARG(type))
                .p);
        assert_int_equal(forge_does(type, FORGE_STATUS),
                         !notify_form_status(&a, forge, &m, S("key"), &f, &err));
    }
}

/* Values of secrets that are no address; none of them is in the sentence. */
static const char *const bad_urls[] = { "http://sink.test/",       "https://",
                                        "ftp://127.0.0.1/",        "https://a b.test/",
                                        "https://a.test/\r\nX: y", "http://127.0.0.1.evil.test/",
                                        "http://localhostile/",    "" };

static void test_addresses_that_are_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad_urls); i++) {
        AUTO_ARENA struct arena a;
        struct err err = ERR_INIT;
        struct notify_message m;
        struct notify_form f;
        const struct notify_secrets secrets = { str_from_c(bad_urls[i]), S("key"), STR_NONE };

        arena_init(&a, 0);
        m = message(&a, SAYS);
        if (notify_form_make(&a, parse(&a, "{\"type\":\"slack\"}"), &m, &secrets, 0, &f, &err) !=
                ERR_INVALID ||
            strstr(err.text, "test/"))
            fail_msg("'%s': %s", bad_urls[i], err.text);
    }
}

static void test_a_mail(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct notify_message m;
    struct notify_form f;
    const struct notify_secrets secrets = { S("smtps://ann%40acme.dev:p%3Aw@mail.acme.dev:465"),
                                            STR_NONE, STR_NONE };
    struct str head;

    (void)state;
    arena_init(&a, 0);
    m = message(&a, SAYS);
    assert_int_equal(notify_form_make(&a, parse(&a, "{\"type\":\"smtp\",\"to\":[\"b@acme.dev\"]}"),
                                      &m, &secrets, 0, &f, &err),
                     0);
    assert_string_equal(f.url, "smtps://mail.acme.dev:465");
    assert_string_equal(f.user, "ann@acme.dev");
    assert_string_equal(f.password, "p:w");
    assert_true(f.needs_tls);
    head = str_slice(f.body, 0, str_find(f.body, S("\r\n\r\n")));
    assert_true(str_find(head, S("Message-ID: <u-1@mail.acme.dev>")) != STR_NPOS);
    assert_true(str_find(head, S("Date: Tue, 14 Nov 2023 22:13:20 +0000")) != STR_NPOS);
    assert_true(str_find(head, S("Bcc")) == STR_NPOS);
    assert_true(str_find(f.body, S("p%3Aw")) == STR_NPOS);
    assert_string_equal(notify_mail_header(&a, S("a\r\nBcc: b")).p, "=?UTF-8?B?YQ0KQmNjOiBi?=");
    assert_string_equal(notify_mail_header(&a, S("gr\xc3\xbcn")).p, "=?UTF-8?B?Z3LDvG4=?=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_templates_have_limits),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_commit_statuses),
        cmocka_unit_test(test_who_is_told_a_status),
        cmocka_unit_test(test_addresses_that_are_none),
        cmocka_unit_test(test_a_mail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
