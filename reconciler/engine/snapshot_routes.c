/* What the edge serves now, as the domains it was made of. SPDX-License-Identifier: Apache-2.0
 *
 * A plan that ended half way moved some routes and not others: what was recorded last is not what is served,
 * and a way back made of it would take away what serves. The rows of the generation in use know. */
#include "providers/kit.h"
#include "reconciler/core/edge_rules.h"
#include "reconciler/engine/snapshot_load.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "state/sets.h"

struct served { /* one route */
    struct str domain, path, host, service;
    const struct value *rules; /* as documents have them; NULL: nothing is asked */
};

struct served_list {
    struct served *p;
    size_t n;
};

static int64_t generation_in_use(struct arena *a, const struct snapshot_load *in,
                                 const struct snapshot *s, struct err *err)
{
    struct rec_resource row;
    struct value *outputs;
    int rc = resources_now(in->engine->db, a, in->env_uid, S("switch"), s->env.name, &row, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (json_parse(a, row.outputs, KIT_BODY_MAX, &outputs, err))
        return err->code;
    return value_get_int(outputs, S("generation"), 0);
}

static struct str service_behind(const struct snapshot *s, struct str backend)
{
    for (size_t i = 0; i < s->n_sets; i++)
        if (s->sets[i].backend.p && str_eq(s->sets[i].backend, backend))
            return s->sets[i].service;
    return S("");
}

static int is_served(const struct snapshot *s, struct str service)
{
    for (size_t i = 0; i < s->n_sets; i++)
        if (str_eq_c(s->sets[i].state, "live") && s->sets[i].backend.p &&
            str_eq(s->sets[i].service, service))
            return 1;
    return 0;
}

/* The edge was told {secret: NAME@VERSION}, a document says {secret, version}. */
static void unfill_users(struct arena *a, const struct value *rules)
{
    const struct value *users = value_at(rules, S("access.users"));

    for (size_t i = 0; i < value_count(users); i++) {
        struct value *user = users->u.map.entries[i].value;
        struct str version = value_get_text(user, S("secret"), S("")), name;

        if (!str_next(&version, '@', &name))
            continue;
        value_set_text(a, user, S("secret"), name);
        value_set_text(a, user, S("version"), version.p ? version : S(""));
    }
}

/* "NAME:PATH@HOST"; those of addresses have no host. */
static int add_served(struct arena *a, const struct snapshot *s, const struct rec_route *row,
                      struct served_list *ret, struct err *err)
{
    size_t colon = str_find_char(row->route, ':'), at = str_find_char(row->route, '@');
    struct value *rules = NULL;

    if (colon == STR_NPOS || at == STR_NPOS || at + 1 == row->route.n)
        return 0;
    if (row->rules.p && json_parse(a, row->rules, KIT_BODY_MAX, &rules, err))
        return err->code;
    unfill_users(a, rules);
    ret->p[ret->n++] = (struct served){ str_slice(row->route, 0, colon),
                                        str_slice(row->route, colon + 1, at - colon - 1),
                                        str_slice(row->route, at + 1, row->route.n),
                                        service_behind(s, row->backend), rules };
    return 0;
}

static int load_served(struct arena *a, const struct snapshot_load *in, const struct snapshot *s,
                       struct served_list *ret, int *ret_is_shared, struct err *err)
{
    int64_t generation = generation_in_use(a, in, s, err);
    struct rec_route *rows;
    size_t n;

    if (generation < 0)
        return (int)generation;
    if (sets_routes(in->engine->db, a, in->env_uid, generation, &rows, &n, err))
        return err->code;
    *ret = (struct served_list){ arena_new_n(a, struct served, n + 1), 0 };
    *ret_is_shared = 0;
    for (size_t i = 0; ret->p && i < n; i++) {
        *ret_is_shared |= rows[i].canary.p != NULL;
        if (add_served(a, s, &rows[i], ret, err))
            return err->code;
    }
    return arena_status(a, err);
}

static const struct served *find_served(const struct served_list *l, struct str host,
                                        struct str path)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->p[i].host, host) && str_eq(l->p[i].path, path))
            return &l->p[i];
    return NULL;
}

/* 0: it is served otherwise, by another domain too; what is found is counted. */
static int is_served_so(const struct snapshot *s, const struct served *x, struct str domain,
                        struct str service, const struct value *rules, size_t *n_found)
{
    if (!x)
        return !is_served(s, service);
    *n_found += 1;
    return str_eq(x->domain, domain) && str_eq(x->service, service) && value_eq(x->rules, rules);
}

/* Every route of the document that can be served is, and nothing else. */
static int is_what_is_served(struct arena *a, const struct snapshot *s, const struct served_list *l,
                             struct str domain, const struct value *doc)
{
    const struct value *hosts = value_get(doc, S("hosts")), *routes = value_get(doc, S("routes"));
    const struct value *moved = value_get(doc, S("redirect_from"));
    size_t n_found = 0, n_served = 0;

