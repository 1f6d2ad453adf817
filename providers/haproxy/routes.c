/* routes: one generation of an environment's routes in the maps. SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is served by it before the switch moves to the generation (maps.h). */
#include <inttypes.h>

#include "base/map.h"
#include "providers/haproxy/rules.h"
#include "providers/haproxy/sync.h"
#include "providers/haproxy/types.h"
#include "providers/haproxy/words.h"

static int routes_check_target(struct haproxy_call *c, const struct value *route, size_t i)
{
    struct str host = value_get_text(route, S("host"), S(""));
    struct str path = value_get_text(route, S("path"), S("/"));
    int64_t port = value_get_int(route, S("port"), 0);

    if (host.n && !haproxy_host_is(host))
        return haproxy_fail(c, RV_USER, "routes[%zu]: host '%.*s' is not one", i,
                            STR_ARG(str_slice(host, 0, 200)));
    if (!haproxy_path_is(path))
        return haproxy_fail(c, RV_USER, "routes[%zu]: path '%.*s' is not one", i,
                            STR_ARG(str_slice(path, 0, 200)));
    if (host.n && port)
        return haproxy_fail(c, RV_USER, "routes[%zu] has both host and port", i);
    if (!host.n && (port < 1 || port > 65535))
        return haproxy_fail(c, RV_USER, "routes[%zu] has neither host nor port", i);
    return 0;
}

/* A word that names no backend is refused later, with what is there. */
static int routes_check_backend_words(struct haproxy_call *c, const struct value *route, size_t i)
{
    const struct value *canary = value_get(route, S("canary"));
    int64_t share = value_get_int(canary, S("share"), 0);

    if (!haproxy_word_is(value_get_text(route, S("backend"), STR_NONE)))
        return haproxy_fail(c, RV_USER, "routes[%zu] names no backend", i);
    if (!canary)
        return 0;
    if (!haproxy_word_is(value_get_text(canary, S("backend"), STR_NONE)))
        return haproxy_fail(c, RV_USER, "routes[%zu].canary names no backend", i);
    if (share < 1 || share >= HAPROXY_SHARE_ALL)
        return haproxy_fail(c, RV_USER, "routes[%zu].canary.share is not within 1..%d", i,
                            HAPROXY_SHARE_ALL - 1);
    return 0;
}

static int routes_check_networks(struct haproxy_call *c, const struct value *body)
{
    size_t n = haproxy_rules_count_networks(c->arena, body);

    if (n > HAPROXY_NETWORK_ENTRIES_MAX)
        return haproxy_fail(c, RV_USER, "its networks take %zu entries, at most %d", n,
                            HAPROXY_NETWORK_ENTRIES_MAX);
    return 0;
}

static int routes_check(struct haproxy_call *c, const struct value *body)
{
    const struct value *routes = value_get(body, S("routes"));
    struct err err = ERR_INIT;
    struct map keys;

    if (!haproxy_environment_is(value_get_text(body, S("environment"), STR_NONE)))
        return haproxy_fail(c, RV_USER, "environment is not a word");
    if (value_get_int(body, S("generation"), 0) < 1)
        return haproxy_fail(c, RV_USER, "generation is not a number above 0");
    if (!value_is(routes, VALUE_LIST))
        return haproxy_fail(c, RV_USER, "routes is not a list");
    if (value_count(routes) > HAPROXY_ROUTES_MAX)
        return haproxy_fail(c, RV_USER, "%zu routes, at most %d in a generation",
                            value_count(routes), HAPROXY_ROUTES_MAX);
    map_init(&keys, c->arena);
    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *route = value_item(routes, i);
        struct str key;

        if (routes_check_target(c, route, i))
            return (int)c->ret->verdict;
        if (haproxy_rules_check(value_get(route, S("rules")), &err))
            return haproxy_fail(c, RV_USER, "routes[%zu]: %s", i, err.text);
        if (routes_check_backend_words(c, route, i))
            return (int)c->ret->verdict;
        key = haproxy_maps_key(c->arena, route);
        if (map_has(&keys, key))
            return haproxy_fail(c, RV_USER, "'%.*s' stands twice", STR_ARG(key));
        map_put(&keys, key, NULL);
    }
    return routes_check_networks(c, body);
}

