/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/normalise.h"
#include "specs/refs.h"
#include "specs/rule.h"

#define DOMAIN_HEADERS_MAX 1400

static struct str service_of(const struct value *route)
{
    return value_get_text(route, S("service"), STR_NONE);
}

/* Is `path` the other one, or below it? */
static int is_below(struct str path, struct str other)
{
    return str_eq_c(other, "/") || str_eq(path, other) ||
           (str_starts(path, other) && path.p[other.n] == '/');
}

/* Who serves around a path that nobody may ask for: the two are switched together. */
static struct str service_around(const struct value *routes, struct str path)
{
    struct str best = STR_NONE, found = STR_NONE, first = STR_NONE;

    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value_entry *e = &routes->u.map.entries[i];
        struct str service = service_of(e->value);

        if (service.p && is_below(path, e->key) && (!best.p || e->key.n > best.n)) {
            best = e->key;
            found = service;
        }
        if (service.p && (!first.p || str_cmp(service, first) < 0))
            first = service;
    }
    return found.p ? found : first;
}

/* Its users' passwords become versions of secrets. */
static struct value *access_of(struct normalise *n, const struct value *access,
                               struct spec_resource *of)
{
    struct value *copy = value_copy_content(n->arena, access);
    const struct value *users = value_get(access, S("users"));

    if (users)
        value_set(n->arena, copy, S("users"), refs_variables(n, users, REFS_RUN, of));
    return copy;
}

static void set_access(struct normalise *n, struct value *to, const struct value *from,
                       struct spec_resource *of)
{
    const struct value *access = value_get(from, S("access"));

    if (access)
        value_set(n->arena, to, S("access"), access_of(n, access, of));
}

/* The edge keeps the headers of a route as one entry. */
static void check_headers(struct normalise *n, const struct value *headers)
{
    const struct value *set = value_get(headers, S("set")),
                       *remove = value_get(headers, S("remove"));
    size_t n_bytes = 0;

    for (size_t i = 0; i < value_count(set); i++)
        if (value_is(set->u.map.entries[i].value, VALUE_TEXT))
            n_bytes += set->u.map.entries[i].key.n + set->u.map.entries[i].value->u.text.n;
    for (size_t i = 0; i < value_count(remove); i++)
        if (value_is(value_item(remove, i), VALUE_TEXT))
            n_bytes += value_item(remove, i)->u.text.n;
    if (n_bytes > DOMAIN_HEADERS_MAX)
        normalise_complain(n, headers->place, "range", STR_NONE,
                           "headers are %zu bytes, at most %d are possible", n_bytes,
                           DOMAIN_HEADERS_MAX);
}

static void set_route(struct normalise *n, struct value *to, const struct value *routes,
                      const struct value_entry *e, struct spec_resource *of)
{
    struct value *route = value_map(n->arena);
    int is_denied = value_get_bool(e->value, S("deny"), 0);
    struct str service = service_of(e->value);

    if (!service.p && is_denied)
        service = service_around(routes, e->key);
    if (!service.p)
        normalise_complain(n, e->key_place, "required", STR_NONE,
                           "route %.*s: 'service' is missing", STR_ARG(e->key));
    else
        refs_need(n, of, "service", service);
    value_set_text(n->arena, route, S("service"), service.p ? service : S(""));
    set_access(n, route, e->value, of);
    normalise_take(n, route, e->value, S("rate_limit"));
    if (is_denied)
        normalise_take(n, route, e->value, S("deny"));
    value_set_placed(n->arena, to, e->key, e->key_place, route);
}

/* A wildcard is one level above each host. */
static void set_tls(struct normalise *n, struct value *desired, const struct value *in)
{
    const struct value *tls = value_get(in, S("tls")), *hosts = value_get(in, S("hosts"));
    const struct value *wildcard = value_get(tls, S("wildcard"));
    struct str challenge = value_get_text(tls, S("challenge"), S(""));

    if (!tls)
        return;
    if (wildcard && !str_eq_c(challenge, "dns-01"))
        normalise_complain(n, wildcard->place, "conflict", S("use challenge: dns-01"),
                           "tls: a wildcard is not issued by %.*s", STR_ARG(challenge));
    for (size_t i = 0; wildcard && i < value_count(hosts); i++)
        if (!rule_host_matches(wildcard->u.text, value_item(hosts, i)->u.text))
            normalise_complain(n, value_item(hosts, i)->place, "reference", STR_NONE,
                               "tls: wildcard '%.*s' (%.*s:%u:%u) does not stand for host '%.*s'",
                               STR_ARG(wildcard->u.text), STR_ARG(value_file(wildcard->place)),
                               wildcard->place.line, wildcard->place.column,
                               STR_ARG(value_item(hosts, i)->u.text));
    normalise_take(n, desired, in, S("tls"));
}

void normalise_domain(struct normalise *n, const struct value_entry *domain,
                      struct spec_resource *ret)
{
    const struct value *hosts = value_get(domain->value, S("hosts"));
    const struct value *moved = value_get(domain->value, S("redirect_from"));
    const struct value *routes = value_get(domain->value, S("routes"));
    struct value *desired = value_map(n->arena), *list = value_map(n->arena);

    for (size_t i = 0; i < value_count(hosts); i++)
        rule_check_host(n, value_item(hosts, i));
    for (size_t i = 0; i < value_count(moved); i++)
        rule_check_host(n, value_item(moved, i));
    check_headers(n, value_get(domain->value, S("headers")));
    for (size_t i = 0; i < value_count(routes); i++)
        set_route(n, list, routes, &routes->u.map.entries[i], ret);
    normalise_take(n, desired, domain->value, S("hosts"));
    value_set(n->arena, desired, S("routes"), list);
    set_access(n, desired, domain->value, ret);
    normalise_take(n, desired, domain->value, S("headers"));
    normalise_take(n, desired, domain->value, S("redirect_from"));
    set_tls(n, desired, domain->value);
    if (value_get_bool(domain->value, S("noindex"), 0))
        normalise_take(n, desired, domain->value, S("noindex"));
    ret->provider = rule_provider(n, "domains", NULL, ret->place);
    ret->desired = desired;
}
