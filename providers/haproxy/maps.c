/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/maps.h"

#include <inttypes.h>
#include <stdlib.h>

#include "providers/haproxy/rules.h"
#include "providers/haproxy/words.h"

struct maps_environment { /* the keys of all its generations */
    struct str name;
    struct map keys; /* their value: not NULL where some generation guards it */
};

struct maps_routes { /* of one generation */
    struct maps_environment *environment;
    int64_t generation;
    VEC(struct haproxy_entry) own; /* key -> target */
};

const char *haproxy_map_file(enum haproxy_map_id id)
{
    static const char *const files[N_HAPROXY_MAPS] = {
        [HAPROXY_MAP_R] = "r.map",
        [HAPROXY_MAP_GEN] = "gen.map",
        [HAPROXY_MAP_SETS] = "sets.map",
        [HAPROXY_MAP_PATHS] = "paths.map",
        [HAPROXY_MAP_GUARD] = "guard.map",
        [HAPROXY_MAP_RULES] = "rules.map",
        [HAPROXY_MAP_USERS] = "users.map",
        [HAPROXY_MAP_NETWORKS] = "networks.map",
        [HAPROXY_MAP_HEADERS] = "headers.map",
    };

    return files[id];
}

struct str haproxy_maps_key(struct arena *a, const struct value *route)
{
    return haproxy_route_key(a, value_get_text(route, S("host"), S("")),
                             value_get_text(route, S("path"), S("/")),
                             value_get_int(route, S("port"), 0));
}

struct str haproxy_maps_target(struct arena *a, struct str environment, const struct value *route)
{
    struct str backend = value_get_text(route, S("backend"), S(""));
    const struct value *canary = value_get(route, S("canary"));
    struct str rule = haproxy_rules_id(a, environment, route);

    if (canary)
        backend = str_fmt(a, "%.*s:%.*s:%" PRId64, STR_ARG(backend),
                          STR_ARG(value_get_text(canary, S("backend"), S(""))),
                          value_get_int(canary, S("share"), 0));

    return rule.p ? str_fmt(a, "%.*s/%.*s", STR_ARG(backend), STR_ARG(rule)) : backend;
}

struct str haproxy_maps_set_key(struct arena *a, int64_t generation, struct str environment,
                                struct str key)
{
    return str_fmt(a, "%" PRId64 ":%.*s:%.*s", generation, STR_ARG(environment), STR_ARG(key));
}

void haproxy_map_add(struct arena *a, struct haproxy_map *map, struct str key, struct str value)
{
    struct haproxy_entry *e = vec_push(a, &map->entries);

    if (e)
        *e = (struct haproxy_entry){ .key = key, .value = value };
}

static const struct value *maps_list(const struct haproxy_record *r)
{
    return str_eq(r->type, S("routes")) ? value_get(r->body, S("routes")) : NULL;
}

static struct maps_environment *maps_find_environment(struct arena *a, struct map *environments,
                                                      struct str name)
{
    struct maps_environment *e = map_find(environments, name);

    if (!e && (e = arena_new(a, struct maps_environment))) {
        e->name = name;
        map_init(&e->keys, a);
        map_put(environments, name, e);
    }
    return e;
}

static void maps_read_routes(struct arena *a, struct map *environments,
                             const struct haproxy_record *r, struct maps_routes *ret)
{
    const struct value *list = maps_list(r);

    ret->environment = maps_find_environment(a, environments,
                                             value_get_text(r->body, S("environment"), S("")));
    ret->generation = value_get_int(r->body, S("generation"), 0);
    for (size_t i = 0; ret->environment && i < value_count(list); i++) {
        const struct value *route = value_item(list, i);
        struct haproxy_entry *own = vec_push(a, &ret->own);
        struct map *keys = &ret->environment->keys;

        if (!own)
            return;
        own->key = haproxy_maps_key(a, route);
        own->value = haproxy_maps_target(a, ret->environment->name, route);
        if (haproxy_rules_guard(value_get(route, S("rules"))))
            map_replace(keys, own->key, ret->environment);
        else if (!map_has(keys, own->key))
            map_put(keys, own->key, NULL);
    }
}

static void maps_add_rules(struct arena *a, const struct haproxy_record *r, struct map *seen,
                           struct haproxy_maps *ret)
{
    const struct value *list = maps_list(r);
    const struct haproxy_rule_maps maps = { &ret->m[HAPROXY_MAP_RULES], &ret->m[HAPROXY_MAP_USERS],
                                            &ret->m[HAPROXY_MAP_NETWORKS],
                                            &ret->m[HAPROXY_MAP_HEADERS] };

    for (size_t i = 0; i < value_count(list); i++)
        haproxy_rules_add(a, r->body, value_item(list, i), seen, &maps);
}

static struct str maps_lower(struct arena *a, struct str s)
{
    char *text = str_to_c(a, s);

