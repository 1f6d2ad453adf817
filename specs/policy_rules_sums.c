/* What both sets of a service need together while one takes over from the other. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "specs/policy_rules_check.h"
#include "specs/scalar.h"

#define SERVER_RESERVED 3 /* connections that PostgreSQL keeps for its superuser */

static int64_t times(int64_t a, int64_t b)
{
    return __builtin_mul_overflow(a, b, &a) ? INT64_MAX : a;
}

static int64_t plus(int64_t a, int64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? INT64_MAX : a;
}

/* At most, at one time: with the set that it takes over from. */
static int64_t instances_of(const struct value *service)
{
    const struct value *replicas = value_get(service, S("replicas"));
    int64_t n = value_is(replicas, VALUE_MAP) ? value_get_int(replicas, S("max"), 1)
                                              : value_get_int(service, S("replicas"), 1);
    const struct value *rollout = value_get(service, S("rollout"));
    struct str strategy = value_get_text(rollout, S("strategy"), S("blue_green"));

    if (str_eq_c(strategy, "recreate"))
        return n;
    if (str_eq_c(strategy, "rolling"))
        return plus(n, value_get_int(rollout, S("max_unavailable"), 1));
    return times(n, 2);
}

/* --- connections --------------------------------------------------------------------------------- */

struct room { /* of a database, for those that come this way; at_most 0: not known */
    int64_t at_most;
    const char *of;
};

static struct room room_of(const struct value *database)
{
    const struct value *pooling = value_get(database, S("pooling"));
    struct str written = value_get_text(value_get(database, S("params")), S("max_connections"),
                                        S(""));
    int64_t n = 0;

    if (pooling)
        return (struct room){ value_get_int(pooling, S("max_client_conn"), 0),
                              "clients of its pool" };
    if (str_to_i64(written, &n) || n <= SERVER_RESERVED)
        return (struct room){ 0, "" };
    return (struct room){ n - SERVER_RESERVED, "connections of its server" };
}

/* A reference to it, or a join with one in it. What goes past a pool is not counted with its clients. */
static int refers_to(const struct value *v, struct str database, int has_pool)
{
    const struct value *parts = value_get(v, S("join"));

    for (size_t i = 0; i < value_count(parts); i++)
        if (refers_to(value_item(parts, i), database, has_pool))
            return 1;
    return str_eq(value_get_text(v, S("database"), S("")), database) &&
           !(has_pool && str_eq_c(value_get_text(v, S("key"), S("")), "direct_url"));
}

static int uses(const struct value *service, const struct value_entry *database)
{
    int has_pool = value_get(database->value, S("pooling")) != NULL;

    NORMALISE_ENTRIES(value_get(service, S("environment")), variable)
    if (refers_to(variable->value, database->key, has_pool))
        return 1;
    return 0;
}

static void check_database(struct normalise *n, const struct policy_rule *rule,
                           const struct value_entry *database)
{
    struct room room = room_of(database->value);
    int64_t sum = 0;

    NORMALISE_ENTRIES(n->services, service)
    {
        const struct value *each = value_at(service->value, S("connections.per_instance"));
        int64_t before = sum, instances = instances_of(service->value);

        if (!room.at_most || !value_is(each, VALUE_INT) || !uses(service->value, database))
            continue;
        sum = plus(sum, times(each->u.number, instances));
        if (sum > room.at_most && before <= room.at_most)
            complain(n, rule, service->value, each->place,
                     "database '%.*s': %" PRId64 " connections in all with %" PRId64
                     " each of up to %" PRId64 " of '%.*s' at one time, %" PRId64 " %s at most",
                     STR_ARG(database->key), sum, each->u.number, instances, STR_ARG(service->key),
                     room.at_most, room.of);
    }
}

void policy_rules_connections(struct normalise *n, const struct policy_rule *rule)
{
    NORMALISE_ENTRIES(n->databases, database)
    check_database(n, rule, database);
}

/* --- memory -------------------------------------------------------------------------------------- */

/* What it may use, else what it says that it needs. */
static const struct value *memory_of(const struct value *service)
{
    const struct value *limit = value_at(service, S("resources.limits.memory"));

    return limit ? limit : value_at(service, S("resources.reservations.memory"));
}

void policy_rules_memory(struct normalise *n, const struct policy_rule *rule)
{
    int64_t at_most = value_get_int(value_get(n->in->rule, S("ceiling")), S("memory"), 0), sum = 0;

    NORMALISE_ENTRIES(n->services, service)
    {
        const struct value *each = memory_of(service->value);
        int64_t before = sum, instances = instances_of(service->value);

        if (!at_most || !value_is(each, VALUE_INT))
            continue;
        sum = plus(sum, times(each->u.number, instances));
        if (sum > at_most && before <= at_most)
            complain(n, rule, service->value, each->place,
                     "%.*s in all with up to %" PRId64 " of '%.*s' at one time, %.*s are allowed",
                     STR_ARG(scalar_text(n->arena, SCALAR_SIZE, sum)), instances,
                     STR_ARG(service->key), STR_ARG(scalar_text(n->arena, SCALAR_SIZE, at_most)));
    }
}
