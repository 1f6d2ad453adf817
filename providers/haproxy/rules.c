/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/rules.h"

#include <inttypes.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/network.h"
#include "providers/haproxy/maps.h"
#include "providers/haproxy/words.h"
#include "specs/json_io.h"

#define RULES_HEADERS_MAX 3000 /* bytes of one rule's headers in their map */

/* --- is it one? --- */

static int rules_check_users(const struct value *access, struct err *err)
{
    const struct value *users = value_get(access, S("users"));

    if (!value_is(users, VALUE_MAP) || value_count(users) > HAPROXY_USERS_MAX)
        return err_set(err, ERR_INVALID, "access.users is not a map of at most %d",
                       HAPROXY_USERS_MAX);
    for (size_t i = 0; i < value_count(users); i++) {
        const struct value_entry *e = &users->u.map.entries[i];

        if (!haproxy_user_is(e->key))
            return err_set(err, ERR_INVALID, "access.users: '%.*s' is not a name",
                           STR_ARG(str_slice(e->key, 0, 200)));
        if (!value_get_text(e->value, S("secret"), S("")).n)
            return err_set(err, ERR_INVALID, "access.users.%.*s names no secret", STR_ARG(e->key));
    }
    return 0;
}

static int rules_check_networks(const struct value *access, struct err *err)
{
    const struct value *allow = value_get(access, S("allow"));
    struct network network;

    if (!value_is(allow, VALUE_LIST) || value_count(allow) > HAPROXY_NETWORKS_MAX)
        return err_set(err, ERR_INVALID, "access.allow is not a list of at most %d",
                       HAPROXY_NETWORKS_MAX);
    for (size_t i = 0; i < value_count(allow); i++) {
        const struct value *one = value_item(allow, i);

        if (!value_is(one, VALUE_TEXT) || network_parse(one->u.text, &network))
            return err_set(err, ERR_INVALID, "access.allow[%zu] is not a network", i);
    }
    return 0;
}

static int rules_check_access(const struct value *rules, struct err *err)
{
    const struct value *access = value_get(rules, S("access"));
    struct str type = value_get_text(access, S("type"), S(""));

    if (!access)
        return 0;
    if (str_eq_c(type, "basic"))
        return rules_check_users(access, err);
    if (str_eq_c(type, "ip"))
        return rules_check_networks(access, err);
    return err_set(err, ERR_INVALID, "access.type is neither basic nor ip");
}

static int rules_check_limit(const struct value *rules, struct err *err)
{
    const struct value *limit = value_get(rules, S("rate_limit"));
    int64_t requests = value_get_int(limit, S("requests"), 0);
    int64_t per_ms = value_get_int(limit, S("per_ms"), 0);

    if (limit && (requests < 1 || requests > 1000000000))
        return err_set(err, ERR_INVALID, "rate_limit.requests is not within 1 to 1000000000");
    if (limit && (per_ms < 1000 || per_ms > HAPROXY_PERIOD_MAX_MS))
        return err_set(err, ERR_INVALID, "rate_limit.per_ms is not within 1 s to 24 h");
    return 0;
}

/* The name of an answer's header that is neither ours nor about the connection. */
static int rules_is_header(struct str name)
{
    static const char *const refused[] = { "connection", "content-length",    "keep-alive", "te",
                                           "trailer",    "transfer-encoding", "upgrade" };

    if (!haproxy_header_is(name))
        return 0;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (haproxy_header_eq(name, refused[i]))
            return 0;
    return 1;
}

static int rules_check_headers(const struct value *rules, struct err *err)
{
    const struct value *set = value_at(rules, S("headers.set"));
    const struct value *remove = value_at(rules, S("headers.remove"));
    size_t n_bytes = 0;

    if (set && !value_is(set, VALUE_MAP))
        return err_set(err, ERR_INVALID, "headers.set is not a map");
    for (size_t i = 0; i < value_count(set); i++) {
        const struct value_entry *e = &set->u.map.entries[i];

        if (!rules_is_header(e->key))
            return err_set(err, ERR_INVALID, "headers.set: '%.*s' is not to be set",
                           STR_ARG(str_slice(e->key, 0, 200)));
        if (!value_is(e->value, VALUE_TEXT) || !haproxy_header_value_is(e->value->u.text))
            return err_set(err, ERR_INVALID, "headers.set.%.*s is not printable text",
                           STR_ARG(e->key));
        n_bytes += e->key.n + 2 * e->value->u.text.n + 2;
    }
    for (size_t i = 0; i < value_count(remove); i++) {
        const struct value *one = value_item(remove, i);

        if (!value_is(one, VALUE_TEXT) || !rules_is_header(one->u.text))
            return err_set(err, ERR_INVALID, "headers.remove[%zu] is not to be removed", i);
        n_bytes += one->u.text.n + 2;
    }
    return n_bytes <= RULES_HEADERS_MAX
               ? 0
               : err_set(err, ERR_LIMIT, "headers: more than %d bytes", RULES_HEADERS_MAX);
}