/* Both say whose they are, and it is not the same environment. */
static int routes_lead_away(const struct value *from, const struct value *to)
{
    struct str env = value_get_text(value_get(from, S("label")), S("env_uid"), STR_NONE);
    struct str other = value_get_text(value_get(to, S("label")), S("env_uid"), STR_NONE);

    return env.p && other.p && !str_eq(env, other);
}

static int routes_check_backend(struct haproxy_call *c, const struct haproxy_model *m,
                                const struct value *body, size_t i, struct str id)
{
    const struct haproxy_record *backend = haproxy_model_find(m, S("backend"), id);

    if (!backend)
        return haproxy_fail(c, RV_USER, "routes[%zu]: backend '%.*s' serves no set", i,
                            STR_ARG(id));
    if (routes_lead_away(body, backend->body))
        return haproxy_fail(c, RV_USER, "routes[%zu]: backend '%.*s' is another environment's", i,
                            STR_ARG(id));
    return 0;
}

/* The backends of a generation are there, and are its environment's: what is free is taken by others. */
static int routes_check_backends(struct haproxy_call *c, const struct haproxy_model *m,
                                 const struct value *body)
{
    const struct value *routes = value_get(body, S("routes"));
    int rc = 0;

    for (size_t i = 0; !rc && i < value_count(routes); i++) {
        const struct value *route = value_item(routes, i), *canary = value_get(route, S("canary"));

        rc = routes_check_backend(c, m, body, i, value_get_text(route, S("backend"), S("")));
        if (!rc && canary)
            rc = routes_check_backend(c, m, body, i, value_get_text(canary, S("backend"), S("")));
    }
    return rc;
}

/* What the routes name exists, and nobody else has it. */
/* The port of an internal route is an address of its environment. */
static int routes_check_port(struct haproxy_call *c, const struct haproxy_model *m,
                             const struct value *route, size_t i)
{
    struct str port = str_fmt(c->arena, "%" PRId64, value_get_int(route, S("port"), 0));
    const struct haproxy_record *address = haproxy_model_find(m, S("address"), port);

    if (!address)
        return haproxy_fail(c, RV_USER, "routes[%zu]: port %.*s is nobody's address", i,
                            STR_ARG(port));
    if (routes_lead_away(c->desired, address->body))
        return haproxy_fail(c, RV_USER, "routes[%zu]: port %.*s is another environment's", i,
                            STR_ARG(port));
    return 0;
}

static int routes_check_world(struct haproxy_call *c, struct haproxy_model *m,
                              struct str environment)
{
    const struct value *routes = value_get(c->desired, S("routes"));
    int rc = routes_check_backends(c, m, c->desired);
    struct map others;

    haproxy_maps_others(m, environment, &others);
    for (size_t i = 0; !rc && i < value_count(routes); i++) {
        const struct value *route = value_item(routes, i);
        struct str key = haproxy_maps_key(c->arena, route);
        const struct haproxy_record *other = map_find(&others, key);

        if (other)
            return haproxy_fail(c, RV_USER, "'%.*s' belongs to routes '%.*s'", STR_ARG(key),
                                STR_ARG(other->id));
        if (key.p[0] == ':')
            rc = routes_check_port(c, m, route, i);
    }
    return rc;
}

int haproxy_check_generation(struct haproxy_call *c, const struct haproxy_model *m,
                             struct str environment, int64_t generation)
{
    const struct haproxy_record *r = haproxy_find_routes(m, environment, generation);

    if (!r)
        return haproxy_fail(c, RV_USER, "generation %" PRId64 " of '%.*s' has no routes",
                            generation, STR_ARG(environment));
    return routes_check_backends(c, m, r->body);
}

