/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema.h"
#include "specs/schema_path.h"

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

/* Something of the override stands in the place of that field. */
static int merge_is_replaced(enum schema_object object, struct str name, const struct value *over)
{
    for (size_t i = 0; i < value_count(over); i++) {
        const struct schema_field *f = schema_field(object, over->u.map.entries[i].key);

        if (f && schema_is_word(name, f->instead))
            return 1;
    }
    return 0;
}

static struct value *merge_object(struct arena *a, enum schema_object object,
                                  const struct value *base, const struct value *over)
{
    struct value *merged = value_map(a);

    if (merged)
        merged->place = base ? base->place : over ? over->place : (struct value_place){ 0 };
    for (size_t i = 0; i < value_count(base); i++) {
        const struct value_entry *e = &base->u.map.entries[i];

        if (!merge_is_replaced(object, e->key, over))
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
