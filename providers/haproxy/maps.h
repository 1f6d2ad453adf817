/*
 * maps: from routes to the entries of the maps. SPDX-License-Identifier: Apache-2.0
 *
 *     r.map      KEY -> ENV:KEY                  longest prefix; KEY ends with `/`
 *     gen.map    ENV -> GENERATION               one entry moves all routes of an environment
 *     sets.map   GENERATION:ENV:KEY -> BACKEND or BACKEND:CANARY:SHARE, the share of 10000 requests that CANARY gets;
 *                and /RULE behind it where there is one
 *     paths.map  HOST -> 1                       hosts that have a rule for a path
 *     guard.map  key in lower case -> the same   longest prefix; keys that not everybody may use
 *     rules.map, users.map, networks.map, headers.map: rules.h
 *
 * r.map knows no generations, so each key of any generation of an environment has an entry in every
 * generation of it: where a generation has no such route, the one of its own that would have
 * served (its longest prefix). A route that comes or goes therefore changes nothing before the
 * switch. Pure.
 *
 * Memory   in the model's arena.
 */
#pragma once

#include "base/map.h"
#include "providers/haproxy/model.h"

enum haproxy_map_id {
    HAPROXY_MAP_R,
    HAPROXY_MAP_GEN,
    HAPROXY_MAP_SETS,
    HAPROXY_MAP_PATHS,
    HAPROXY_MAP_GUARD,
    HAPROXY_MAP_RULES,
    HAPROXY_MAP_USERS,
    HAPROXY_MAP_NETWORKS,
    HAPROXY_MAP_HEADERS,
    N_HAPROXY_MAPS
};

struct haproxy_entry {
    struct str key, value;
};

struct haproxy_map { /* sorted by key */
    VEC(struct haproxy_entry) entries;
};

struct haproxy_maps {
    struct haproxy_map m[N_HAPROXY_MAPS];
};

const char *haproxy_map_file(enum haproxy_map_id id); /* "r.map" */
void haproxy_maps_make(struct haproxy_model *m, struct haproxy_maps *ret);
struct str haproxy_map_text(struct arena *a, const struct haproxy_map *map);
/* Bytes of what the proxy says when it is asked for one with these entries, at most. */
size_t haproxy_map_size(const struct haproxy_map *map);
const struct haproxy_entry *haproxy_map_find(const struct haproxy_map *map, struct str key);
void haproxy_map_add(struct arena *a, struct haproxy_map *map, struct str key, struct str value);
void haproxy_map_sort(struct haproxy_map *map);

/* Keys of all other environments, and a record that has each: its first owner keeps a host. */
void haproxy_maps_others(struct haproxy_model *m, struct str environment, struct map *ret);
/* The key of one item of a routes body. */
struct str haproxy_maps_key(struct arena *a, const struct value *route);
/* What sets.map says of one item: its backends, and its rule where it has one. */
struct str haproxy_maps_target(struct arena *a, struct str environment, const struct value *route);
/* The key in sets.map. */
struct str haproxy_maps_set_key(struct arena *a, int64_t generation, struct str environment,
                                struct str key);
