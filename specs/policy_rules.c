/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules_check.h"
#include "specs/rule.h"
#include "specs/schema_path.h"

static const struct policy_rule policy_rules_rows[] = {
#define RULE(id, severity, waivable, check, text, mend)                                            \
    { id, SPEC_##severity, waivable, policy_rules_##check, text, mend, NULL },
#define SAID(id, severity, where, text, mend) { id, SPEC_##severity, 0, NULL, text, mend, where },
#include "specs/policy_rules.def"
#undef RULE
#undef SAID
};

/* --- what the checks share ----------------------------------------------------------------------- */

int policy_rules_has_part(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++) {
        size_t j = 0;

        while (j < part.n && (text.p[i + j] & ~0x20) == (part.p[j] & ~0x20))
            j++;
        if (j == part.n)
            return 1;
    }
    return 0;
}

int policy_rules_has_any(struct str text, const char *const *parts)
{
    for (; *parts; parts++)
        if (policy_rules_has_part(text, str_from_c(*parts)))
            return 1;
    return 0;
}

static int name_has_word(struct str name, const char *words)
{
    struct str part, rest, word;

    while (str_next(&name, '-', &part)) {
        rest = str_from_c(words);
        while (str_next(&rest, '|', &word))
            if (str_eq(part, word))
                return 1;
    }
    return 0;
}

int policy_rules_is_production(const struct normalise *n)
{
    return name_has_word(n->environment, "production|prod|live");
}

int policy_rules_is_development(const struct normalise *n)
{
    return name_has_word(n->environment, "dev|development|local|test");
}

static void collect_variables(struct normalise *n, const struct value *parts)
{
    static const struct str maps[] = { S_INIT("environment"), S_INIT("source.environment"),
                                       S_INIT("release.environment"),
                                       S_INIT("verify.environment") };

    NORMALISE_ENTRIES(parts, part)
    for (size_t i = 0; i < N_ELEMENTS(maps); i++)
        NORMALISE_ENTRIES(value_at(part->value, maps[i]), variable)
        {
            struct normalise_variable *slot = vec_push(n->arena, &n->variables);

            if (slot)
                *slot = (struct normalise_variable){ part->value, variable };
        }
}

void policy_rules_each_variable(struct normalise *n, const struct policy_rule *rule,
                                policy_rules_variable_fn *look)
{
    for (size_t i = 0; i < n->variables.n; i++)
        look(n, rule, n->variables.p[i].of, n->variables.p[i].variable);
}

/* --- waivers ------------------------------------------------------------------------------------- */

int policy_rules_is_waived(const struct policy_rule *rule, const struct value *waivers)
{
    for (size_t i = 0; rule->may_be_waived && i < value_count(waivers); i++)
        if (str_eq_c(value_get_text(value_item(waivers, i), S("rule"), S("")), rule->id))
            return 1;
    return 0;
}

static struct str nearest_rule(struct arena *a, struct str id)
{
    struct schema_nearest nearest = schema_nearest_to(id);

    for (size_t i = 0; i < N_ELEMENTS(policy_rules_rows); i++)
        if (policy_rules_rows[i].may_be_waived)
            schema_nearest_try(&nearest, str_from_c(policy_rules_rows[i].id));
    return schema_nearest_hint(a, &nearest);
}

static void check_waivers(struct normalise *n, const struct value *waivers)
{
    for (size_t i = 0; i < value_count(waivers); i++) {
        const struct value *id = value_get(value_item(waivers, i), S("rule"));
        const struct value *reason = value_get(value_item(waivers, i), S("reason"));
        const struct policy_rule *rule = id ? policy_rules_find(id->u.text) : NULL;

        if (reason && !str_trim(reason->u.text).n)
            normalise_complain(n, reason->place, "waiver", STR_NONE, "a waiver says why");
        if (rule && rule->may_be_waived)
            rule_check_waiver(n, id);
        else if (id)
            normalise_complain(n, id->place, "waiver", nearest_rule(n->arena, id->u.text),
                               "rule '%.*s' %s", STR_ARG(id->u.text),
                               rule ? "cannot be waived" : "is unknown");
    }
}

static void add_waived(const struct normalise *n, struct value *list, struct str part,
                       const struct value *waivers)
{
    for (size_t i = 0; i < value_count(waivers); i++)
        value_add(
            n->arena, list,
            value_text(n->arena,
                       str_fmt(n->arena, "%.*s%s%.*s", STR_ARG(part), part.n ? ":" : "",
                               STR_ARG(value_get_text(value_item(waivers, i), S("rule"), S(""))))));
}

struct value *policy_rules_waived(const struct normalise *n)
{
    struct value *list = value_list(n->arena);

    add_waived(n, list, S(""), value_get(n->document, S("waive")));
    NORMALISE_ENTRIES(n->services, service)
    add_waived(n, list, str_fmt(n->arena, "services.%.*s", STR_ARG(service->key)),
               value_get(service->value, S("waive")));
    NORMALISE_ENTRIES(n->jobs, job)
    add_waived(n, list, str_fmt(n->arena, "jobs.%.*s", STR_ARG(job->key)),
               value_get(job->value, S("waive")));
    return list;
}

/* --- the table ----------------------------------------------------------------------------------- */

const struct policy_rule *policy_rules(size_t *ret_n)
{
    *ret_n = N_ELEMENTS(policy_rules_rows);
    return policy_rules_rows;
}

const struct policy_rule *policy_rules_find(struct str id)
{
    for (size_t i = 0; i < N_ELEMENTS(policy_rules_rows); i++)
        if (str_eq_c(id, policy_rules_rows[i].id))
            return &policy_rules_rows[i];
    return NULL;
}

void policy_rules_check(struct normalise *n)
{
    const struct value *waivers = value_get(n->document, S("waive"));

    check_waivers(n, waivers);
    NORMALISE_ENTRIES(n->services, service)
    check_waivers(n, value_get(service->value, S("waive")));
    NORMALISE_ENTRIES(n->jobs, job)
    check_waivers(n, value_get(job->value, S("waive")));
    collect_variables(n, n->services);
    collect_variables(n, n->jobs);
    for (size_t i = 0; i < N_ELEMENTS(policy_rules_rows); i++) {
        const struct policy_rule *rule = &policy_rules_rows[i];

        if (rule->check && !policy_rules_is_waived(rule, waivers))
            rule->check(n, rule);
    }
}