    for (size_t i = 0; text && i < s.n; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
    return text ? (struct str){ text, s.n } : S("");
}

static void maps_add_keys(struct arena *a, const struct maps_environment *e, struct map *hosts,
                          struct map *guarded, struct haproxy_map *r_map)
{
    for (size_t i = 0; i < e->keys.n; i++) {
        struct str key = e->keys.entries[i].key, lower;
        size_t slash = str_find_char(key, '/');

        lower = e->keys.entries[i].value ? maps_lower(a, key) : STR_NONE;
        if (lower.p && !map_has(guarded, lower))
            map_put(guarded, lower, NULL);

        haproxy_map_add(a, r_map, key, str_fmt(a, "%.*s:%.*s", STR_ARG(e->name), STR_ARG(key)));
        if (slash + 1 < key.n)
            map_put(hosts, str_slice(key, 0, slash), NULL);
    }
}

/* The backend by which this generation serves `key`: that of its longest prefix. */
static struct str maps_serving(const struct maps_routes *routes, struct str key)
{
    const struct haproxy_entry *best = NULL;

    for (size_t i = 0; i < routes->own.n; i++) {
        const struct haproxy_entry *e = &routes->own.p[i];

        if (str_starts(key, e->key) && (!best || e->key.n > best->key.n))
            best = e;
    }
    return best ? best->value : STR_NONE;
}

static void maps_add_sets(struct arena *a, const struct maps_routes *routes,
                          struct haproxy_map *sets)
{
    const struct maps_environment *e = routes->environment;

    for (size_t i = 0; e && i < e->keys.n; i++) {
        struct str key = e->keys.entries[i].key;
        struct str backend = maps_serving(routes, key);

        if (backend.n)
            haproxy_map_add(a, sets, haproxy_maps_set_key(a, routes->generation, e->name, key),
                            backend);
    }
}

static int maps_compare(const void *a, const void *b)
{
    return str_cmp(((const struct haproxy_entry *)a)->key, ((const struct haproxy_entry *)b)->key);
}

void haproxy_map_sort(struct haproxy_map *map)
{
    if (map->entries.n)
        qsort(map->entries.p, map->entries.n, sizeof(*map->entries.p), maps_compare);
}

void haproxy_maps_make(struct haproxy_model *m, struct haproxy_maps *ret)
{
    struct arena *a = m->arena;
    VEC(struct maps_routes) all = { 0 };
    struct map environments, hosts, guarded, seen;

    *ret = (struct haproxy_maps){ 0 };
    map_init(&environments, a);
    map_init(&hosts, a);
    map_init(&guarded, a);
    map_init(&seen, a);
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        struct maps_routes *routes = maps_list(r) ? vec_push(a, &all) : NULL;

        maps_add_rules(a, r, &seen, ret);
        if (routes)
            maps_read_routes(a, &environments, r, routes);
        else if (str_eq(r->type, S("switch")) && value_get_int(r->body, S("generation"), 0))
            haproxy_map_add(a, &ret->m[HAPROXY_MAP_GEN], r->id,
                            str_fmt(a, "%" PRId64, value_get_int(r->body, S("generation"), 0)));
    }

    for (size_t i = 0; i < environments.n; i++)
        maps_add_keys(a, environments.entries[i].value, &hosts, &guarded, &ret->m[HAPROXY_MAP_R]);
    for (size_t i = 0; i < hosts.n; i++)
        haproxy_map_add(a, &ret->m[HAPROXY_MAP_PATHS], hosts.entries[i].key, S("1"));
    for (size_t i = 0; i < guarded.n; i++)
        haproxy_map_add(a, &ret->m[HAPROXY_MAP_GUARD], guarded.entries[i].key,
                        guarded.entries[i].key);
    for (size_t i = 0; i < all.n; i++)
        maps_add_sets(a, &all.p[i], &ret->m[HAPROXY_MAP_SETS]);
    for (size_t i = 0; i < N_HAPROXY_MAPS; i++)
        haproxy_map_sort(&ret->m[i]);
}

struct str haproxy_map_text(struct arena *a, const struct haproxy_map *map)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < map->entries.n; i++)
        sb_addf(&b, "%.*s %.*s\n", STR_ARG(map->entries.p[i].key),
                STR_ARG(map->entries.p[i].value));
    return sb_str(&b);
}

size_t haproxy_map_size(const struct haproxy_map *map)
{
    static const size_t around = sizeof("0x0123456789abcdef  \n"); /* one entry */
    size_t n = 0;

    for (size_t i = 0; i < map->entries.n; i++)
        n += map->entries.p[i].key.n + map->entries.p[i].value.n + around;
    return n;
}

const struct haproxy_entry *haproxy_map_find(const struct haproxy_map *map, struct str key)
{
    const struct haproxy_entry wanted = { .key = key };

    return map->entries.n ? bsearch(&wanted, map->entries.p, map->entries.n,
                                    sizeof(*map->entries.p), maps_compare)
                          : NULL;
}

void haproxy_maps_others(struct haproxy_model *m, struct str environment, struct map *ret)
{
    map_init(ret, m->arena);
    for (size_t i = 0; i < m->records.n; i++) {
        struct haproxy_record *r = &m->records.p[i];
        const struct value *list = maps_list(r);

        if (!list || str_eq(value_get_text(r->body, S("environment"), S("")), environment))
            continue;
        for (size_t n = 0; n < value_count(list); n++)
            map_replace(ret, haproxy_maps_key(m->arena, value_item(list, n)), r);
    }
}
