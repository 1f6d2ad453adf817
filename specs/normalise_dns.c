/* Records that lead hosts to the edge. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/refs.h"
#include "specs/rule.h"

static void check_zone(struct normalise *n, const struct value *host, const struct value *zone)
{
    struct str h = host->u.text, z = zone->u.text;

    if (!str_eq(h, z) && !(str_ends(h, z) && h.n > z.n && h.p[h.n - z.n - 1] == '.'))
        normalise_complain(n, host->place, "reference", STR_NONE,
                           "host '%.*s' is not in the zone '%.*s' (%.*s:%u:%u)", STR_ARG(h),
                           STR_ARG(z), STR_ARG(value_file(zone->place)), zone->place.line,
                           zone->place.column);
}

static void add_hosts(struct normalise *n, struct value *all, const struct value_entry *domain,
                      const struct value *hosts)
{
    const struct value_entry *dns = value_entry(domain->value, S("dns"));

    for (size_t i = 0; i < value_count(hosts); i++) {
        const struct value *host = value_item(hosts, i);
        struct value *one = value_copy(n->arena, dns->value);

        if (value_get(dns->value, S("zone")))
            check_zone(n, host, value_get(dns->value, S("zone")));
        value_set_text(n->arena, one, S("domain"), domain->key);
        value_set_placed(n->arena, all, host->u.text, dns->key_place, one);
    }
}

const struct value *normalise_dns_hosts(struct normalise *n)
{
    struct value *all = value_map(n->arena);

    NORMALISE_ENTRIES(n->domains, domain)
    {
        if (!value_get(domain->value, S("dns")))
            continue;
        add_hosts(n, all, domain, value_get(domain->value, S("hosts")));
        add_hosts(n, all, domain, value_get(domain->value, S("redirect_from")));
    }
    return all;
}

void normalise_dns(struct normalise *n, const struct value_entry *host, struct spec_resource *ret)
{
    static const struct str taken[] = { S_INIT("zone"), S_INIT("ttl"), S_INIT("proxied"),
                                        S_INIT("domain") };
    struct value *desired = value_map(n->arena);

    ret->provider = rule_provider(n, "dns", value_get(host->value, S("provider")), ret->place);
    value_set_text(n->arena, desired, S("host"), host->key);
    normalise_take_all(n, desired, host->value, taken);
    refs_need(n, ret, "domain", value_get_text(host->value, S("domain"), S("")));
    ret->desired = desired;
}
