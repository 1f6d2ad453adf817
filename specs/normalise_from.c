/* What services and jobs take from a service. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/normalise.h"

#define FROM_CHAIN_MAX 16
#define FROM_VALUES_MAX 100000 /* taken by all together, as of the aliases of a file */

static const struct str from_artifact[] = { S_INIT("source"), S_INIT("image"),
                                            S_INIT("image_wait_ms") };

/* The service named by `field` of `written`; one that is left out here may still be named. */
static const struct value *from_find(struct normalise *n, const struct value *written,
                                     struct str field)
{
    const struct value *name = value_get(written, field);
    const struct value *services = value_get(n->document, S("services"));
    const struct value *found = name ? value_get(services, name->u.text) : NULL;

    if (name && !found)
        normalise_complain(n, name->place, "reference",
                           normalise_hint(n->arena, name->u.text, services),
                           "there is no service '%.*s'", STR_ARG(name->u.text));
    return found;
}

/* The end of a chain of `field`; NULL: said already. */
static const struct value *from_end(struct normalise *n, const struct value *written,
                                    struct str field)
{
    const struct value *at = from_find(n, written, field);

    for (int i = 0; at && value_get(at, field); i++) {
        if (i == FROM_CHAIN_MAX) {
            const struct value *name = value_get(written, field);

            normalise_complain(n, name->place, "reference", STR_NONE,
                               "%.*s leads back to itself, or through more than %d services",
                               STR_ARG(field), FROM_CHAIN_MAX);
            return NULL;
        }
        at = from_find(n, at, field);
    }
    return at;
}

static void from_set_artifact(struct normalise *n, struct value *written)
{
    const struct value *end = from_end(n, written, S("image_from"));
    const struct value *from = value_get(written, S("image_from"));
    size_t n_taken = 0;

    for (size_t i = 0; i < N_ELEMENTS(from_artifact); i++) {
        const struct value *own = value_get(written, from_artifact[i]);
        const struct value_entry *taken = value_entry(end, from_artifact[i]);

        if (own && from)
            normalise_complain(n, own->place, "conflict", STR_NONE,
                               "%.*s and image_from (%.*s:%u:%u) exclude each other",
                               STR_ARG(from_artifact[i]), STR_ARG(value_file(from->place)),
                               from->place.line, from->place.column);
        if (taken)
            value_set_placed(n->arena, written, taken->key, taken->key_place, taken->value);
        n_taken += taken != NULL;
    }
    if (end && !n_taken)
        normalise_complain(n, from->place, "reference", STR_NONE,
                           "service '%.*s' has neither source nor image", STR_ARG(from->u.text));
}

/* Those of the end of the chain, and on top of them those of each service on the way; each is replaced whole. */
static struct value *from_variables(struct normalise *n, const struct value *written)
{
    const struct value *from = from_find(n, written, S("environment_from"));
    const struct value *own = value_get(written, S("environment"));
    struct value *all = from ? from_variables(n, from) : value_map(n->arena);

    NORMALISE_ENTRIES(own, e)
    {
        value_set_placed(n->arena, all, e->key, e->key_place, e->value);
    }
    return all;
}

static size_t from_count(const struct value *v)
{
    size_t n_values = 1;

    for (size_t i = 0; i < value_count(v); i++)
        n_values += from_count(v->kind == VALUE_LIST ? value_item(v, i)
                                                     : v->u.map.entries[i].value);
    return n_values;
}

/* One that is over the limit ends it for all others, and is said. */
static void from_add(struct normalise *n, const struct value *from, const struct value *taken,
                     size_t *n_values)
{
    *n_values += from_count(taken);
    if (*n_values > FROM_VALUES_MAX)
        normalise_complain(n, from->place, "limit", STR_NONE,
                           "more than %d values are taken from services", FROM_VALUES_MAX);
}

static void from_set(struct normalise *n, const struct value *all, size_t *n_values)
{
    NORMALISE_ENTRIES(all, e)
    {
        const struct value *from = value_get(e->value, S("image_from"));

        if (!from || *n_values > FROM_VALUES_MAX)
            continue;
        from_set_artifact(n, e->value);
        from_add(n, from, value_get(e->value, S("source")), n_values);
    }
    NORMALISE_ENTRIES(all, e)
    {
        const struct value *from = value_get(e->value, S("environment_from"));

        if (!from || *n_values > FROM_VALUES_MAX || !from_end(n, e->value, S("environment_from")))
            continue;
        value_set(n->arena, e->value, S("environment"), from_variables(n, e->value));
        from_add(n, from, value_get(e->value, S("environment")), n_values);
    }
}

void normalise_from(struct normalise *n)
{
    size_t n_values = 0;

    from_set(n, n->services, &n_values);
    from_set(n, n->jobs, &n_values);
}
