/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/edge_rules.h"

#include "base/network.h"
#include "reconciler/core/render.h"

/* --- one route's --- */

static int asks_somebody(const struct value *access)
{
    return access && !str_eq_c(value_get_text(access, S("type"), S("none")), "none");
}

static void take(struct arena *a, struct value *to, const struct value *from, struct str name)
{
    const struct value *v = value_get(from, name);

    if (v)
        value_set(a, to, name, value_copy_content(a, v));
}

static const struct value *some(const struct value *rules)
{
    return value_count(rules) ? rules : NULL;
}

const struct value *edge_rules_of_route(struct arena *a, const struct value *domain,
                                        const struct value *route)
{
    const struct value *from = value_get(route, S("access")) ? route : domain;
    struct value *rules = value_map(a);

    if (value_get(route, S("rules"))) /* what is served, and no document says so any more */
        return some(value_get(route, S("rules")));
    take(a, rules, route, S("deny"));
    if (asks_somebody(value_get(from, S("access"))))
        take(a, rules, from, S("access"));
    take(a, rules, route, S("rate_limit"));
    take(a, rules, domain, S("headers"));
    take(a, rules, domain, S("noindex"));
    return some(rules);
}

const struct value *edge_rules_of_redirect(struct arena *a, const struct value *domain)
{
    const struct value *first = value_item(value_get(domain, S("hosts")), 0);
    struct value *rules = value_map(a);

    if (first)
        value_set_text(a, rules, S("redirect"), first->u.text);
    take(a, rules, domain, S("noindex"));
    return some(rules);
}

struct str edge_rules_redirect_service(const struct value *domain)
{
    const struct value *routes = value_get(domain, S("routes"));
    const struct value *root = value_get(routes, S("/"));
    struct str first = STR_NONE;

    for (size_t i = 0; !root && i < value_count(routes); i++) {
        struct str service = value_get_text(routes->u.map.entries[i].value, S("service"), S(""));

        if (!first.p || str_cmp(service, first) < 0)
            first = service;
    }
    return root ? value_get_text(root, S("service"), S("")) : first;
}

/* --- before and after --- */

static int is_below(struct str path, struct str other)
{
    return str_eq_c(other, "/") || str_eq(path, other) ||
           (str_starts(path, other) && path.p[other.n] == '/');
}

/* Who is asked for a path of a host; NULL: nobody. */
static const struct plan_route *serving(const struct plan_routes *list, struct str host,
                                        struct str path)
{
    const struct plan_route *best = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const struct plan_route *r = &list->p[i];

        if (!r->address.n && str_eq(r->host, host) && is_below(path, r->path) &&
            (!best || r->path.n > best->path.n))
            best = r;
    }
    return best;
}

static int is_open(const struct value *rules)
{
    return !value_get_bool(rules, S("deny"), 0) && !value_get(rules, S("redirect"));
}

static int is_among_users(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(after); i++)
        if (!value_get(before, after->u.map.entries[i].key))
            return 0;
    return 1;
}

static int is_within(struct str inner, struct str outer)
{
    struct network in, out;

    if (network_parse(inner, &in) || network_parse(outer, &out) || in.n_bytes != out.n_bytes ||
        in.n_bits < out.n_bits)
        return 0;
    for (unsigned bit = 0; bit < out.n_bits; bit++)
        if ((in.b[bit / 8] ^ out.b[bit / 8]) & (0x80u >> (bit % 8)))
            return 0;
    return 1;
}

static int is_among_networks(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(after); i++) {
        size_t k = 0;

        while (k < value_count(before) &&
               !is_within(value_item(after, i)->u.text, value_item(before, k)->u.text))
            k++;
        if (k == value_count(before))
            return 0;
    }
    return 1;
}

/* Another kind of access lets in others: nobody can tell who. */
static int is_access_wider(const struct value *before, const struct value *after)
{
    if (!before)
        return 0;
    if (!after ||
        !str_eq(value_get_text(before, S("type"), S("")), value_get_text(after, S("type"), S(""))))
        return 1;
    return !is_among_users(value_get(before, S("users")), value_get(after, S("users"))) ||
           !is_among_networks(value_get(before, S("allow")), value_get(after, S("allow")));
}

/* As a share: a longer time with as many more requests is the same. */
static int is_limit_higher(const struct value *before, const struct value *after)
{
    if (!before)
        return 0;
    return !after ||
           value_get_int(after, S("requests"), 0) * value_get_int(before, S("per_ms"), 1) >
               value_get_int(before, S("requests"), 0) * value_get_int(after, S("per_ms"), 1);
}

