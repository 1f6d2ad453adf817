/* Values that should not stand in a spec. SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules_check.h"

/* Names that say "secret", less those that say it is public. */
static int names_a_secret(struct str name)
{
    static const struct str ends[] = { S_INIT("_KEY"), S_INIT("_SECRET"), S_INIT("_TOKEN"),
                                       S_INIT("PASSWORD") };
    static const char *const open[] = { "PUBLIC", "PUBLISHABLE", NULL };

    if (policy_rules_has_any(name, open))
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        if (str_ends(name, ends[i]))
            return 1;
    return str_eq_c(name, "SECRET") || str_eq_c(name, "TOKEN");
}

static int is_placeholder(struct str text)
{
    static const char *const parts[] = { "change_me", "changeme", "your-super-secret", NULL };

    return policy_rules_has_any(text, parts);
}

static void literal_secret(struct normalise *n, const struct policy_rule *rule,
                           const struct value *of, const struct value_entry *variable)
{
    if (value_is(variable->value, VALUE_TEXT) && names_a_secret(variable->key) &&
        variable->value->u.text.n && !is_placeholder(variable->value->u.text))
        complain(n, rule, of, variable->value->place, "the value of %.*s is written out",
                 STR_ARG(variable->key));
}

void policy_rules_literal_secrets(struct normalise *n, const struct policy_rule *rule)
{
    policy_rules_each_variable(n, rule, literal_secret);
}

static void placeholder(struct normalise *n, const struct policy_rule *rule, const struct value *of,
                        const struct value_entry *variable)
{
    if (value_is(variable->value, VALUE_TEXT) && is_placeholder(variable->value->u.text))
        complain(n, rule, of, variable->value->place, "the value of %.*s is a placeholder",
                 STR_ARG(variable->key));
}

void policy_rules_placeholders(struct normalise *n, const struct policy_rule *rule)
{
    policy_rules_each_variable(n, rule, placeholder);
}

/* --- keys of vendors: pk_live_.., sk_test_.. ----------------------------------------------------- */

static int is_key_of(const struct value *v, const char *const *beginnings)
{
    for (; value_is(v, VALUE_TEXT) && *beginnings; beginnings++)
        if (str_starts(v->u.text, str_from_c(*beginnings)))
            return 1;
    return 0;
}

static void live_key(struct normalise *n, const struct policy_rule *rule, const struct value *of,
                     const struct value_entry *variable)
{
    static const char *const live[] = { "pk_live_", "sk_live_", "rk_live_", NULL };

    if (is_key_of(variable->value, live))
        complain(n, rule, of, variable->value->place,
                 "%.*s is a key of the live mode, and '%.*s' is not production",
                 STR_ARG(variable->key), STR_ARG(n->environment));
}

void policy_rules_live_keys(struct normalise *n, const struct policy_rule *rule)
{
    if (!policy_rules_is_production(n))
        policy_rules_each_variable(n, rule, live_key);
}

static void test_key(struct normalise *n, const struct policy_rule *rule, const struct value *of,
                     const struct value_entry *variable)
{
    static const char *const test[] = { "pk_test_", "sk_test_", "rk_test_", NULL };

    if (is_key_of(variable->value, test))
        complain(n, rule, of, variable->value->place,
                 "%.*s is a key of the test mode, and '%.*s' is production", STR_ARG(variable->key),
                 STR_ARG(n->environment));
}

void policy_rules_test_keys(struct normalise *n, const struct policy_rule *rule)
{
    if (policy_rules_is_production(n))
        policy_rules_each_variable(n, rule, test_key);
}

/* --- origins ------------------------------------------------------------------------------------- */

/* "*", or one of a list with commas. */
static int has_star(struct str text)
{
    struct str part;

    while (str_next(&text, ',', &part))
        if (str_eq_c(str_trim(part), "*"))
            return 1;
    return 0;
}

static void wildcard(struct normalise *n, const struct policy_rule *rule, const struct value *of,
                     const struct value_entry *variable)
{
    static const char *const names[] = { "CORS", "ORIGIN", NULL };
    const struct value *items = value_get(variable->value, S("join"));

    if (!policy_rules_has_any(variable->key, names))
        return;
    if (value_is(variable->value, VALUE_TEXT) && has_star(variable->value->u.text))
        complain(n, rule, of, variable->value->place, "%.*s lets every site in",
                 STR_ARG(variable->key));
    for (size_t i = 0; i < value_count(items); i++)
        if (value_is(value_item(items, i), VALUE_TEXT) && has_star(value_item(items, i)->u.text))
            complain(n, rule, of, value_item(items, i)->place, "%.*s lets every site in",
                     STR_ARG(variable->key));
}

void policy_rules_wildcards(struct normalise *n, const struct policy_rule *rule)
{
    static const struct str header = S_INIT("Access-Control-Allow-Origin");

    policy_rules_each_variable(n, rule, wildcard);
    NORMALISE_ENTRIES(n->domains, domain)
    NORMALISE_ENTRIES(value_at(domain->value, S("headers.set")), set)
    if (set->key.n == header.n && policy_rules_has_part(set->key, header) &&
        value_is(set->value, VALUE_TEXT) && has_star(set->value->u.text))
        complain(n, rule, NULL, set->value->place, "%.*s lets every site in", STR_ARG(set->key));
}
