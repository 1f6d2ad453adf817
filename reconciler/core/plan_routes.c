/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/edge_rules.h"
#include "reconciler/core/planner.h"
#include "specs/digest.h"
#include "specs/reference.h"

static void add_route(struct planner *p, struct plan_routes *list, struct plan_route route)
{
    struct plan_route *slot = vec_push(p->low.a, list);

    if (slot)
        *slot = route;
}

static void add_redirects(struct planner *p, struct plan_routes *list, struct str name,
                          const struct value *domain)
{
    const struct value *hosts = value_get(domain, S("redirect_from"));

    for (size_t i = 0; i < value_count(hosts); i++)
        add_route(p, list,
                  (struct plan_route){ .route = str_fmt(p->low.a, "%.*s:/", STR_ARG(name)),
                                       .host = value_item(hosts, i)->u.text,
                                       .path = S("/"),
                                       .address = S(""),
                                       .service = edge_rules_redirect_service(domain),
                                       .rules = edge_rules_of_redirect(p->low.a, domain) });
}

/* A spec keeps its paths as they were written, a record in their order. */
static void add_domain(struct planner *p, struct plan_routes *list, struct str name,
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

            add_route(p, list,
                      (struct plan_route){
                          .route = str_fmt(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(path)),
                          .host = value_item(hosts, h)->u.text,
                          .path = path,
                          .address = S(""),
                          .service = value_get_text(paths.entries[i].value, S("service"), S("")),
                          .rules = edge_rules_of_route(a, domain, paths.entries[i].value),
                      });
        }
    add_redirects(p, list, name, domain);
}

static void add_internal(struct planner *p, struct plan_routes *list, struct str service)
{
    add_route(p, list,
              (struct plan_route){ .route = str_fmt(p->low.a, "internal:%.*s", STR_ARG(service)),
                                   .host = S(""),
                                   .path = S("/"),
                                   .address = service,
                                   .service = service });
}

void plan_routes_addresses(const struct value *v, struct map *ret)
{
    static const struct str prefix = S_INIT("address/");
    struct str output = value_get_text(v, S("output"), STR_NONE);

    if (reference_of(v) == REFERENCE_OUTPUT && str_starts(output, prefix))
        map_put(ret, str_slice(output, prefix.n, output.n), NULL);
    for (size_t i = 0; i < value_count(v); i++)
        plan_routes_addresses(v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                              ret);
}

int plan_routes_keeps_domain(const struct planner *p, const struct recorded *r)
{
    if (!str_eq_c(r->kind, "domain") || estate_find_wanted(&p->estate, r->kind, r->name))
        return 0;
    return p->keeps_routes || (!p->prunes && !estate_find_renamed(&p->estate, r->kind, r->name));
}

int plan_routes_bars_domain(const struct planner *p, const struct spec_resource *r)
{
    return p->keeps_routes && str_eq_c(r->kind, "domain") &&
           !estate_find_recorded(&p->estate, r->kind, r->name);
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
            add_domain(p, &p->plan->routes, r->name, r->desired);
        else
            plan_routes_addresses(r->desired, addresses);
    }
    for (size_t i = 0; i < e->n_recorded; i++)
        if (plan_routes_keeps_domain(p, e->recorded[i]))
            add_domain(p, &p->plan->routes, e->recorded[i]->name, e->recorded[i]->desired);
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

    if (planner_only_repairs(p))
        return 0; /* nothing moves */
    map_init(&addresses, p->low.a);
    collect_wanted(p, &addresses);
    if (addresses.n && !p->s->edge_provider.p)
        return refuse_addresses(p, &addresses, err);
    for (size_t i = 0; i < e->n_recorded; i++) {
        const struct recorded *r = e->recorded[i];

        if (str_eq_c(r->kind, "domain"))
            add_domain(p, &p->plan->routes_before, r->name, r->desired);
        else if (str_eq_c(r->kind, "address") && planner_find_subject(p, r->name))
            add_internal(p, &p->plan->routes_before, r->name);
        if (keeps_address(p, r))
            map_put(&addresses, r->name, NULL);
    }
    map_sort(&addresses);
    for (size_t i = 0; i < addresses.n; i++)
        add_internal(p, &p->plan->routes, addresses.entries[i].key);
    return 0;
}

static void index_routes(struct planner *p, struct plan_routes *list, struct map *ret)
{
    map_init(ret, p->low.a);
    for (size_t i = 0; i < list->n; i++)
        map_put(ret, plan_route_key(p->low.a, &list->p[i]), &list->p[i]);
}

static int is_going(struct planner *p, struct str service)
{
    const struct subject *x = planner_find_subject(p, service);

    return x && x->fate == FATE_REMOVE;
}

void plan_routes_keep(struct planner *p)
{
    struct plan_routes kept = { 0 }, *wanted = &p->plan->routes, *were = &p->plan->routes_before;
    struct map now;

    index_routes(p, wanted, &now);
    for (size_t i = 0; i < were->n; i++) {
        const struct plan_route *instead = is_going(p, were->p[i].service)
                                               ? map_find(&now,
                                                          plan_route_key(p->low.a, &were->p[i]))
                                               : &were->p[i];

        if (instead && !were->p[i].address.n)
            add_route(p, &kept, *instead);
    }
    for (size_t i = 0; i < wanted->n; i++)
        if (wanted->p[i].address.n)
            add_route(p, &kept, wanted->p[i]);
    *wanted = kept;
    p->keeps_routes = p->keeps_places = 1;
}

