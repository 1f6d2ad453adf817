/* Databases. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/normalise.h"
#include "specs/rule.h"

static void check_mask(struct normalise *n, const struct value *from)
{
    const struct value *mask = value_get(from, S("mask"));

    if (mask && n->in->trees && !map_has(n->in->trees, mask->u.text))
        normalise_complain(n, mask->place, "path", STR_NONE, "'%.*s' is not in the repository",
                           STR_ARG(mask->u.text));
}

static void check_from(struct normalise *n, const struct value *of)
{
    const struct value *environment = value_at(of, S("from.environment"));

    normalise_check_environment(n, environment);
    rule_check_seed(n, environment);
}

/* How it is seeded goes with what it is seeded from. */
static void check_seed(struct normalise *n, const struct value *seed, struct value *copy)
{
    const struct value *command = value_get(seed, S("command")), *from = value_get(seed, S("from"));
    const struct value *service = value_get(seed, S("service"));
    struct str mode = value_get_text(seed, S("mode"), command ? S("command") : S("clone"));
    int is_clone = str_eq_c(mode, "clone");

    if (is_clone ? !from : !command)
        normalise_complain(n, seed->place, "required", STR_NONE, "seed: mode %.*s needs '%s'",
                           STR_ARG(mode), is_clone ? "from" : "command");
    if (command && from)
        normalise_complain(n, command->place, "conflict", STR_NONE,
                           "seed: command and from (%.*s:%u:%u) exclude each other",
                           STR_ARG(value_file(from->place)), from->place.line, from->place.column);
    if (service && !value_get(n->services, service->u.text))
        normalise_complain(n, service->place, "reference",
                           normalise_hint(n->arena, service->u.text, n->services),
                           "there is no service '%.*s'", STR_ARG(service->u.text));
    value_set_text(n->arena, copy, S("mode"), mode);
}

static int refers_to(const struct value *service, struct str database)
{
    static const struct str maps[] = { S_INIT("environment"), S_INIT("release.environment") };

    for (size_t i = 0; i < N_ELEMENTS(maps); i++)
        NORMALISE_ENTRIES(value_at(service, maps[i]), variable)
        {
            if (str_eq(value_get_text(variable->value, S("database"), STR_NONE), database))
                return 1;
        }
    return 0;
}

/* Whose artifact and variables a command has, where nobody is named. */
static void set_seed_service(struct normalise *n, const struct value_entry *database,
                             const struct value *seed, struct value *copy)
{
    struct str first = STR_NONE;

    if (!value_get(seed, S("command")) || value_get(seed, S("service")))
        return;
    NORMALISE_ENTRIES(n->services, service)
    {
        if (refers_to(service->value, database->key) &&
            (!first.p || str_cmp(service->key, first) < 0))
            first = service->key;
    }
    if (first.p)
        value_set_text(n->arena, copy, S("service"), first);
    else
        normalise_complain(n, seed->place, "required", S("add service: NAME"),
                           "seed: no service refers to database '%.*s', so none has the command",
                           STR_ARG(database->key));
}

static void set_seed(struct normalise *n, struct value *desired, const struct value_entry *database)
{
    const struct value *seed = value_get(database->value, S("seed"));
    struct value *copy = value_copy_content(n->arena, seed);

    if (!seed)
        return;
    check_seed(n, seed, copy);
    set_seed_service(n, database, seed, copy);
    check_mask(n, seed);
    check_from(n, seed);
    value_set(n->arena, desired, S("seed"), copy);
}

static void check_refresh(struct normalise *n, const struct value *in)
{
    const struct value *refresh = value_get(in, S("refresh"));

    check_mask(n, refresh);
    check_from(n, refresh);
}

void normalise_database(struct normalise *n, const struct value_entry *database,
                        struct spec_resource *ret)
{
    static const struct str taken[] = {
        S_INIT("engine"),  S_INIT("version"),    S_INIT("storage"),        S_INIT("replicas"),
        S_INIT("sslmode"), S_INIT("extensions"), S_INIT("params"),         S_INIT("pooling"),
        S_INIT("pitr"),    S_INIT("refresh"),    S_INIT("deletion_policy")
    };
    const struct value *in = database->value;
    struct value *desired = value_map(n->arena);

    ret->provider = rule_provider(n, "databases", value_get(in, S("provider")), ret->place);
    normalise_take_all(n, desired, in, taken);
    set_seed(n, desired, database);
    check_refresh(n, in);
    rule_check_cost(n, str_fmt(n->arena, "database '%.*s'", STR_ARG(database->key)), ret->provider,
                    ret->place);
    ret->desired = desired;
}

/* What depends on its use. */
void normalise_redis(struct normalise *n, const struct value_entry *redis,
                     struct spec_resource *ret)
{
    static const struct str taken[] = { S_INIT("version"), S_INIT("use"), S_INIT("maxmemory"),
                                        S_INIT("deletion_policy") };
    const struct value *in = redis->value;
    int is_cache = str_eq_c(value_get_text(in, S("use"), S("")), "cache");
    struct value *desired = value_map(n->arena);

    ret->provider = rule_provider(n, "redis", value_get(in, S("provider")), ret->place);
    normalise_take_all(n, desired, in, taken);
    value_set_text(
        n->arena, desired, S("eviction"),
        value_get_text(in, S("eviction"), is_cache ? S("allkeys-lru") : S("noeviction")));
    value_set_text(n->arena, desired, S("persistence"),
                   value_get_text(in, S("persistence"), is_cache ? S("none") : S("rdb")));
    rule_check_cost(n, str_fmt(n->arena, "redis '%.*s'", STR_ARG(redis->key)), ret->provider,
                    ret->place);
    ret->desired = desired;
}