static int routes_put(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                      struct haproxy_record **ret)
{
    struct str environment = value_get_text(c->desired, S("environment"), S(""));
    int64_t generation = value_get_int(c->desired, S("generation"), 0);
    struct str id = str_fmt(c->arena, "%.*s/%" PRId64, STR_ARG(environment), generation);
    const struct value *body = NULL;
    int rc;

    if (r && !str_eq(r->id, id))
        return haproxy_fail(c, RV_USER, "these routes are '%.*s', not '%.*s'", STR_ARG(r->id),
                            STR_ARG(id));
    if (!r && (rc = haproxy_refuse_stranger(c, haproxy_model_find(&s->model, S("routes"), id))))
        return rc;
    if ((rc = haproxy_heal_generations(c, s)) ||
        (rc = routes_check_world(c, &s->model, environment)))
        return rc;
    if (r && haproxy_generation_of(&s->model, environment) == generation &&
        !value_eq(value_get(r->body, S("routes")), value_get(c->desired, S("routes"))))
        return haproxy_fail(c, RV_USER,
                            "generation %" PRId64 " of '%.*s' is live: it does not change",
                            generation, STR_ARG(environment));
    if ((rc = haproxy_rules_body(c, &s->model, c->desired, &body)) ||
        (!r && (rc = haproxy_add(c, s, S("routes"), id, &r))))
        return rc;

    haproxy_model_set(r, body);
    *ret = r;
    if ((rc = haproxy_commit(c, s, r)))
        return rc;
    return haproxy_sync_routes(c, &s->model);
}

static int routes_drop(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r)
{
    struct str environment;
    int64_t generation;
    int rc;

    if (!r)
        return 0;
    if ((rc = haproxy_heal_generations(c, s)))
        return rc;
    environment = value_get_text(r->body, S("environment"), S(""));
    generation = value_get_int(r->body, S("generation"), 0);
    if (haproxy_generation_of(&s->model, environment) == generation)
        return haproxy_fail(c, RV_WAIT, "generation %" PRId64 " of '%.*s' is live", generation,
                            STR_ARG(environment));
    haproxy_model_remove(&s->model, r);
    if ((rc = haproxy_store_save(c, s)))
        return rc;
    return haproxy_sync_routes(c, &s->model);
}

/* A route is there when the proxy would find its backend once the generation is live. */
static int routes_observe(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                          struct value *observed, struct value *outputs)
{
    const struct value *routes = value_get(r->body, S("routes"));
    struct str environment = value_get_text(r->body, S("environment"), S(""));
    int64_t generation = value_get_int(r->body, S("generation"), 0);
    struct value *present = value_list(c->arena);
    struct haproxy_map keys = { 0 }, sets = { 0 }, rules = { 0 };
    int rc = haproxy_read_map(c, HAPROXY_MAP_R, &keys);

    (void)s;
    if (rc || (rc = haproxy_read_map(c, HAPROXY_MAP_SETS, &sets)) ||
        (rc = haproxy_read_map(c, HAPROXY_MAP_RULES, &rules)))
        return rc;
    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *route = value_item(routes, i);
        struct str key = haproxy_maps_key(c->arena, route);
        const struct haproxy_entry *set = haproxy_map_find(
            &sets, haproxy_maps_set_key(c->arena, generation, environment, key));

        struct str rule = haproxy_rules_id(c->arena, environment, route);

        if (haproxy_map_find(&keys, key) && set && (!rule.p || haproxy_map_find(&rules, rule)) &&
            str_eq(set->value, haproxy_maps_target(c->arena, environment, route)))
            value_add(c->arena, present, value_copy(c->arena, route));
    }
    value_set_int(c->arena, observed, S("generation"), generation);
    value_set(c->arena, observed, S("routes"), present);
    value_set_int(c->arena, outputs, S("generation"), generation);
    return 0;
}

const struct haproxy_type haproxy_routes_type = { "routes", routes_check, routes_put, routes_drop,
                                                  routes_observe };
