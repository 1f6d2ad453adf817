/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema.h"
#include "specs/schema_path.h"

#define MERGE_INSTEAD_MAX 8 /* more fields of one object do not exclude each other */

static struct value *merge_object(struct arena *a, enum schema_object object,
                                  const struct value *base, const struct value *over);

/* Objects with variants, lists, references and scalars are replaced whole. */
static int merge_goes_into(const struct schema_field *f)
{
    size_t n_variants;

    return f && f->type == SCHEMA_TYPE_OBJECT && !schema_variants(f->nested, &n_variants);
}

static struct value *merge_map(struct arena *a, const struct schema_field *f,
                               const struct value *base, const struct value *over)
{
    struct value *merged = value_map(a);

    if (merged)
        merged->place = base->place;
    for (size_t i = 0; i < value_count(base); i++)
        value_set_placed(a, merged, base->u.map.entries[i].key, base->u.map.entries[i].key_place,
                         base->u.map.entries[i].value);
    for (size_t i = 0; i < value_count(over); i++) {
        const struct value_entry *e = &over->u.map.entries[i], *old = value_entry(base, e->key);

        if (old && merge_goes_into(f))
            value_set_placed(a, merged, e->key, old->key_place,
                             merge_object(a, f->nested, old->value, e->value));
        else
            value_set_placed(a, merged, e->key, e->key_place, e->value);
    }
    return merged;
}

/* What of the base something of the override stands in the place of. */
struct merge_instead {
    const char *words[MERGE_INSTEAD_MAX];
    size_t n;
};

static void merge_find_instead(enum schema_object object, const struct value *over,
                               struct merge_instead *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < value_count(over) && ret->n < MERGE_INSTEAD_MAX; i++) {
        const struct schema_field *f = schema_field(object, over->u.map.entries[i].key);

        if (f && f->instead)
            ret->words[ret->n++] = f->instead;
    }
}

static int merge_is_replaced(const struct merge_instead *instead, struct str name)
{
    for (size_t i = 0; i < instead->n; i++)
        if (schema_is_word(name, instead->words[i]))
            return 1;
    return 0;
}

static struct value *merge_object(struct arena *a, enum schema_object object,
                                  const struct value *base, const struct value *over)
{
    struct value *merged = value_map(a);
    struct merge_instead instead;

    merge_find_instead(object, over, &instead);
    if (merged)
        merged->place = base ? base->place : over ? over->place : (struct value_place){ 0 };
    for (size_t i = 0; i < value_count(base); i++) {
        const struct value_entry *e = &base->u.map.entries[i];

        if (!merge_is_replaced(&instead, e->key))
            value_set_placed(a, merged, e->key, e->key_place, e->value);
    }
    for (size_t i = 0; i < value_count(over); i++) {
        const struct value_entry *e = &over->u.map.entries[i], *old = value_entry(base, e->key);
        const struct schema_field *f = schema_field(object, e->key);

        if (old && f && f->shape == SCHEMA_MAP)
            value_set_placed(a, merged, e->key, old->key_place,
                             merge_map(a, f, old->value, e->value));
        else if (old && f && f->shape == SCHEMA_ONE && merge_goes_into(f))
            value_set_placed(a, merged, e->key, old->key_place,
                             merge_object(a, f->nested, old->value, e->value));
        else
            value_set_placed(a, merged, e->key, e->key_place, e->value);
    }
    return merged;
}

struct value *schema_merge(struct arena *a, enum schema_object object, const struct value *base,
                           const struct value *over)
{
    return merge_object(a, object, base, over);
}
