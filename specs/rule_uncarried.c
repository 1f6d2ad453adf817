/* What no provider of this version carries, held against the rule all the same. SPDX-License-Identifier: Apache-2.0
 *
 * Who asks for more than the rule allows hears that; who asks for what is allowed, that nobody carries it
 * here. Nothing of it is passed over in silence. */
#include "base/guard.h"
#include "specs/refs.h"
#include "specs/rule.h"

#define FOR_ENTRIES(of, e)                                                                         \
    for (size_t e##_i = 0; e##_i < value_count(of); e##_i++)                                       \
        for (const struct value_entry *e = &(of)->u.map.entries[e##_i]; e; e = NULL)

static void check_databases(struct normalise *n, const struct value *databases)
{
    rule_check_storage(n, databases);
    FOR_ENTRIES(databases, database)
    {
        rule_check_cost(n, str_fmt(n->arena, "database '%.*s'", STR_ARG(database->key)),
                        database->key_place);
        rule_check_seed(n, value_at(database->value, S("seed.from.environment")));
        rule_check_seed(n, value_at(database->value, S("refresh.from.environment")));
    }
}

static void check_backups(struct normalise *n, const struct value *backups)
{
    FOR_ENTRIES(backups, backup)
    {
        const struct value *places = value_get(backup->value, S("destination"));

        for (size_t i = 0; i < value_count(places); i++)
            rule_check_bucket(n, value_item(places, i));
        refs_check_secret(n, value_at(backup->value, S("encryption.key.secret")), "backup");
    }
}

static void check_notifications(struct normalise *n, const struct value *list)
{
    for (size_t i = 0; i < value_count(list); i++) {
        refs_check_secret(n, value_at(value_item(list, i), S("url.secret")), "notify");
        refs_check_secret(n, value_at(value_item(list, i), S("key.secret")), "notify");
    }
}

static void check_image(struct normalise *n, const struct value *image)
{
    rule_check_image(n, image);
    rule_check_cost(n, str_fmt(n->arena, "image '%.*s'", STR_ARG(image->u.text)), image->place);
}

static void check_build_secrets(struct normalise *n, const struct value *names)
{
    for (size_t i = 0; i < value_count(names); i++)
        refs_check_secret(n, value_item(names, i), "build");
}

/* clang-format off */
static const struct uncarried {
    struct str path;   /* of the environment, or of a service */
    const char *what;
    void (*check)(struct normalise *n, const struct value *v);
} of_environment[] = {
    { S_INIT("databases"),     "databases",     check_databases },
    { S_INIT("backups"),       "backups",       check_backups },
    { S_INIT("notifications"), "notifications", check_notifications },
}, of_service[] = {
    { S_INIT("image"),         "images",            check_image },
    { S_INIT("source.secrets"), "secrets of builds", check_build_secrets },
};
/* clang-format on */

static void check_one(struct normalise *n, const struct uncarried *row, const struct value *in)
{
    const struct value *v = value_at(in, row->path);
    size_t n_before = n->m->n_errors;

    if (!v)
        return;
    row->check(n, v);
    if (n->m->n_errors == n_before)
        normalise_complain(n, v->place, "unsupported", STR_NONE,
                           "no provider of this version carries %s", row->what);
}

void rule_check_uncarried(struct normalise *n)
{
    for (size_t i = 0; i < N_ELEMENTS(of_environment); i++)
        check_one(n, &of_environment[i], n->document);
    FOR_ENTRIES(n->services, service)
    for (size_t i = 0; i < N_ELEMENTS(of_service); i++)
        check_one(n, &of_service[i], service->value);
}