    for (size_t h = 0; h < value_count(hosts); h++)
        for (size_t i = 0; i < value_count(routes); i++) {
            const struct value_entry *e = &routes->u.map.entries[i];

            if (!is_served_so(s, find_served(l, value_item(hosts, h)->u.text, e->key), domain,
                              value_get_text(e->value, S("service"), S("")),
                              edge_rules_of_route(a, doc, e->value), &n_found))
                return 0;
        }
    for (size_t h = 0; h < value_count(moved); h++)
        if (!is_served_so(s, find_served(l, value_item(moved, h)->u.text, S("/")), domain,
                          edge_rules_redirect_service(doc), edge_rules_of_redirect(a, doc),
                          &n_found))
            return 0;
    for (size_t i = 0; i < l->n; i++)
        n_served += str_eq(l->p[i].domain, domain) ? 1 : 0;
    return n_found == n_served;
}

/* A host once; one that others lead to comes first. */
static struct value *make_hosts(struct arena *a, const struct served_list *l, struct str domain)
{
    struct value *hosts = value_list(a);
    struct map seen;

    map_init(&seen, a);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < l->n; i++) {
            struct str to = value_get_text(l->p[i].rules, S("redirect"), STR_NONE);
            struct str host = pass ? l->p[i].host : to;

            if (!str_eq(l->p[i].domain, domain) || !host.p || (pass && to.p) ||
                map_has(&seen, host))
                continue;
            map_put(&seen, host, NULL);
            value_add(a, hosts, value_text(a, host));
        }
    return hosts;
}

static const struct value *make_document(struct arena *a, const struct served_list *l,
                                         struct str domain)
{
    struct value *doc = value_map(a), *moved = value_list(a), *routes = value_map(a);

    for (size_t i = 0; i < l->n; i++) {
        struct value *to = value_map(a);

        if (!str_eq(l->p[i].domain, domain))
            continue;
        if (value_get(l->p[i].rules, S("redirect"))) {
            value_add(a, moved, value_text(a, l->p[i].host));
            continue;
        }
        value_set_text(a, to, S("service"), l->p[i].service);
        if (l->p[i].rules)
            value_set(a, to, S("rules"), value_copy(a, l->p[i].rules));
        value_set(a, routes, l->p[i].path, to);
    }
    value_set(a, doc, S("hosts"), make_hosts(a, l, domain));
    value_set(a, doc, S("routes"), routes);
    if (value_count(moved))
        value_set(a, doc, S("redirect_from"), moved);
    return doc;
}

static const struct spec_resource *find_target(const struct snapshot *s, struct str domain)
{
    for (size_t i = 0; i < s->target->resources.n; i++)
        if (str_eq_c(s->target->resources.p[i].kind, "domain") &&
            str_eq(s->target->resources.p[i].name, domain))
            return &s->target->resources.p[i];
    return NULL;
}

/* As recorded where that is served, else as wanted, else what it is. */
static void correct(struct arena *a, const struct snapshot *s, const struct served_list *l,
                    struct recorded *r)
{
    const struct spec_resource *want = find_target(s, r->name);

    if (r->desired && is_what_is_served(a, s, l, r->name, r->desired))
        return;
    if (want && is_what_is_served(a, s, l, r->name, want->desired)) {
        r->desired = want->desired;
        r->digest = want->digest;
        return;
    }
    r->desired = make_document(a, l, r->name);
    r->digest = digest_value(a, S("desired"), r->desired);
}

static struct recorded *find_domain(struct snapshot *s, struct str domain)
{
    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq_c(s->recorded[i].kind, "domain") && str_eq(s->recorded[i].name, domain))
            return &s->recorded[i];
    return NULL;
}

/* No row tells of it: a plan that gave another one this name ended half way, or it was all forgotten. */
static struct recorded made_of(const struct snapshot *s, struct str domain)
{
    const struct spec_resource *want = find_target(s, domain);

    return (struct recorded){ .kind = S("domain"),
                              .name = domain,
                              .was = want ? want->moved_from : STR_NONE,
                              .provider = s->edge_provider };
}

int snapshot_routes_load(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                         struct err *err)
{
    struct served_list served;
    struct recorded *more;

    if (load_served(a, in, s, &served, &s->is_shared, err))
        return err->code;
    more = arena_new_n(a, struct recorded, s->n_recorded + served.n + 1);
    if (!more)
        return arena_status(a, err);
    for (size_t i = 0; i < s->n_recorded; i++)
        more[i] = s->recorded[i];
    s->recorded = more;
    for (size_t i = 0; i < served.n; i++)
        if (!find_domain(s, served.p[i].domain))
            s->recorded[s->n_recorded++] = made_of(s, served.p[i].domain);
    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq_c(s->recorded[i].kind, "domain"))
            correct(a, s, &served, &s->recorded[i]);
    return arena_status(a, err);
}
