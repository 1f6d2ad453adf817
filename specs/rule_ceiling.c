/* What all parts of an environment may have together. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/guard.h"
#include "specs/rule.h"
#include "specs/scalar.h"
#include "specs/schema_path.h"

/* clang-format off */
static const struct ceiling {
    struct str word, path, of; /* of the ceiling; of each part, and what it is of */
    enum scalar_type type;
    const char *mend;
} ceiling_service[] = {
    { S_INIT("cpus"),    S_INIT("resources.limits.cpus"),   S_INIT("service"),  SCALAR_CPUS,
      "resources: {limits: {cpus: NUMBER}}" },
    { S_INIT("memory"),  S_INIT("resources.limits.memory"), S_INIT("service"),  SCALAR_SIZE,
      "resources: {limits: {memory: SIZE}}" },
}, ceiling_database[] = {
    { S_INIT("storage"), S_INIT("storage"),                 S_INIT("database"), SCALAR_SIZE, "storage: SIZE" },
};
/* clang-format on */

static const struct value *ceiling_of(const struct normalise *n, struct str word)
{
    const struct value *ceiling = value_get(value_get(n->in->rule, S("ceiling")), word);

    return value_is(ceiling, VALUE_INT) ? ceiling : NULL;
}

static int64_t ceiling_times(int64_t a, int64_t b)
{
    return __builtin_mul_overflow(a, b, &a) ? INT64_MAX : a;
}

static int64_t ceiling_plus(int64_t a, int64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? INT64_MAX : a;
}

/* At most. */
static int64_t ceiling_instances(const struct value *part)
{
    const struct value *replicas = value_get(part, S("replicas"));

    return value_is(replicas, VALUE_MAP) ? value_get_int(replicas, S("max"), 1)
                                         : value_get_int(part, S("replicas"), 1);
}

/* Said where a part names nothing, and once where the sum goes over. */
static void ceiling_check(struct normalise *n, const struct ceiling *c, const struct value *parts)
{
    const struct value *ceiling = ceiling_of(n, c->word), *rule = n->in->rule;
    int64_t sum = 0;

    for (size_t i = 0; ceiling && i < value_count(parts); i++) {
        const struct value_entry *e = &parts->u.map.entries[i];
        const struct value *limit = value_at(e->value, c->path);
        int64_t before = sum;

        if (!value_is(limit, VALUE_INT)) {
            normalise_complain(
                n, e->key_place, "refused-ceiling", str_fmt(n->arena, "add %s", c->mend),
                "%.*s '%.*s' says nothing of its %.*s, of which %.*s at most is "
                "allowed in all " RULE_AT,
                STR_ARG(c->of), STR_ARG(e->key), STR_ARG(c->word),
                STR_ARG(scalar_text(n->arena, c->type, ceiling->u.number)), RULE_AT_ARG(rule));
            continue;
        }
        sum = ceiling_plus(sum, ceiling_times(limit->u.number, ceiling_instances(e->value)));
        if (sum > ceiling->u.number && before <= ceiling->u.number)
            normalise_complain(n, limit->place, "refused-ceiling", STR_NONE,
                               "%.*s: %.*s in all with %.*s '%.*s', at most %.*s is "
                               "allowed " RULE_AT,
                               STR_ARG(c->word), STR_ARG(scalar_text(n->arena, c->type, sum)),
                               STR_ARG(c->of), STR_ARG(e->key),
                               STR_ARG(scalar_text(n->arena, c->type, ceiling->u.number)),
                               RULE_AT_ARG(rule));
    }
}

void rule_check_sums(struct normalise *n)
{
    for (size_t i = 0; i < N_ELEMENTS(ceiling_service); i++)
        ceiling_check(n, &ceiling_service[i], n->services);
}

void rule_check_storage(struct normalise *n, const struct value *databases)
{
    for (size_t i = 0; i < N_ELEMENTS(ceiling_database); i++)
        ceiling_check(n, &ceiling_database[i], databases);
}

/* What this machine does costs nothing; whoever else carries it will have to say. */
void rule_check_cost(struct normalise *n, struct str what, struct str provider,
                     struct value_place place)
{
    const struct value *ceiling = ceiling_of(n, S("monthly_cost"));
    struct str driver = rule_driver(n->in->rule, provider);

    if (ceiling && !schema_is_word(driver, "process|haproxy|docker|postgres|redis|null"))
        normalise_complain(n, place, "refused-ceiling", STR_NONE,
                           "what %.*s costs is not known, and so over the %" PRId64
                           " a month that are allowed " RULE_AT,
                           STR_ARG(what), ceiling->u.number, RULE_AT_ARG(n->in->rule));
}
