/* Data that could be read, lost or dropped. SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules_check.h"
#include "specs/schema_path.h"

#define WEAK_MODES "disable|allow|prefer"

/* "..?schema=public&sslmode=prefer" */
static struct str sslmode_of(struct str text)
{
    size_t at = str_find(text, S("sslmode=")), end;

    if (at == STR_NPOS)
        return STR_NONE;
    text = str_slice(text, at + 8, text.n);
    for (end = 0; end < text.n && text.p[end] >= 'a' && text.p[end] <= 'z'; end++)
        ;
    return str_slice(text, 0, end);
}

static void weak_sslmode(struct normalise *n, const struct policy_rule *rule,
                         const struct value *of, const struct value_entry *variable)
{
    struct str mode = value_is(variable->value, VALUE_TEXT) ? sslmode_of(variable->value->u.text)
                                                            : STR_NONE;

    if (mode.n && schema_is_word(mode, WEAK_MODES))
        complain(n, rule, of, variable->value->place, "%.*s says sslmode=%.*s",
                 STR_ARG(variable->key), STR_ARG(mode));
}

void policy_rules_sslmodes(struct normalise *n, const struct policy_rule *rule)
{
    if (policy_rules_is_development(n))
        return;
    policy_rules_each_variable(n, rule, weak_sslmode);
    NORMALISE_ENTRIES(n->databases, database)
    {
        const struct value *mode = value_get(database->value, S("sslmode"));

        if (value_is(mode, VALUE_TEXT) && schema_is_word(mode->u.text, WEAK_MODES))
            complain(n, rule, NULL, mode->place, "database '%.*s': sslmode is %.*s",
                     STR_ARG(database->key), STR_ARG(mode->u.text));
    }
}

static int has_backup(const struct normalise *n, struct str database)
{
    NORMALISE_ENTRIES(n->backups, backup)
    if (str_eq(value_get_text(backup->value, S("database"), S("")), database))
        return 1;
    return 0;
}

void policy_rules_backups(struct normalise *n, const struct policy_rule *rule)
{
    if (!policy_rules_is_production(n))
        return;
    NORMALISE_ENTRIES(n->databases, database)
    if (!has_backup(n, database->key))
        complain(n, rule, NULL, database->key_place, "database '%.*s' has no backup in production",
                 STR_ARG(database->key));
}

static void deletion(struct normalise *n, const struct policy_rule *rule, const char *what,
                     const struct value_entry *e)
{
    const struct value *policy = value_get(e->value, S("deletion_policy"));

    if (value_is(policy, VALUE_TEXT) && str_eq_c(policy->u.text, "delete") &&
        !str_eq_c(value_get_text(e->value, S("use"), S("")), "cache"))
        complain(n, rule, NULL, policy->place, "%s '%.*s' goes with its block", what,
                 STR_ARG(e->key));
}

void policy_rules_deletions(struct normalise *n, const struct policy_rule *rule)
{
    if (policy_rules_is_development(n) || n->in->preview.p)
        return;
    NORMALISE_ENTRIES(n->databases, database)
    deletion(n, rule, "database", database);
    NORMALISE_ENTRIES(n->redis, redis)
    deletion(n, rule, "redis", redis);
}

/* A cache drops what it holds unless it says otherwise. */
static int may_evict(const struct value *redis)
{
    int is_cache = str_eq_c(value_get_text(redis, S("use"), S("")), "cache");

    return !str_eq_c(
        value_get_text(redis, S("eviction"), is_cache ? S("allkeys-lru") : S("noeviction")),
        "noeviction");
}

static void queue_variable(struct normalise *n, const struct policy_rule *rule,
                           const struct value *of, const struct value_entry *variable)
{
    static const char *const names[] = { "QUEUE", "BROKER", "BULL", "CELERY", "SIDEKIQ", NULL };
    struct str name = value_get_text(variable->value, S("redis"), S(""));
    const struct value *redis = value_get(n->redis, name);

    if (redis && may_evict(redis) && policy_rules_has_any(variable->key, names))
        complain(n, rule, of, variable->value->place,
                 "%.*s is a queue in redis '%.*s', which may drop what it holds",
                 STR_ARG(variable->key), STR_ARG(name));
}

void policy_rules_queues(struct normalise *n, const struct policy_rule *rule)
{
    NORMALISE_ENTRIES(n->redis, redis)
    {
        const struct value *eviction = value_get(redis->value, S("eviction"));

        if (eviction && may_evict(redis->value) &&
            str_eq_c(value_get_text(redis->value, S("use"), S("")), "queue"))
            complain(n, rule, NULL, eviction->place,
                     "redis '%.*s' is a queue and may drop what it holds", STR_ARG(redis->key));
    }
    policy_rules_each_variable(n, rule, queue_variable);
}
