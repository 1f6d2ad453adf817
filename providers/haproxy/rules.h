/*
 * rules: what a route asks of a request before it is served. SPDX-License-Identifier: Apache-2.0
 *
 * A route's `rules` are {deny, access, rate_limit, headers, noindex, redirect}. Their id is a digest of
 * them and of whose they are, so an entry under it never changes, and what leads to it (sets.map) is
 * switched with the routes:
 *
 *     rules.map      RULE -> ACCESS:LIST:REQUESTS:PERIOD_MS:COUNTED:noindex:HOST      `-`, 0: nothing asked
 *     users.map      LIST:USER -> SALT:HASH, the hash of SALT:PASSWORD
 *     networks.map   LIST:8:HEX or LIST:32:HEX -> 1      by longest prefix; an address is 8 or 32 digits
 *     headers.map    RULE -> NAME:HEX~NAME:~             set, and removed from answers
 *
 * LIST is a digest of the environment and of who has access: routes that ask the same share a pass.
 * COUNTED is one of the environment, the route and its limit: hosts of one route are counted together.
 * Passwords reach nothing but their hash. The salts and hashes lie in the record of the routes, under
 * `credentials`: {LIST:USER: SALT:HASH}; generations with the same list have the same.
 *
 * Memory   in the arena or the model's.
 */
#pragma once

#include "base/map.h"
#include "providers/haproxy/model.h"

#define HAPROXY_ROUTES_MAX 1000 /* of a generation; each of its keys is looked for in all of them */
#define HAPROXY_USERS_MAX 100
#define HAPROXY_NETWORKS_MAX 1000
#define HAPROXY_NETWORK_ENTRIES_MAX                                                                \
    10000                       /* of all routes of a generation; a network takes up to 8 */
#define HAPROXY_PASSWORD_MIN 16 /* bytes: the hash is a quick one */
#define HAPROXY_PERIOD_MAX_MS (24 * 60 * 60 * 1000)

struct haproxy_call;
struct haproxy_map;

struct haproxy_rule_maps {
    struct haproxy_map *rules, *users, *networks, *headers;
};

/* `rules` of a route: 0, or ERR_INVALID naming the member. NULL asks nothing and is well. */
int haproxy_rules_check(const struct value *rules, struct err *err);
/* The key in rules.map; STR_NONE: the route asks nothing. */
struct str haproxy_rules_id(struct arena *a, struct str environment, const struct value *route);
/* The LIST of an access. */
struct str haproxy_rules_list(struct arena *a, struct str environment, const struct value *access);
/* May nobody, or not everybody, come through? */
int haproxy_rules_guard(const struct value *rules);
/* How many entries the networks of a record of routes take. */
size_t haproxy_rules_count_networks(struct arena *a, const struct value *body);
/* The entries of one route of a record of routes; each key once, whatever was added before. */
void haproxy_rules_add(struct arena *a, const struct value *body, const struct value *route,
                       struct map *seen, const struct haproxy_rule_maps *ret);

/* The body of a record of routes: `desired`, and the credentials its rules name. 0, or RV_USER and what
 * reading a secret answers. */
int haproxy_rules_body(struct haproxy_call *c, const struct haproxy_model *m,
                       const struct value *desired, const struct value **ret);