/* One that nobody knows, or that is something else than it should be, might have asked for something. */
static int rules_check_members(const struct value *rules, struct err *err)
{
    static const struct {
        const char *name;
        enum value_kind kind;
        const char *what;
    } members[] = {
        { "redirect", VALUE_TEXT, "text" }, { "deny", VALUE_BOOL, "bool" },
        { "access", VALUE_MAP, "map" },     { "rate_limit", VALUE_MAP, "map" },
        { "headers", VALUE_MAP, "map" },    { "noindex", VALUE_BOOL, "bool" },
    };

    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value_entry *e = &rules->u.map.entries[i];
        size_t m = 0;

        while (m < N_ELEMENTS(members) && !str_eq_c(e->key, members[m].name))
            m++;
        if (m == N_ELEMENTS(members))
            return err_set(err, ERR_INVALID, "'%.*s' is no rule",
                           STR_ARG(str_slice(e->key, 0, 200)));
        if (!value_is(e->value, members[m].kind))
            return err_set(err, ERR_INVALID, "%s is not a %s", members[m].name, members[m].what);
    }
    return 0;
}

int haproxy_rules_check(const struct value *rules, struct err *err)
{
    struct str redirect = value_get_text(rules, S("redirect"), STR_NONE);
    int rc;

    if (rules && !value_is(rules, VALUE_MAP))
        return err_set(err, ERR_INVALID, "rules is not a map");
    if (rules_check_members(rules, err))
        return err->code;
    if (redirect.p && !haproxy_host_is(redirect))
        return err_set(err, ERR_INVALID, "redirect '%.*s' is not a host",
                       STR_ARG(str_slice(redirect, 0, 200)));
    if ((rc = rules_check_access(rules, err)) || (rc = rules_check_limit(rules, err)))
        return rc;
    return rules_check_headers(rules, err);
}

/* --- names --- */

static struct str rules_digest(struct arena *a, const char *what, struct str environment,
                               struct str route, const struct value *v)
{
    struct digest digest;
    struct hash h;

    hash_init(&h);
    hash_add_lp(&h, str_from_c(what));
    hash_add_lp(&h, environment);
    hash_add_lp(&h, route);
    hash_add_lp(&h, json_format(a, v));
    digest = hash_end(&h);
    return digest_base32(a, &digest);
}

static const struct value *rules_of(const struct value *route)
{
    const struct value *rules = value_get(route, S("rules"));

    return value_count(rules) ? rules : NULL;
}

static struct str rules_route(const struct value *route)
{
    return value_get_text(route, S("route"), S(""));
}

struct str haproxy_rules_list(struct arena *a, struct str environment, const struct value *access)
{
    return rules_digest(a, "list", environment, S(""), access);
}

struct str haproxy_rules_id(struct arena *a, struct str environment, const struct value *route)
{
    const struct value *rules = rules_of(route);

    return rules ? rules_digest(a, "rule", environment, rules_route(route), rules) : STR_NONE;
}

static const char *rules_access(const struct value *rules)
{
    struct str type = value_get_text(value_get(rules, S("access")), S("type"), S("none"));

    if (value_get_text(rules, S("redirect"), S("")).n)
        return "redirect";
    if (value_get_bool(rules, S("deny"), 0))
        return "deny";
    return str_eq_c(type, "basic") ? "basic" : str_eq_c(type, "ip") ? "ip" : "none";
}

int haproxy_rules_guard(const struct value *rules)
{
    return value_get_bool(rules, S("deny"), 0) || value_get(rules, S("access")) ||
           value_get(rules, S("rate_limit"));
}

/* --- entries --- */

static void rules_put(struct arena *a, struct map *seen, struct haproxy_map *map, struct str key,
                      struct str value)
{
    if (!map_has(seen, key))
        haproxy_map_add(a, map, key, value);
    map_put(seen, key, NULL);
}

static void rules_add_users(struct arena *a, const struct value *body, struct str list,
                            const struct value *users, struct map *seen, struct haproxy_map *map)
{
    const struct value *credentials = value_get(body, S("credentials"));

    for (size_t i = 0; i < value_count(users); i++) {
        struct str key = str_fmt(a, "%.*s:%.*s", STR_ARG(list),
                                 STR_ARG(users->u.map.entries[i].key));
        struct str known = value_get_text(credentials, key, STR_NONE);

        if (known.p)
            rules_put(a, seen, map, key, known);
    }
}