/* The place stays with who has it, who would be gone otherwise. */
static void keep_place(struct planner *p, struct plan_route *r, const struct plan_route *was)
{
    struct subject *x = planner_find_subject(p, was->service);

    if (x && x->fate == FATE_REMOVE) {
        planner_note(p, str_fmt(p->low.a, "kept: %.*s (it still serves for %.*s)",
                                STR_ARG(was->service), STR_ARG(r->service)));
        plan_subjects_keep(x);
    }
    r->service = was->service;
    p->keeps_places = 1;
}

static void drop_unserved(struct planner *p, struct plan_routes *list)
{
    struct plan_routes served = { 0 };

    for (size_t i = 0; i < list->n; i++) {
        const struct subject *x = planner_find_subject(p, list->p[i].service);

        if (list->p[i].address.n || !x || !x->is_kept || x->m.live)
            add_route(p, &served, list->p[i]);
    }
    *list = served;
}

void plan_routes_keep_places(struct planner *p)
{
    struct plan_routes *wanted = &p->plan->routes;
    struct map before;
    int any = 0;

    for (size_t i = 0; i < p->subjects.n; i++)
        any |= p->subjects.p[i].is_kept;
    if (!any)
        return;
    index_routes(p, &p->plan->routes_before, &before);
    for (size_t i = 0; i < wanted->n; i++) {
        struct plan_route *r = &wanted->p[i];
        const struct subject *x = planner_find_subject(p, r->service);
        const struct plan_route *was = x && x->is_kept
                                           ? map_find(&before, plan_route_key(p->low.a, r))
                                           : NULL;

        if (was && !str_eq(was->service, r->service))
            keep_place(p, r, was);
    }
    if (!p->keeps_places)
        return;
    /* What never served and is kept out has nobody to lead to: the edge could not be as it is asked, and would be
     * asked again and again. */
    drop_unserved(p, wanted);
    drop_unserved(p, &p->plan->routes_before);
}

static int is_of_domain(const struct plan_route *r, struct str domain)
{
    return !r->address.n && str_starts(r->route, domain) && r->route.n > domain.n &&
           r->route.p[domain.n] == ':';
}

static size_t count_of_domain(const struct plan_routes *list, struct str domain)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += is_of_domain(&list->p[i], domain) ? 1 : 0;
    return n;
}

static int is_among(const struct plan_routes *list, const struct plan_route *r)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->p[i].host, r->host) && str_eq(list->p[i].route, r->route) &&
            str_eq(list->p[i].service, r->service) && value_eq(list->p[i].rules, r->rules))
            return 1;
    return 0;
}

int plan_routes_is_still(const struct planner *p, struct str domain)
{
    const struct plan_routes *wanted = &p->plan->routes, *were = &p->plan->routes_before;

    if (!p->keeps_places || count_of_domain(wanted, domain) != count_of_domain(were, domain))
        return 0;
    for (size_t i = 0; i < wanted->n; i++)
        if (is_of_domain(&wanted->p[i], domain) && !is_among(were, &wanted->p[i]))
            return 0;
    return 1;
}

void plan_routes_keep_addresses(struct planner *p)
{
    struct map there;

    map_init(&there, p->low.a);
    for (size_t i = 0; i < p->plan->routes.n; i++)
        if (p->plan->routes.p[i].address.n)
            map_put(&there, p->plan->routes.p[i].service, NULL);
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->is_kept && x->m.has_address && !map_has(&there, x->m.service))
            add_internal(p, &p->plan->routes, x->m.service);
    }
}

int plan_routes_differ(const struct planner *p)
{
    const struct plan_routes *a = &p->plan->routes, *b = &p->plan->routes_before;
    struct map before;

    if (a->n != b->n)
        return 1;
    map_init(&before, p->low.a);
    for (size_t i = 0; i < b->n; i++)
        map_put(&before, plan_route_key(p->low.a, &b->p[i]), &b->p[i]);
    for (size_t i = 0; i < a->n; i++) {
        const struct plan_route *was = map_find(&before, plan_route_key(p->low.a, &a->p[i]));

        if (!was || !str_eq(was->route, a->p[i].route) || !str_eq(was->service, a->p[i].service) ||
            !value_eq(was->rules, a->p[i].rules))
            return 1;
    }
    return 0;
}

void plan_routes_drop(struct planner *p)
{
    for (size_t i = 0; i < p->plan->groups.n; i++)
        if (p->plan->groups.p[i].is_switching)
            return;
    p->plan->routes = p->plan->routes_before = (struct plan_routes){ 0 };
}

struct digest plan_routes_digest(struct arena *a, const struct plan_routes *routes)
{
    struct value *list = value_list(a), *all = value_map(a);

    for (size_t i = 0; i < routes->n; i++)
        value_add(a, list, plan_route_value(a, &routes->p[i]));
    value_set(a, all, S("routes"), list);
    return digest_value(a, S("group"), all);
}
