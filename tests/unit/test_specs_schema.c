/* specs: the field table, scalars, explanations, globs and messages. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "specs/policy_rules.h"
#include "specs/rule.h"

static void test_every_row_is_whole(void **state)
{
    (void)state;
    for (int object = SCHEMA_NO_OBJECT + 1; object < N_SCHEMA_OBJECTS; object++) {
        size_t n;
        const struct schema_field *f = schema_fields((enum schema_object)object, &n);

        assert_true(strlen(schema_object_text((enum schema_object)object)) > 0);
        for (size_t i = 0; i < n; i++) {
            print_message("  %s %.*s\n", schema_object_text((enum schema_object)object),
                          STR_ARG(f[i].name));
            assert_true(strlen(f[i].text) > 0);
            assert_true(f[i].type != SCHEMA_TYPE_OBJECT || f[i].nested != SCHEMA_NO_OBJECT);
            assert_int_equal(f[i].type == SCHEMA_TYPE_WORD, f[i].words != NULL);
            assert_ptr_equal(schema_field((enum schema_object)object, f[i].name), &f[i]);
            assert_false(f[i].fallback && f[i].flags & SCHEMA_REQUIRED);
        }
    }
}

/* What is written as a default must pass its own row: a default that does not would stop the process. */
#define EXPLAIN_DEPTH_MAX 12

/* Each field of an object by its path from the document, less names of entries of maps; an object is walked once. */
static size_t expect_explained(struct str path, enum schema_object object, unsigned char *is_walked,
                               int depth)
{
    size_t n, n_variants, n_explained = 0;
    const struct schema_field *f = schema_fields(object, &n);
    const struct schema_variant *variants = schema_variants(object, &n_variants);

    if (is_walked[object] || depth > EXPLAIN_DEPTH_MAX)
        return 0;
    is_walked[object] = 1;
    for (size_t i = 0; i < n_variants; i++)
        n_explained += expect_explained(path, variants[i].nested, is_walked, depth + 1);
    for (size_t i = 0; i < n; i++) {
        AUTO_ARENA struct arena a;
        struct str hint, inner, text;

        arena_init(&a, 0);
        inner = str_fmt(&a, "%.*s.%.*s", STR_ARG(path), STR_ARG(f[i].name));
        text = schema_explain(&a, inner, &hint);
        if (!str_starts(text, f[i].name))
            fail_msg("%.*s is not explained", STR_ARG(inner));
        n_explained++;
        if (f[i].nested)
            n_explained += expect_explained(inner, f[i].nested, is_walked, depth + 1);
    }
    return n_explained;
}