/* Whole digits of the prefix, and one entry for each value that the last one may have. */
static void rules_add_network(struct arena *a, struct str list, struct str written,
                              struct map *seen, struct haproxy_map *map)
{
    static const char digits[] = "0123456789ABCDEF";
    struct network n = { 0 };
    unsigned open;
    struct sb b;

    if (network_parse(written, &n))
        return; /* checked */
    sb_init(&b, a);
    sb_addf(&b, "%.*s:%u:", STR_ARG(list), n.n_bytes * 2);
    for (unsigned i = 0; i < n.n_bits / 4; i++)
        sb_add_char(&b, digits[i % 2 ? n.b[i / 2] & 15 : n.b[i / 2] >> 4]);
    if (n.n_bits % 4 == 0) {
        rules_put(a, seen, map, sb_str(&b), S("1"));
        return;
    }
    open = n.n_bits / 4;
    for (unsigned last = open % 2 ? n.b[open / 2] & 15u : n.b[open / 2] >> 4u, i = 0;
         i < 1u << (4 - n.n_bits % 4); i++)
        rules_put(a, seen, map, str_fmt(a, "%.*s%c", STR_ARG(sb_str(&b)), digits[(last + i) & 15u]),
                  S("1"));
}

static void rules_add_header(struct sb *b, struct str name, struct str value)
{
    sb_addf(b, "%.*s:", STR_ARG(name));
    for (size_t i = 0; i < value.n; i++)
        sb_addf(b, "%02x", (unsigned char)value.p[i]);
    sb_add_c(b, "~");
}

static struct str rules_headers(struct arena *a, const struct value *rules)
{
    const struct value *set = value_at(rules, S("headers.set"));
    const struct value *remove = value_at(rules, S("headers.remove"));
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < value_count(remove); i++)
        rules_add_header(&b, value_item(remove, i)->u.text, S(""));
    for (size_t i = 0; i < value_count(set); i++)
        rules_add_header(&b, set->u.map.entries[i].key, set->u.map.entries[i].value->u.text);
    return sb_str(&b);
}

static struct str rules_text(struct arena *a, struct str environment, const struct value *route,
                             struct str list)
{
    const struct value *rules = rules_of(route);
    const struct value *limit = value_get(rules, S("rate_limit"));
    struct str counted = limit ? rules_digest(a, "counted", environment, rules_route(route), limit)
                               : S("-");

    return str_fmt(a, "%s:%.*s:%" PRId64 ":%" PRId64 ":%.*s:%s:%.*s", rules_access(rules),
                   STR_ARG(list), value_get_int(limit, S("requests"), 0),
                   value_get_int(limit, S("per_ms"), 0), STR_ARG(counted),
                   value_get_bool(rules, S("noindex"), 0) ? "noindex" : "-",
                   STR_ARG(value_get_text(rules, S("redirect"), S("-"))));
}

void haproxy_rules_add(struct arena *a, const struct value *body, const struct value *route,
                       struct map *seen, const struct haproxy_rule_maps *ret)
{
    struct str environment = value_get_text(body, S("environment"), S(""));
    const struct value *rules = rules_of(route), *access = value_get(rules, S("access"));
    const struct value *allow = value_get(access, S("allow"));
    struct str id = haproxy_rules_id(a, environment, route), list = S("-"), headers;

    if (!id.p || map_has(seen, id))
        return;
    if (access)
        list = haproxy_rules_list(a, environment, access);
    headers = rules_headers(a, rules);
    haproxy_map_add(a, ret->rules, id, rules_text(a, environment, route, list));
    map_put(seen, id, NULL);
    if (headers.n)
        haproxy_map_add(a, ret->headers, id, headers);
    rules_add_users(a, body, list, value_get(access, S("users")), seen, ret->users);
    for (size_t i = 0; i < value_count(allow); i++)
        rules_add_network(a, list, value_item(allow, i)->u.text, seen, ret->networks);
}

size_t haproxy_rules_count_networks(struct arena *a, const struct value *body)
{
    const struct value *routes = value_get(body, S("routes"));
    struct haproxy_map all[4] = { 0 };
    const struct haproxy_rule_maps maps = { &all[0], &all[1], &all[2], &all[3] };
    struct map seen;

    map_init(&seen, a);
    for (size_t i = 0; i < value_count(routes); i++)
        haproxy_rules_add(a, body, value_item(routes, i), &seen, &maps);
    return maps.networks->entries.n;
}