static int is_guarded(const struct plan_route *r)
{
    return value_get_bool(r->rules, S("deny"), 0) || value_get(r->rules, S("access"));
}

/* A service that nobody reached without being asked gets a way around that. */
static int is_exposed(const struct plan_routes *before, const struct plan_route *r)
{
    size_t n_guarded = 0;

    if (is_guarded(r) || !is_open(r->rules))
        return 0;
    for (size_t i = 0; i < before->n; i++) {
        const struct plan_route *was = &before->p[i];

        if (was->address.n || !str_eq(was->service, r->service) ||
            value_get(was->rules, S("redirect")))
            continue;
        if (!is_guarded(was))
            return 0;
        n_guarded++;
    }
    return n_guarded > 0;
}

static int is_of_domain(const struct plan_route *r, struct str domain)
{
    return !r->address.n && str_starts(r->route, domain) && r->route.n > domain.n &&
           r->route.p[domain.n] == ':';
}

/* --- in words --- */

static void add_keys(struct sb *b, const struct value *map)
{
    for (size_t i = 0; i < value_count(map); i++)
        sb_addf(b, "%s%.*s", i ? " " : " of ", STR_ARG(map->u.map.entries[i].key));
}

/* Who comes in; a password is not said. */
static void add_access(struct sb *b, const struct value *rules)
{
    const struct value *access = value_get(rules, S("access")),
                       *allow = value_get(access, S("allow"));

    if (value_get_bool(rules, S("deny"), 0))
        sb_add_c(b, "nobody");
    else
        sb_add(b, value_get_text(access, S("type"), S("everybody")));
    add_keys(b, value_get(access, S("users")));
    for (size_t i = 0; i < value_count(allow); i++)
        sb_addf(b, "%s%.*s", i ? " " : " of ", STR_ARG(value_item(allow, i)->u.text));
}

static void add_limit(struct sb *b, const struct value *limit)
{
    if (limit)
        sb_addf(b, "%lld in %.*s", (long long)value_get_int(limit, S("requests"), 0),
                STR_ARG(render_spec_length(b->arena, value_get_int(limit, S("per_ms"), 0))));
    else
        sb_add_c(b, "none");
}

static void begin(struct sb *b, struct str host, struct str path, const char *what)
{
    sb_addf(b, "%s%.*s%.*s%s", b->n ? ", " : "", STR_ARG(host), STR_ARG(path), what);
}

/* What a path of a host asked, and asks no more. 1: something. */
static int add_weaker(struct sb *b, const struct plan_route *before, const struct plan_route *after,
                      struct str path)
{
    const struct value *was = before ? before->rules : NULL, *is = after ? after->rules : NULL;
    size_t n = b->n;

    if (!was || !after || !is_open(is) || value_eq(was, is))
        return 0;
    if (value_get_bool(was, S("deny"), 0) ||
        is_access_wider(value_get(was, S("access")), value_get(is, S("access")))) {
        begin(b, after->host, path, " access from ");
        add_access(b, was);
        sb_add_c(b, " to ");
        add_access(b, is);
    }
    if (is_limit_higher(value_get(was, S("rate_limit")), value_get(is, S("rate_limit")))) {
        begin(b, after->host, path, " rate_limit from ");
        add_limit(b, value_get(was, S("rate_limit")));
        sb_add_c(b, " to ");
        add_limit(b, value_get(is, S("rate_limit")));
    }
    return b->n > n;
}

static void add_exposed(struct sb *b, const struct plan_route *r)
{
    begin(b, r->host, r->path, "");
    sb_addf(b, " leads to service/%.*s and asks nobody", STR_ARG(r->service));
}

struct str edge_rules_weaker(struct arena *a, const struct plan_routes *before,
                             const struct plan_routes *after, struct str domain)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < after->n; i++) {
        const struct plan_route *r = &after->p[i];

        if (!is_of_domain(r, domain))
            continue;
        if (!add_weaker(&b, serving(before, r->host, r->path), r, r->path) && is_exposed(before, r))
            add_exposed(&b, r);
    }
    for (size_t i = 0; i < before->n; i++) {
        const struct plan_route *r = &before->p[i], *now = serving(after, r->host, r->path);

        if (now && is_of_domain(now, domain) && !str_eq(now->path, r->path))
            (void)add_weaker(&b, r, now, r->path); /* or it is as it was */
    }
    return b.n ? sb_str(&b) : STR_NONE;
}