static void test_every_field_is_explained(void **state)
{
    unsigned char is_walked[N_SCHEMA_OBJECTS] = { 0 };
    size_t n, n_explained = 0;
    const struct schema_variant *kinds = schema_variants(SCHEMA_DOCUMENT, &n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        n_explained += expect_explained(kinds[i].word, kinds[i].nested, is_walked, 0);
    print_message("  %zu fields\n", n_explained);
    assert_true(n_explained > 400);
}

/* Two documents have a field of this name, of which something else is said. */
static void test_the_daemons_fields_say_what_nothing_acts_on(void **state)
{
    AUTO_ARENA struct arena a;
    struct str hint, text;

    (void)state;
    arena_init(&a, 0);
    text = schema_explain(&a, S("Daemon.providers.https"), &hint);
    assert_true(str_find(text, S("not in this version: the edge serves no TLS, nobody would answer "
                                 "here; reeve serve does not start with it")) != STR_NPOS);
    text = schema_explain(&a, S("Daemon.environments.match.kind"), &hint);
    assert_true(str_find(text, S("not in this version, preview: ")) != STR_NPOS);
    text = schema_explain(&a, S("Daemon.sources.poll"), &hint);
    assert_true(str_find(text, S("not in this version")) == STR_NPOS);
}

/* A form without an expression would be any text in `reeve schema`. */
static void test_every_form_has_an_expression(void **state)
{
    static const char *const patterns[N_SCALARS] = {
#define PATTERN(id, expression) [SCALAR_##id] = expression,
#include "specs/scalar_patterns.def"
#undef PATTERN
    };
    static const enum scalar_type free_ones[] = { SCALAR_TEXT, SCALAR_WORD, SCALAR_BOOL, SCALAR_INT,
                                                  SCALAR_ANSWER };

    (void)state;
    for (int i = 0; i < N_SCALARS; i++) {
        int is_free = 0;

        for (size_t k = 0; k < N_ELEMENTS(free_ones); k++)
            is_free |= free_ones[k] == (enum scalar_type)i;
        print_message("  %s\n", scalar_name((enum scalar_type)i));
        assert_int_equal(patterns[i] == NULL, is_free);
    }
}

static void test_every_default_passes_its_row(void **state)
{
    (void)state;
    for (int object = SCHEMA_NO_OBJECT + 1; object < N_SCHEMA_OBJECTS; object++) {
        size_t n;
        const struct schema_field *f = schema_fields((enum schema_object)object, &n);

        for (size_t i = 0; i < n; i++) {
            struct str rest = str_from_c(f[i].fallback), word;
            int64_t number;

            if (f[i].type == SCHEMA_TYPE_OBJECT || f[i].type == SCHEMA_TYPE_LATER)
                continue;
            while (str_next(&rest, '|', &word)) {
                struct str words = str_from_c(f[i].words), allowed;
                int found = f[i].words == NULL;

                assert_int_equal(scalar_read((enum scalar_type)f[i].type, word, &number), 0);
                while (str_next(&words, '|', &allowed))
                    found |= str_eq(allowed, word);
                assert_true(found);
                if (f[i].max && f[i].shape == SCHEMA_ONE)
                    assert_true(number >= f[i].min && number <= f[i].max);
            }
        }
    }
}

static void test_scalars_are_strict(void **state)
{
    static const struct {
        const char *sentence, *text;
        enum scalar_type type;
        int rc;
        int64_t number;
    } rows[] = {
        { "milliseconds", "250ms", SCALAR_DURATION, 0, 250 },
        { "seconds", "2s", SCALAR_DURATION, 0, 2000 },
        { "days", "30d", SCALAR_DURATION, 0, 2592000000 },
        { "ten years at most", "3650d", SCALAR_DURATION, 0, 315360000000 },
        { "no unit", "30", SCALAR_DURATION, -1, 0 },
        { "a unit alone", "s", SCALAR_DURATION, -1, 0 },
        { "two units", "1h30m", SCALAR_DURATION, -1, 0 },
        { "overflow", "9223372036854775807d", SCALAR_DURATION, -1, 0 },
        { "kibibytes", "512K", SCALAR_SIZE, 0, 524288 },
        { "gibibytes", "20G", SCALAR_SIZE, 0, 21474836480 },
        { "tebibytes", "1T", SCALAR_SIZE, 0, 1099511627776 },
        { "a size without a unit", "512", SCALAR_SIZE, -1, 0 },
        { "a size that overflows", "9007199254740992G", SCALAR_SIZE, -1, 0 },
        { "whole percent", "2%", SCALAR_PERCENT, 0, 200 },
        { "all", "100%", SCALAR_PERCENT, 0, 10000 },
        { "half a percent", "0.5%", SCALAR_PERCENT, 0, 50 },
        { "a basis point", "0.01%", SCALAR_PERCENT, 0, 1 },
        { "more than all", "100.01%", SCALAR_PERCENT, -1, 0 },
        { "no digits behind the point", "1.%", SCALAR_PERCENT, -1, 0 },
        { "only the sign", "%", SCALAR_PERCENT, -1, 0 },
        { "zero", "0", SCALAR_INT, 0, 0 },
        { "less than zero", "-5", SCALAR_INT, 0, -5 },
        { "minus alone", "-", SCALAR_INT, -1, 0 },
        { "plus", "+5", SCALAR_INT, -1, 0 },
        { "two signs", "--5", SCALAR_INT, -1, 0 },
        { "a leading zero", "05", SCALAR_INT, -1, 0 },
        { "one letter", "a", SCALAR_NAME, 0, 0 },
        { "a name that begins with a digit", "1a", SCALAR_NAME, -1, 0 },
        { "a range of one port", "80-80", SCALAR_PORT_RANGE, 0, 0 },
        { "a range to nowhere", "80-", SCALAR_PORT_RANGE, -1, 0 },
        { "a range beyond the last port", "80-65536", SCALAR_PORT_RANGE, -1, 0 },
        { "an address without a port", "127.0.0.1", SCALAR_ADDRESS, -1, 0 },
        { "an address with two", "a:1:2", SCALAR_ADDRESS, -1, 0 },
        { "a branch with a slash", "feature/x", SCALAR_BRANCH, 0, 0 },
        { "a branch that ends with one", "feature/", SCALAR_BRANCH, -1, 0 },
        { "a hidden part of a branch", "a/.b", SCALAR_BRANCH, -1, 0 },
        { "a branch with reflog syntax", "a@{1}", SCALAR_BRANCH, -1, 0 },
        { "a store alone", "env:", SCALAR_STORE_PATH, 0, 0 },
        { "no store", ":a", SCALAR_STORE_PATH, -1, 0 },
        { "an encoded path", "env:a%2fb", SCALAR_STORE_PATH, -1, 0 },
        { "the whole repository", ".", SCALAR_TREE_PATH, 0, 0 },
        { "a name with a control character", "a\x01", SCALAR_TREE_PATH, -1, 0 },
        { "a label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          SCALAR_HOST, -1, 0 },
        { "a group", "group:ops", SCALAR_PRINCIPAL, 0, 0 },
        { "a network", "10.0.0.0/8", SCALAR_NETWORK, 0, 0 },
        { "one with bits behind its prefix", "10.0.0.1/8", SCALAR_NETWORK, -1, 0 },
        { "an unknown kind of principal", "role:ops", SCALAR_PRINCIPAL, -1, 0 },
        { "a public key", "ssh-ed25519 AAAAC3Nz+/= ann@laptop home", SCALAR_SSH_KEY, 0, 0 },
        { "a public key without a comment", "sk-ssh-ed25519@openssh.com AAAA", SCALAR_SSH_KEY, 0,
          0 },
        { "a type alone", "ssh-ed25519", SCALAR_SSH_KEY, -1, 0 },
        { "options before a key", "cert-authority,namespaces=\"x\" ssh-ed25519 AAAA",
          SCALAR_SSH_KEY, -1, 0 },
        { "two lines of a key", "ssh-ed25519 AAAA x\nann ssh-ed25519 BBBB", SCALAR_SSH_KEY, -1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t number = 0;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(scalar_read(rows[i].type, str_from_c(rows[i].text), &number), rows[i].rc);
        assert_int_equal(number, rows[i].number);
    }
}

static void test_yaml11_is_known(void **state)
{
    static const struct {
        const char *text, *as;
    } rows[] = {
        { "Yes", "a boolean" },
        { "FALSE", "a boolean" },
        { "yES", NULL },
        { "~", "null" },
        { "Null", "null" },
        { "", "null" },
        { "0", NULL },
        { "00", "an octal number" },
        { "+017", "an octal number" },
        { "08", NULL },
        { "1:2", "a number in base 60" },
        { "1:60", NULL },
        { "12:30:45", "a number in base 60" },
        { "0:30", NULL },
        { "0:30.5", "a number in base 60" },
        { "1:30.x", NULL },
        { ":30", NULL },
        { "1:", NULL },
        { "1.5", NULL },
        { "localhost:80", NULL },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *as = scalar_yaml11(str_from_c(rows[i].text));

        print_message("  '%s'\n", rows[i].text);
        assert_string_equal(as ? as : "text", rows[i].as ? rows[i].as : "text");
    }
}

static void test_explain_finds_fields(void **state)
{
    static const struct {
        const char *path, *says, *hint;
    } rows[] = {
        { "services.healthcheck", "readiness", NULL },
        { "services.api.healthcheck.readiness.interval", "default: 2s", NULL },
        { "services.api", "A program that runs", NULL },
        { "services.replicas", "limits: 0 to 1000", NULL },
        { "services.command", "placeholders: ${env} ${branch} ${number} ${slug} ${port}", NULL },
        { "services.environment", "with secret:", NULL },
        { "services.environment.DATABASE_URL", "with secret:", NULL },
        { "services.rollout.strategy", "allowed: blue_green canary rolling recreate", NULL },
        { "services.image", "${commit} ${tag}", NULL },
        { "services.command", "unless there is one of: static image image_from", NULL },
        { "services.image", "in an override it stands in the place of: source image_from", NULL },
        { "domains.app.tls", "nothing acts on it yet: certificates; end TLS before the edge",
          NULL },
        { "services.replicas.cpu", "default: 70%", NULL },
        { "Preview.template.services", "overrides", NULL },
        { "Application", "What the software is", NULL },
        { "Daemon.sources.poll", "default: 60s", NULL },
        { "providers.edge.internal", "form: a range of ports", NULL },
        { "environments.match.name", "required", NULL },
        { "approval.policy", "allowed: auto manual", NULL },
        { "services.helthcheck", NULL, "did you mean 'healthcheck'?" },
        { "servces", NULL, "did you mean 'services'?" },
        { "services.api.port.x", NULL, "" },
        { "", NULL, "" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct str hint, text;

        arena_init(&a, 0);
        print_message("  %s\n", rows[i].path);
        text = schema_explain(&a, str_from_c(rows[i].path), &hint);
        if (rows[i].says && (!text.p || !strstr(text.p, rows[i].says)))
            fail_msg("'%.*s' does not say '%s'", STR_ARG(text), rows[i].says);
        if (!rows[i].says) {
            assert_null(text.p);
            assert_true(str_eq_c(hint.p ? hint : S(""), rows[i].hint));
        }
    }
}

static void test_globs(void **state)
{
    static const struct {
        int (*matches)(struct str glob, struct str text);
        const char *glob, *text;
        int want;
    } rows[] = {
        { rule_name_matches, "staging", "staging", 1 },
        { rule_name_matches, "staging", "staging2", 0 },
        { rule_name_matches, "pr-*", "pr-17", 1 },
        { rule_name_matches, "pr-*", "pr-", 1 },
        { rule_name_matches, "*", "", 1 },
        { rule_name_matches, "*-x", "a-y-x", 1 },
        { rule_name_matches, "*-x", "a-x-y", 0 },
        { rule_name_matches, "a*b*c", "aXbYbZc", 1 },
        { rule_name_matches, "a*b*c", "aXbYbZ", 0 },
        { rule_name_matches, "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0 },
        { rule_host_matches, "acme.com", "acme.com", 1 },
        { rule_host_matches, "acme.com", "www.acme.com", 0 },
        { rule_host_matches, "*.acme.com", "www.acme.com", 1 },
        { rule_host_matches, "*.acme.com", "acme.com", 0 },
        { rule_host_matches, "*.acme.com", "a.b.acme.com", 0 },
        { rule_host_matches, "*.acme.com", "www.evilacme.com", 0 },
        { rule_host_matches, "*.acme.com", ".acme.com", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        print_message("  %s against %s\n", rows[i].text, rows[i].glob);
        assert_int_equal(rows[i].matches(str_from_c(rows[i].glob), str_from_c(rows[i].text)),
                         rows[i].want);
    }
}

static void test_rules_have_names_and_mends(void **state)
{
    size_t n;
    const struct policy_rule *rules = policy_rules(&n);

    (void)state;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(strlen(rules[i].text) > 0 && strlen(rules[i].mend) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rules[i].id, rules[j].id);
    }
}

static void test_messages_are_kept_once_and_have_an_end(void **state)
{
    AUTO_ARENA struct arena a;
    struct spec_messages m;
    const struct str file = S("a.yaml");
    struct value_place place = { &file, 1, 1 };

    (void)state;
    arena_init(&a, 0);
    spec_messages_init(&m, &a);
    spec_message_add(&m, SPEC_ERROR, place, S("x"), STR_NONE, "one");
    spec_message_add(&m, SPEC_ERROR, place, S("x"), STR_NONE, "one");
    spec_message_add(&m, SPEC_WARNING, place, S("x"), STR_NONE, "one");
    assert_int_equal(m.list.n, 2);
    assert_int_equal(m.n_errors, 1);
    for (uint32_t i = 2; i < SPEC_MESSAGES_MAX * 2; i++) {
        place.line = i;
        spec_message_add(&m, SPEC_ERROR, place, S("x"), STR_NONE, "one");
    }
    assert_int_equal(m.list.n, SPEC_MESSAGES_MAX);
    assert_int_equal(m.n_errors, SPEC_MESSAGES_MAX * 2 - 1);
}

static void test_messages_outlive_what_they_are_about(void **state)
{
    AUTO_ARENA struct arena a;
    AUTO_ARENA struct arena work;
    const struct str name = S("a.yaml");
    struct spec_messages m;
    struct sb b;

    (void)state;
    arena_init(&a, 0);
    arena_init(&work, 0);
    sb_init(&b, &a);
    spec_messages_init(&m, &a);
    for (uint32_t line = 1; line < 3; line++) {
        const struct value_place place = { &name, line, 1 };

        spec_message_add(&m, SPEC_ERROR, value_place_copy(&work, place), S("x"),
                         str_copy(&work, S("mend it")), "one");
    }
    arena_wipe(&work);
    for (size_t i = 0; i < m.list.n; i++)
        spec_message_format(&b, &m.list.p[i], STR_NONE, 0);
    assert_string_equal(b.p, "a.yaml:1:1: error: one [x]\n    mend it\n"
                             "a.yaml:2:1: error: one [x]\n    mend it\n");
}

static void test_colour_is_asked_for(void **state)
{
    AUTO_ARENA struct arena a;
    const struct str file = S("a.yaml");
    struct spec_message m = { SPEC_ERROR, { &file, 2, 4 }, S("wrong"), S("type"), S("mend it") };
    struct sb b;

    (void)state;
    arena_init(&a, 0);
    sb_init(&b, &a);
    spec_message_format(&b, &m, S("  \xc3\xa4\xc3\xb6x"), 1);
    assert_string_equal(sb_str(&b).p, "a.yaml:2:4: \033[1;31merror\033[0m: wrong [type]\n"
                                      "      \xc3\xa4\xc3\xb6x\n       ^\n    mend it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_every_default_passes_its_row),
        cmocka_unit_test(test_every_form_has_an_expression),
        cmocka_unit_test(test_every_field_is_explained),
        cmocka_unit_test(test_the_daemons_fields_say_what_nothing_acts_on),
        cmocka_unit_test(test_scalars_are_strict),
        cmocka_unit_test(test_yaml11_is_known),
        cmocka_unit_test(test_explain_finds_fields),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_rules_have_names_and_mends),
        cmocka_unit_test(test_messages_are_kept_once_and_have_an_end),
        cmocka_unit_test(test_messages_outlive_what_they_are_about),
        cmocka_unit_test(test_colour_is_asked_for),
    };

    return cmocka_run_group_tests_name("specs schema", tests, NULL, NULL);
}
