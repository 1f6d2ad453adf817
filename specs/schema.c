/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema.h"

#include "specs/notify_events.h"

/* Rows of one object stand together: FIRST_x is the index of its first field, LAST_x one behind its
 * last. The _BEFORE names step back, so that a marker takes no index. */
enum schema_index {
#define OBJECT(id, text) SCHEMA_FIRST_##id, SCHEMA_BEFORE_FIRST_##id = SCHEMA_FIRST_##id - 1,
#define FIELD(object, name, type, text, ...) SCHEMA_FIELD_##object##_##name,
#define END(id) SCHEMA_LAST_##id, SCHEMA_BEFORE_LAST_##id = SCHEMA_LAST_##id - 1,
#include "specs/fields.def"
    N_SCHEMA_FIELDS
};

static const struct schema_field schema_rows[N_SCHEMA_FIELDS] = {
#define FIELD(object, field_name, field_type, documentation, ...)                                  \
    { .name = S_INIT(#field_name),                                                                 \
      .type = SCHEMA_TYPE_##field_type,                                                            \
      .text = documentation,                                                                       \
      __VA_ARGS__ },
#include "specs/fields.def"
};

static const struct schema_object_row {
    const char *name, *text;
    size_t first, last;
} schema_objects[N_SCHEMA_OBJECTS] = {
#define OBJECT(id, documentation)                                                                  \
    [SCHEMA_##id] = { #id, documentation, SCHEMA_FIRST_##id, SCHEMA_LAST_##id },
#include "specs/fields.def"
};

static const struct schema_variant schema_variant_rows[] = {
#define VARIANT(of, key, word, nested) { SCHEMA_##of, S_INIT(key), S_INIT(word), nested },
#include "specs/fields.def"
};

const struct schema_field *schema_fields(enum schema_object object, size_t *ret_n)
{
    const struct schema_object_row *row = &schema_objects[object];

    *ret_n = row->last - row->first;
    return &schema_rows[row->first];
}

const struct schema_field *schema_field(enum schema_object object, struct str name)
{
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    for (size_t i = 0; i < n; i++)
        if (str_eq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

int schema_is_missing(const struct schema_field *f, const struct value *in)
{
    struct str rest = str_from_c(f->unless), word;

    if (!(f->flags & SCHEMA_REQUIRED) || value_get(in, f->name))
        return 0;
    while (str_next(&rest, '|', &word))
        if (value_get(in, word))
            return 0;
    return 1;
}

const char *schema_object_name(enum schema_object object)
{
    return schema_objects[object].name;
}

const char *schema_object_text(enum schema_object object)
{
    return schema_objects[object].text;
}

const struct schema_variant *schema_variants(enum schema_object object, size_t *ret_n)
{
    const struct schema_variant *first = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < sizeof(schema_variant_rows) / sizeof(schema_variant_rows[0]); i++) {
        if (schema_variant_rows[i].object != object)
            continue;
        if (!first)
            first = &schema_variant_rows[i];
        (*ret_n)++;
    }
    return first;
}

const struct schema_variant *schema_variant(enum schema_object object, const struct value *map)
{
    size_t n;
    const struct schema_variant *variants = schema_variants(object, &n);

    for (size_t i = 0; i < n; i++) {
        const struct schema_variant *v = &variants[i];

        if (v->key.n ? str_eq(value_get_text(map, v->key, STR_NONE), v->word)
                     : value_get(map, v->word) != NULL)
            return v;
    }
    return NULL;
}
