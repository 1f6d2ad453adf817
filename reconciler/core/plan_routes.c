/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/planner.h"
#include "reconciler/core/share.h"

static void add_route(struct planner *p, struct route_list *list, struct value *v,
                      struct str service, struct str address)
{
    struct arena *a = p->low.a;
    struct route *r = vec_push(a, list);

    value_set_text(a, v, S("service"), service);
    if (r)
        *r = (struct route){ v,
                             str_fmt(
                                 a, "%.*s %.*s %.*s", STR_ARG(value_get_text(v, S("host"), S(""))),
                                 STR_ARG(value_get_text(v, S("path"), S(""))), STR_ARG(address)),
                             service };
}

/* A spec keeps its paths as they were written, a record in their order. */
static void add_domain(struct planner *p, struct route_list *list, struct str name,
                       const struct value *domain)
{
    struct arena *a = p->low.a;
    const struct value *hosts = value_get(domain, S("hosts")),
                       *routes = value_get(domain, S("routes"));
    struct map paths;

    map_init(&paths, a);
    for (size_t i = 0; i < value_count(routes); i++)
        map_put(&paths, routes->u.map.entries[i].key, routes->u.map.entries[i].value);
    map_sort(&paths);
    for (size_t h = 0; h < value_count(hosts); h++)
        for (size_t i = 0; i < paths.n; i++) {
            struct str path = paths.entries[i].key;
            struct value *v = value_map(a);

            value_set_text(a, v, S("route"), str_fmt(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(path)));
            value_set_text(a, v, S("host"), value_item(hosts, h)->u.text);
            value_set_text(a, v, S("path"), path);
            add_route(p, list, v, value_get_text(paths.entries[i].value, S("service"), S("")),
                      S(""));
        }
}

static void add_internal(struct planner *p, struct route_list *list, struct str service)
{
    struct arena *a = p->low.a;
    struct value *v = value_map(a);

    value_set_text(a, v, S("route"), str_fmt(a, "internal:%.*s", STR_ARG(service)));
    value_set_text(a, v, S("host"), S(""));
    value_set_text(a, v, S("path"), S("/"));
    value_set_text(a, v, S("address"), service);
    add_route(p, list, v, service, service);
}

void plan_routes_addresses(const struct value *v, struct map *ret)
{
    static const struct str prefix = S_INIT("address/");
    struct str output = value_get_text(v, S("output"), STR_NONE);

    if (output.p && str_starts(output, prefix))
        map_put(ret, str_slice(output, prefix.n, output.n), NULL);
    for (size_t i = 0; i < value_count(v); i++)
        plan_routes_addresses(v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                              ret);
}

int plan_routes_keeps_domain(const struct planner *p, const struct recorded *r)
{
    return !p->prunes && str_eq_c(r->kind, "domain") &&
           !estate_find_wanted(&p->estate, r->kind, r->name);
}

/* An address stays as long as its service, whoever refers to it. */
static int keeps_address(struct planner *p, const struct recorded *r)
{
    const struct subject *x = str_eq_c(r->kind, "address") ? planner_find_subject(p, r->name)
                                                           : NULL;

    return x && x->fate != FATE_REMOVE;
}

static void collect_wanted(struct planner *p, struct map *addresses)
{
    const struct estate *e = &p->estate;

    for (size_t i = 0; i < e->n_wanted; i++) {
        const struct spec_resource *r = e->wanted[i];

        if (str_eq_c(r->kind, "domain"))
            add_domain(p, &p->low.routes, r->name, r->desired);
        else
            plan_routes_addresses(r->desired, addresses);
    }
    for (size_t i = 0; i < e->n_recorded; i++)
        if (plan_routes_keeps_domain(p, e->recorded[i]))
            add_domain(p, &p->low.routes, e->recorded[i]->name, e->recorded[i]->desired);
}

static int refuse_addresses(const struct planner *p, const struct map *addresses, struct err *err)
{
    struct str name = addresses->entries[0].key;

    return err_set(
        err, ERR_REFUSED,
        "environment '%.*s': the address of service '%.*s' is asked for, but no provider "
        "of domains is allowed",
        STR_ARG(p->s->env.name), STR_ARG(name));
}

int plan_routes_collect(struct planner *p, struct err *err)
{
    const struct estate *e = &p->estate;
    struct map addresses;

    if (p->s->cause == PLAN_CAUSE_REPAIR)
        return 0; /* nothing moves */
    map_init(&addresses, p->low.a);
    collect_wanted(p, &addresses);
    if (addresses.n && !p->s->edge_provider.p)
        return refuse_addresses(p, &addresses, err);
    for (size_t i = 0; i < e->n_recorded; i++) {
        const struct recorded *r = e->recorded[i];

        if (str_eq_c(r->kind, "domain"))
            add_domain(p, &p->low.routes_before, r->name, r->desired);
        else if (str_eq_c(r->kind, "address") && planner_find_subject(p, r->name))
            add_internal(p, &p->low.routes_before, r->name);
        if (keeps_address(p, r))
            map_put(&addresses, r->name, NULL);
    }
    map_sort(&addresses);
    for (size_t i = 0; i < addresses.n; i++)
        add_internal(p, &p->low.routes, addresses.entries[i].key);
    return 0;
}

void plan_routes_keep_addresses(struct planner *p)
{
    struct map there;

    map_init(&there, p->low.a);
    for (size_t i = 0; i < p->low.routes.n; i++)
        if (value_get(p->low.routes.p[i].v, S("address")))
            map_put(&there, p->low.routes.p[i].service, NULL);
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->is_kept && x->m.has_address && !map_has(&there, x->m.service))
            add_internal(p, &p->low.routes, x->m.service);
    }
}

int plan_routes_differ(const struct planner *p)
{
    const struct route_list *a = &p->low.routes, *b = &p->low.routes_before;
    struct map before;

    if (a->n != b->n)
        return 1;
    map_init(&before, p->low.a);
    for (size_t i = 0; i < b->n; i++)
        map_put(&before, b->p[i].key, share_value(b->p[i].v));
    for (size_t i = 0; i < a->n; i++)
        if (!value_eq(a->p[i].v, map_find(&before, a->p[i].key)))
            return 1;
    return 0;
}
