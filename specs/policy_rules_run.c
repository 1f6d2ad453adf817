/* How services start, and what of. SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules_check.h"
#include "specs/schema_path.h"

void policy_rules_health(struct normalise *n, const struct policy_rule *rule)
{
    if (!policy_rules_is_production(n))
        return;
    NORMALISE_ENTRIES(n->services, service)
    if (!value_at(service->value, S("healthcheck.readiness")) &&
        !value_get(service->value, S("static")))
        complain(n, rule, service->value, service->key_place,
                 "service '%.*s' has no readiness check in production", STR_ARG(service->key));
}

/* As it would be typed. */
static struct str line_of(struct normalise *n, const struct value *argv)
{
    struct sb b;

    sb_init(&b, n->arena);
    for (size_t i = 0; i < value_count(argv); i++)
        sb_addf(&b, "%s%.*s", i ? " " : "", STR_ARG(value_item(argv, i)->u.text));
    return sb_str(&b);
}

void policy_rules_migrations(struct normalise *n, const struct policy_rule *rule)
{
    static const char *const commands[] = {
        "prisma migrate",    "prisma db push",      "alembic upgrade",  "db:migrate",
        "manage.py migrate", "flyway migrate",      "liquibase update", "knex migrate",
        "migration:run",     "drizzle-kit migrate", "drizzle-kit push", "dbmate up",
        "goose up",          "diesel migration run"
    };

    NORMALISE_ENTRIES(n->services, service)
    {
        const struct value *argv = value_get(service->value, S("command"));
        struct str line = line_of(n, argv);

        for (size_t i = 0; i < N_ELEMENTS(commands); i++)
            if (str_find(line, str_from_c(commands[i])) != STR_NPOS)
                complain(n, rule, service->value, argv->place, "'%s' runs whenever '%.*s' starts",
                         commands[i], STR_ARG(service->key));
    }
}

/* The tag behind the last part; "" is `latest`. */
static int is_floating(struct str image)
{
    size_t at = image.n;

    if (str_find_char(image, '@') != STR_NPOS)
        return 0;
    while (at > 0 && image.p[at - 1] != '/' && image.p[at - 1] != ':')
        at--;
    if (!at || image.p[at - 1] == '/')
        return 1;
    return schema_is_word(
        str_slice(image, at, image.n),
        "latest|main|master|develop|dev|edge|nightly|stable|lts|staging|production");
}

static void floating(struct normalise *n, const struct policy_rule *rule, const struct value *parts)
{
    NORMALISE_ENTRIES(parts, part)
    {
        const struct value *image = value_get(part->value, S("image"));

        if (value_is(image, VALUE_TEXT) && is_floating(image->u.text))
            complain(n, rule, part->value, image->place, "image '%.*s' is another one tomorrow",
                     STR_ARG(image->u.text));
    }
}

void policy_rules_images(struct normalise *n, const struct policy_rule *rule)
{
    floating(n, rule, n->services);
    floating(n, rule, n->jobs);
}

static void operators_in(struct normalise *n, const struct policy_rule *rule,
                         const struct value *of, const struct value *argv)
{
    for (size_t i = 0; i < value_count(argv); i++) {
        const struct value *item = value_item(argv, i);

        if (value_is(item, VALUE_TEXT) &&
            (schema_is_word(item->u.text, "&&|;|>|>>|<|&") || str_eq_c(item->u.text, "|") ||
             str_eq_c(item->u.text, "||")))
            complain(n, rule, of, item->place, "'%.*s' is an argument here, no shell reads it",
                     STR_ARG(item->u.text));
    }
}

void policy_rules_argvs(struct normalise *n, const struct policy_rule *rule)
{
    static const struct str argvs[] = { S_INIT("command"),
                                        S_INIT("source.build"),
                                        S_INIT("release.command"),
                                        S_INIT("verify.command"),
                                        S_INIT("healthcheck.readiness.command"),
                                        S_INIT("healthcheck.liveness.command") };

    for (size_t i = 0; i < N_ELEMENTS(argvs); i++) {
        NORMALISE_ENTRIES(n->services, service)
        operators_in(n, rule, service->value, value_at(service->value, argvs[i]));
        NORMALISE_ENTRIES(n->jobs, job)
        operators_in(n, rule, job->value, value_at(job->value, argvs[i]));
    }
    NORMALISE_ENTRIES(n->databases, database)
    operators_in(n, rule, NULL, value_at(database->value, S("seed.command")));
}
