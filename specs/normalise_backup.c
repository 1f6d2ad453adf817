/* Copies of databases. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/refs.h"
#include "specs/rule.h"

static void set_encryption(struct normalise *n, struct value *desired, const struct value *in)
{
    const struct value *encryption = value_get(in, S("encryption"));
    struct value *copy = value_copy_content(n->arena, encryption);

    if (!encryption)
        return;
    value_set(n->arena, copy, S("key"),
              refs_secret_for(n, value_get(encryption, S("key")), "backup"));
    value_set(n->arena, desired, S("encryption"), copy);
}

static struct value *destination_of(struct normalise *n, const struct value *written)
{
    static const struct str keys[] = { S_INIT("access_key"), S_INIT("secret_key") };
    struct value *copy = value_copy_content(n->arena, written);

    rule_check_bucket(n, written);
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        if (value_get(written, keys[i]))
            value_set(n->arena, copy, keys[i],
                      refs_secret_for(n, value_get(written, keys[i]), "backup"));
    if (!value_get(written, keys[0]) != !value_get(written, keys[1]))
        normalise_complain(n, written->place, "required", STR_NONE,
                           "destination: access_key and secret_key go together");
    return copy;
}

static void set_destinations(struct normalise *n, struct value *desired, const struct value *in)
{
    const struct value *written = value_get(in, S("destination"));
    struct value *list = value_list(n->arena);

    if (written && !value_count(written))
        normalise_complain(n, written->place, "range", STR_NONE, "destination: there is none");
    for (size_t i = 0; i < value_count(written); i++)
        value_add(n->arena, list, destination_of(n, value_item(written, i)));
    value_set(n->arena, desired, S("destination"), list);
}

static void check_retention(struct normalise *n, const struct value *in)
{
    const struct value *retention = value_get(in, S("retention"));
    int64_t kept = 0;

    NORMALISE_ENTRIES(retention, e)
    {
        kept += value_is(e->value, VALUE_INT) ? e->value->u.number : 0;
    }
    if (retention && !kept)
        normalise_complain(n, retention->place, "range", STR_NONE, "retention: no copy is kept");
}

static void check_drill(struct normalise *n, const struct value *drill)
{
    const struct value *checks = value_get(drill, S("checks"));

    normalise_check_environment(n, value_at(drill, S("target.environment")));
    for (size_t i = 0; i < value_count(checks); i++) {
        const struct value *check = value_item(checks, i);

        if (value_get(check, S("sql")) && !value_get(check, S("min")) &&
            !value_get(check, S("max")) && !value_get(check, S("equals")))
            normalise_complain(n, check->place, "required", STR_NONE,
                               "checks: 'min', 'max' or 'equals' says what the answer must be");
    }
}

void normalise_backup(struct normalise *n, const struct value_entry *backup,
                      struct spec_resource *ret)
{
    static const struct str taken[] = { S_INIT("database"),     S_INIT("schedule"),
                                        S_INIT("tz"),           S_INIT("max_age_ms"),
                                        S_INIT("retention"),    S_INIT("before_release"),
                                        S_INIT("restore_drill") };
    const struct value *in = backup->value, *name = value_get(in, S("database"));
    struct value *desired = value_map(n->arena);

    ret->provider = rule_provider(n, "backups", value_get(in, S("provider")), ret->place);
    normalise_take_all(n, desired, in, taken);
    set_encryption(n, desired, in);
    set_destinations(n, desired, in);
    check_retention(n, in);
    check_drill(n, value_get(in, S("restore_drill")));
    if (name && !value_get(n->databases, name->u.text))
        normalise_complain(n, name->place, "reference",
                           normalise_hint(n->arena, name->u.text, n->databases),
                           "there is no database '%.*s'", STR_ARG(name->u.text));
    else if (name)
        refs_need(n, ret, "database", name->u.text);
    ret->desired = desired;
}
