/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules.h"

#include "base/guard.h"
#include "specs/rule.h"

#define complain(n, rule, where, ...)                                                              \
    spec_message_add((n)->m, (rule)->severity, (where), str_from_c((rule)->id),                    \
                     str_from_c((rule)->mend), __VA_ARGS__)

#define FOR_ENTRIES(of, e)                                                                         \
    for (const struct value_entry *e = entries_begin(of), *e##_end = entries_end(of);              \
         e != e##_end; e++)

static const struct value_entry *entries_begin(const struct value *v)
{
    return value_count(v) ? v->u.map.entries : NULL;
}

static const struct value_entry *entries_end(const struct value *v)
{
    return value_count(v) ? v->u.map.entries + v->u.map.n : NULL;
}

/* Every map of variables and every argument vector of a service. */
static const char *const policy_variables[] = { "environment", "source.environment",
                                                "release.environment" };
static const char *const policy_argvs[] = { "command", "source.build", "release.command",
                                            "healthcheck.readiness.command",
                                            "healthcheck.liveness.command" };

static int has_part(struct str text, struct str part) /* letters alike in both cases */
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

/* Names that say "secret", less those that say it is public. */
static int names_a_secret(struct str name)
{
    static const struct str ends[] = { S_INIT("_KEY"), S_INIT("_SECRET"), S_INIT("_TOKEN"),
                                       S_INIT("PASSWORD") };

    if (has_part(name, S("PUBLIC")) || has_part(name, S("PUBLISHABLE")))
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        if (str_ends(name, ends[i]))
            return 1;
    return str_eq_c(name, "SECRET") || str_eq_c(name, "TOKEN");
}

static int is_placeholder(struct str text)
{
    return has_part(text, S("change_me")) || has_part(text, S("changeme")) ||
           has_part(text, S("your-super-secret"));
}

static void check_variables(struct normalise *n, const struct policy_rule *rule,
                            void (*check)(struct normalise *n, const struct policy_rule *rule,
                                          const struct value_entry *variable))
{
    FOR_ENTRIES(n->services, service)
    for (size_t i = 0; i < N_ELEMENTS(policy_variables); i++)
        FOR_ENTRIES(value_at(service->value, str_from_c(policy_variables[i])), variable)
    if (value_is(variable->value, VALUE_TEXT))
        check(n, rule, variable);
}

static void literal_secret(struct normalise *n, const struct policy_rule *rule,
                           const struct value_entry *variable)
{
    if (names_a_secret(variable->key) && variable->value->u.text.n &&
        !is_placeholder(variable->value->u.text))
        complain(n, rule, variable->value->place, "the value of %.*s is written out",
                 STR_ARG(variable->key));
}

static void placeholder(struct normalise *n, const struct policy_rule *rule,
                        const struct value_entry *variable)
{
    if (is_placeholder(variable->value->u.text))
        complain(n, rule, variable->value->place, "the value of %.*s is a placeholder",
                 STR_ARG(variable->key));
}

static void check_literal_secrets(struct normalise *n, const struct policy_rule *rule)
{
    check_variables(n, rule, literal_secret);
}

static void check_placeholders(struct normalise *n, const struct policy_rule *rule)
{
    check_variables(n, rule, placeholder);
}

static void check_health(struct normalise *n, const struct policy_rule *rule)
{
    if (!str_eq_c(n->environment, "production"))
        return;
    FOR_ENTRIES(n->services, service)
    if (!value_at(service->value, S("healthcheck.readiness")))
        complain(n, rule, service->key_place, "service '%.*s' has no readiness check in production",
                 STR_ARG(service->key));
}

static void check_argvs(struct normalise *n, const struct policy_rule *rule)
{
    static const struct str operators[] = { S_INIT("&&"), S_INIT("||"), S_INIT(";"), S_INIT("|"),
                                            S_INIT(">"),  S_INIT(">>"), S_INIT("<"), S_INIT("&") };

    FOR_ENTRIES(n->services, service)
    for (size_t i = 0; i < N_ELEMENTS(policy_argvs); i++) {
        const struct value *argv = value_at(service->value, str_from_c(policy_argvs[i]));

        for (size_t j = 0; j < value_count(argv); j++) {
            const struct value *item = value_item(argv, j);

            for (size_t k = 0; k < N_ELEMENTS(operators); k++)
                if (str_eq(item->u.text, operators[k]))
                    complain(n, rule, item->place, "'%.*s' is an argument here, no shell reads it",
                             STR_ARG(item->u.text));
        }
    }
}

static void check_dependencies(struct normalise *n, const struct policy_rule *rule)
{
    FOR_ENTRIES(n->services, service)
    FOR_ENTRIES(value_get(service->value, S("depends_on")), on)
    if (str_eq(on->key, service->key))
        complain(n, rule, on->key_place, "service '%.*s' depends on itself", STR_ARG(on->key));
    else if (!value_get(n->services, on->key))
        complain(n, rule, on->key_place, "service '%.*s' depends on '%.*s', which is not here",
                 STR_ARG(service->key), STR_ARG(on->key));
}

static void check_routes(struct normalise *n, const struct policy_rule *rule)
{
    FOR_ENTRIES(n->domains, domain)
    FOR_ENTRIES(value_get(domain->value, S("routes")), route)
    {
        const struct value *name = value_get(route->value, S("service"));
        const struct value *service = name ? value_get(n->services, name->u.text) : NULL;

        if (name && !service)
            complain(n, rule, name->place, "route %.*s goes to service '%.*s', which is not here",
                     STR_ARG(route->key), STR_ARG(name->u.text));
        else if (service && !value_get(service, S("port")))
            complain(n, rule, name->place, "route %.*s goes to service '%.*s', which has no port",
                     STR_ARG(route->key), STR_ARG(name->u.text));
    }
}

static void check_hosts_of(struct normalise *n, const struct policy_rule *rule,
                           const struct value *hosts, struct value *seen)
{
    for (size_t i = 0; i < value_count(hosts); i++) {
        const struct value *host = value_item(hosts, i);
        const struct value_entry *first = value_entry(seen, host->u.text);

        if (first)
            complain(n, rule, host->place, "host '%.*s' is also at %.*s:%u:%u",
                     STR_ARG(host->u.text), STR_ARG(first->key_place.file), first->key_place.line,
                     first->key_place.column);
        else
            value_set_placed(n->arena, seen, host->u.text, host->place, value_null(n->arena));
    }
}

static void check_hosts(struct normalise *n, const struct policy_rule *rule)
{
    struct value *seen = value_map(n->arena);

    FOR_ENTRIES(n->domains, domain)
    {
        check_hosts_of(n, rule, value_get(domain->value, S("hosts")), seen);
        check_hosts_of(n, rule, value_get(domain->value, S("redirect_from")), seen);
    }
}

/* Code without isolation runs as the daemon's user: it could approve its own plan. */
static void check_isolation(struct normalise *n, const struct policy_rule *rule)
{
    const struct value *policy = value_at(n->document, S("approval.policy"));

    if (!n->in->rule || !policy || !str_eq_c(policy->u.text, "manual"))
        return;
    if (str_eq_c(value_get_text(n->in->rule, S("isolation"), STR_NONE), "none") &&
        !str_eq_c(value_get_text(n->in->rule, S("same_user"), STR_NONE), "allow"))
        complain(n, rule, policy->place, "approval is manual, but the rule's isolation is none");
}

/* clang-format off */
static const struct policy_rule policy_rule_rows[] = {
    { "secret-literal", SPEC_ERROR, "A variable named like a secret holds its value.",
      "put it into a store and refer to it: {secret: NAME}", check_literal_secrets, 1 },
    { "secret-placeholder", SPEC_ERROR, "A value was never filled in.",
      "put the real value into a store and refer to it: {secret: NAME}", check_placeholders, 1 },
    { "health-missing", SPEC_WARNING, "A service in production has no readiness check, so that a new version that does not work is not noticed.",
      "add healthcheck.readiness", check_health, 1 },
    { "argv-shell", SPEC_ERROR, "A command holds a shell's operator as an argument.",
      "use [sh, -c, \"...\"], or one command", check_argvs, 1 },
    { "depends-missing", SPEC_ERROR, "A service depends on one that is not in this environment.",
      "remove it, or enable that service", check_dependencies, 0 },
    { "route-missing", SPEC_ERROR, "A route goes to a service that is not in this environment or does not listen.",
      "name a service that has a port", check_routes, 0 },
    { "host-twice", SPEC_ERROR, "A host stands in two domains, or twice in one.",
      "put its routes into one domain", check_hosts, 0 },
    { "isolation-none", SPEC_ERROR, "Approval is manual, but code of the repository runs as the daemon's user and could approve.",
      "choose another isolation, or set auth.same_user: allow", check_isolation, 0 },
};
/* clang-format on */

const struct policy_rule *policy_rules(size_t *ret_n)
{
    *ret_n = N_ELEMENTS(policy_rule_rows);
    return policy_rule_rows;
}

static const struct policy_rule *find_rule(struct str id)
{
    for (size_t i = 0; i < N_ELEMENTS(policy_rule_rows); i++)
        if (str_eq_c(id, policy_rule_rows[i].id))
            return &policy_rule_rows[i];
    return NULL;
}

static void check_waivers(struct normalise *n, const struct value *waivers)
{
    for (size_t i = 0; i < value_count(waivers); i++) {
        const struct value *id = value_get(value_item(waivers, i), S("rule"));
        const struct policy_rule *rule = id ? find_rule(id->u.text) : NULL;

        if (rule && rule->may_be_waived)
            rule_check_waiver(n, id);
        else if (id)
            normalise_complain(n, id->place, "waiver", STR_NONE, "rule '%.*s' %s",
                               STR_ARG(id->u.text), rule ? "cannot be waived" : "is unknown");
    }
}

static int is_waived(const struct value *waivers, const struct policy_rule *rule)
{
    for (size_t i = 0; rule->may_be_waived && i < value_count(waivers); i++)
        if (str_eq_c(value_get_text(value_item(waivers, i), S("rule"), S("")), rule->id))
            return 1;
    return 0;
}

void policy_rules_check(struct normalise *n)
{
    const struct value *waivers = value_get(n->document, S("waive"));

    check_waivers(n, waivers);
    for (size_t i = 0; i < N_ELEMENTS(policy_rule_rows); i++)
        if (!is_waived(waivers, &policy_rule_rows[i]))
            policy_rule_rows[i].check(n, &policy_rule_rows[i]);
}
