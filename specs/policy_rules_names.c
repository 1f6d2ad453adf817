/* What refers to nothing, stands twice or contradicts the daemon's rule. SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules_check.h"

static void check_dependency(struct normalise *n, const struct policy_rule *rule,
                             const struct value_entry *service, const struct value_entry *on)
{
    int ends = str_eq_c(value_get_text(on->value, S("condition"), S("")),
                        "service_completed_successfully");

    if (value_get(ends ? n->jobs : n->services, on->key) &&
        (ends || !str_eq(on->key, service->key)))
        return;
    if (!ends && str_eq(on->key, service->key))
        complain(n, rule, NULL, on->key_place, "service '%.*s' depends on itself",
                 STR_ARG(on->key));
    else if (ends && value_get(n->services, on->key))
        complain(n, rule, NULL, on->key_place,
                 "service '%.*s' waits for the end of service '%.*s', which has none: name a job",
                 STR_ARG(service->key), STR_ARG(on->key));
    else if (!ends && value_get(n->jobs, on->key))
        complain(n, rule, NULL, on->key_place,
                 "service '%.*s' depends on job '%.*s': a job is waited for to its end, with "
                 "condition: service_completed_successfully",
                 STR_ARG(service->key), STR_ARG(on->key));
    else
        complain(n, rule, NULL, on->key_place,
                 "service '%.*s' depends on '%.*s', which is not here", STR_ARG(service->key),
                 STR_ARG(on->key));
}

void policy_rules_dependencies(struct normalise *n, const struct policy_rule *rule)
{
    NORMALISE_ENTRIES(n->services, service)
    NORMALISE_ENTRIES(value_get(service->value, S("depends_on")), on)
    {
        check_dependency(n, rule, service, on);
    }
}

void policy_rules_routes(struct normalise *n, const struct policy_rule *rule)
{
    NORMALISE_ENTRIES(n->domains, domain)
    NORMALISE_ENTRIES(value_get(domain->value, S("routes")), route)
    {
        const struct value *name = value_get(route->value, S("service"));
        const struct value *service = name ? value_get(n->services, name->u.text) : NULL;

        if (name && !service)
            complain(n, rule, NULL, name->place,
                     "route %.*s goes to service '%.*s', which is not here", STR_ARG(route->key),
                     STR_ARG(name->u.text));
        else if (service && !value_get(service, S("port")) && !value_get(service, S("static")))
            complain(n, rule, NULL, name->place,
                     "route %.*s goes to service '%.*s', which has no port", STR_ARG(route->key),
                     STR_ARG(name->u.text));
    }
}

static void check_hosts_of(struct normalise *n, const struct policy_rule *rule,
                           const struct value *hosts, struct value *seen)
{
    for (size_t i = 0; i < value_count(hosts); i++) {
        const struct value *host = value_item(hosts, i);
        const struct value_entry *first = value_entry(seen, host->u.text);

        if (first)
            complain(n, rule, NULL, host->place, "host '%.*s' is also at %.*s:%u:%u",
                     STR_ARG(host->u.text), STR_ARG(value_file(first->key_place)),
                     first->key_place.line, first->key_place.column);
        else
            value_set_placed(n->arena, seen, host->u.text, host->place, value_null(n->arena));
    }
}

void policy_rules_hosts(struct normalise *n, const struct policy_rule *rule)
{
    struct value *seen = value_map(n->arena);

    NORMALISE_ENTRIES(n->domains, domain)
    {
        check_hosts_of(n, rule, value_get(domain->value, S("hosts")), seen);
        check_hosts_of(n, rule, value_get(domain->value, S("redirect_from")), seen);
    }
}

/* Code without isolation runs as the daemon's user: it could approve its own plan. */
void policy_rules_isolation(struct normalise *n, const struct policy_rule *rule)
{
    const struct value *policy = value_at(n->document, S("approval.policy"));

    if (!n->in->rule || !policy || !str_eq_c(policy->u.text, "manual"))
        return;
    if (str_eq_c(value_get_text(n->in->rule, S("isolation"), STR_NONE), "none") &&
        !str_eq_c(value_get_text(n->in->rule, S("same_user"), STR_NONE), "allow"))
        complain(n, rule, NULL, policy->place,
                 "approval is manual, but the rule's isolation is none");
}
