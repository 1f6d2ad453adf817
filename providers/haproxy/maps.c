/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/maps.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "providers/haproxy/words.h"

struct maps_environment { /* the keys of all its generations */
    struct str name;
    struct map keys;
};

struct maps_routes { /* of one generation */
    struct maps_environment *environment;
    int64_t generation;
    VEC(struct haproxy_entry) own; /* key -> backend */
};

const char *haproxy_map_file(enum haproxy_map_id id)
{
    static const char *const files[N_HAPROXY_MAPS] = {
        [HAPROXY_MAP_R] = "r.map",
        [HAPROXY_MAP_GEN] = "gen.map",
        [HAPROXY_MAP_SETS] = "sets.map",
        [HAPROXY_MAP_PATHS] = "paths.map",
    };

    return files[id];
}

struct str haproxy_maps_key(struct arena *a, const struct value *route)
{
    return haproxy_route_key(a, value_get_text(route, S("host"), S("")),
                             value_get_text(route, S("path"), S("/")),
                             value_get_int(route, S("port"), 0));
}

struct str haproxy_maps_set_key(struct arena *a, int64_t generation, struct str environment,
                                struct str key)
{
    return str_fmt(a, "%" PRId64 ":%.*s:%.*s", generation, STR_ARG(environment), STR_ARG(key));
}

static void maps_add(struct arena *a, struct haproxy_map *map, struct str key, struct str value)
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
        struct haproxy_entry *own = vec_push(a, &ret->own);

        if (!own)
            return;
        own->key = haproxy_maps_key(a, value_item(list, i));
        own->value = value_get_text(value_item(list, i), S("backend"), S(""));
        map_put(&ret->environment->keys, own->key, NULL);
    }
}

static void maps_add_keys(struct arena *a, const struct maps_environment *e, struct map *hosts,
                          struct haproxy_map *r_map)
{
    for (size_t i = 0; i < e->keys.n; i++) {
        struct str key = e->keys.entries[i].key;
        size_t slash = str_find_char(key, '/');

        maps_add(a, r_map, key, str_fmt(a, "%.*s:%.*s", STR_ARG(e->name), STR_ARG(key)));
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
            maps_add(a, sets, haproxy_maps_set_key(a, routes->generation, e->name, key), backend);
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
    struct map environments, hosts;

    *ret = (struct haproxy_maps){ 0 };
    map_init(&environments, a);
    map_init(&hosts, a);
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        struct maps_routes *routes = maps_list(r) ? vec_push(a, &all) : NULL;

        if (routes)
            maps_read_routes(a, &environments, r, routes);
        else if (str_eq(r->type, S("switch")) && value_get_int(r->body, S("generation"), 0))
            maps_add(a, &ret->m[HAPROXY_MAP_GEN], r->id,
                     str_fmt(a, "%" PRId64, value_get_int(r->body, S("generation"), 0)));
    }

    for (size_t i = 0; i < environments.n; i++)
        maps_add_keys(a, environments.entries[i].value, &hosts, &ret->m[HAPROXY_MAP_R]);
    for (size_t i = 0; i < hosts.n; i++)
        maps_add(a, &ret->m[HAPROXY_MAP_PATHS], hosts.entries[i].key, S("1"));
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

const struct haproxy_entry *haproxy_map_find(const struct haproxy_map *map, struct str key)
{
    const struct haproxy_entry wanted = { .key = key };

    return map->entries.n ? bsearch(&wanted, map->entries.p, map->entries.n,
                                    sizeof(*map->entries.p), maps_compare)
                          : NULL;
}

const struct haproxy_record *haproxy_maps_other_owner(struct haproxy_model *m,
                                                      struct str environment, struct str key)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        const struct value *list = maps_list(r);

        if (!list || str_eq(value_get_text(r->body, S("environment"), S("")), environment))
            continue;
        for (size_t n = 0; n < value_count(list); n++)
            if (str_eq(haproxy_maps_key(m->arena, value_item(list, n)), key))
                return r;
    }
    return NULL;
}
