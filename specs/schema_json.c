/* The grammar as JSON Schema 2020-12. SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

/* An object stands twice where it may be a part of a whole: then nothing is required. */
enum { WHOLE, PARTIAL, N_FORMS };

struct schema_json {
    struct arena *a;
    struct value *defs;
    unsigned char is_made[N_SCHEMA_OBJECTS][N_FORMS];
};

static struct value *object_json(struct schema_json *j, enum schema_object object, int form);

static const char *pattern_of(enum scalar_type type)
{
    static const char *const patterns[N_SCALARS] = {
#define PATTERN(id, expression) [SCALAR_##id] = expression,
#include "specs/scalar_patterns.def"
#undef PATTERN
    };

    return patterns[type];
}

static struct value *text_json(struct schema_json *j, const char *text)
{
    return value_text(j->a, str_from_c(text));
}

static struct value *with(struct schema_json *j, const char *key, struct value *v)
{
    struct value *map = value_map(j->a);

    value_set(j->a, map, str_from_c(key), v);
    return map;
}

static struct value *reference(struct schema_json *j, enum schema_object object, int form)
{
    struct str name = str_fmt(j->a, "%s%s", schema_object_name(object),
                              form == PARTIAL ? "-partial" : "");

    if (!j->is_made[object][form]) {
        j->is_made[object][form] = 1;
        value_set(j->a, j->defs, name, object_json(j, object, form));
    }
    return with(j, "$ref", value_text(j->a, str_fmt(j->a, "#/$defs/%.*s", STR_ARG(name))));
}

/* "7" and 7 are the same word to us; "1.2" is a number to whoever reads YAML. */
static struct value *words_json(struct schema_json *j, const char *words)
{
    struct value *list = value_list(j->a), *any = value_list(j->a), *said = with(j, "enum", list);
    struct str rest = str_from_c(words), word;
    int64_t number;
    int has_fraction = 0;

    while (str_next(&rest, '|', &word)) {
        value_add(j->a, list, value_text(j->a, word));
        if (!str_to_i64(word, &number))
            value_add(j->a, list, value_int(j->a, number));
        else if (word.n && word.p[0] >= '0' && word.p[0] <= '9')
            has_fraction = 1;
    }
    if (!has_fraction)
        return said;
    value_add(j->a, any, said);
    value_add(j->a, any, with(j, "type", text_json(j, "number")));
    return with(j, "anyOf", any);
}

/* A plain number is text where text may be one. */
static struct value *text_or_number(struct schema_json *j, enum scalar_type type)
{
    struct value *both;
    int64_t unused;

    if (scalar_read(type, S("7"), &unused))
        return text_json(j, "string");
    both = value_list(j->a);
    value_add(j->a, both, text_json(j, "string"));
    value_add(j->a, both, text_json(j, "number"));
    return both;
}

static struct value *any_scalar(struct schema_json *j)
{
    struct value *types = value_list(j->a);

    value_add(j->a, types, text_json(j, "string"));
    value_add(j->a, types, text_json(j, "number"));
    value_add(j->a, types, text_json(j, "boolean"));
    return types;
}

static struct value *scalar_json(struct schema_json *j, const struct schema_field *f)
{
    enum scalar_type type = (enum scalar_type)f->type;
    const char *pattern = pattern_of(type);
    struct value *v;

    if (type == SCALAR_BOOL)
        return with(j, "type", text_json(j, "boolean"));
    if (type == SCALAR_INT) {
        v = with(j, "type", text_json(j, "integer"));
        if (f->shape != SCHEMA_LIST)
            value_set_int(j->a, v, S("minimum"), f->min);
        if (f->shape != SCHEMA_LIST && f->max)
            value_set_int(j->a, v, S("maximum"), f->max);
        return v;
    }
    if (type == SCALAR_ANSWER)
        return with(j, "type", any_scalar(j));
    if (f->words && !(f->flags & SCHEMA_EXPAND))
        return words_json(j, f->words);
    v = with(j, "type", text_or_number(j, type));
    if (pattern)
        value_set_text(j->a, v, S("pattern"),
                       str_fmt(j->a, "^%s$%s", pattern, f->flags & SCHEMA_EXPAND ? "|\\$\\{" : ""));
    return v;
}

/* Words that choose a variant which needs nothing else. */
static struct value *lone_words(struct schema_json *j, enum schema_object object)
{
    struct value *words = value_list(j->a);
    size_t n, n_fields;
    const struct schema_variant *rows = schema_variants(object, &n);

    for (size_t i = 0; i < n; i++) {
        const struct schema_field *fields = schema_fields(rows[i].nested, &n_fields);
        size_t n_required = 0;

        for (size_t k = 0; rows[i].nested && k < n_fields; k++)
            n_required += (fields[k].flags & SCHEMA_REQUIRED) != 0;
        if (n_required == 1)
            value_add(j->a, words, value_text(j->a, rows[i].word));
    }
    return words;
}

static struct value *either(struct schema_json *j, struct value *one, struct value *other)
{
    struct value *any = value_list(j->a);

    value_add(j->a, any, one);
    value_add(j->a, any, other);
    return with(j, "anyOf", any);
}

static struct value *one_json(struct schema_json *j, const struct schema_field *f, int form)
{
    static const struct schema_field text = { .type = SCHEMA_TYPE_TEXT, .flags = SCHEMA_EXPAND };

    switch (f->type) {
    case SCHEMA_TYPE_OBJECT:
        return f->flags & SCHEMA_BY_WORD ? either(j, with(j, "enum", lone_words(j, f->nested)),
                                                  reference(j, f->nested, form))
                                         : reference(j, f->nested, form);
    case SCHEMA_TYPE_VALUE:
        return either(j, scalar_json(j, &text), reference(j, SCHEMA_REFERENCE, WHOLE));
    default:
        return f->nested ? either(j, scalar_json(j, f), reference(j, f->nested, form))
                         : scalar_json(j, f);
    }
}

static struct value *list_json(struct schema_json *j, const struct schema_field *f, int form)
{
    struct value *list = with(j, "type", text_json(j, "array"));

    value_set(j->a, list, S("items"), one_json(j, f, form));
    if (f->shape == SCHEMA_LIST && f->min)
        value_set_int(j->a, list, S("minItems"), f->min);
    if (f->shape == SCHEMA_LIST && f->max)
        value_set_int(j->a, list, S("maxItems"), f->max);
    return list;
}

static struct value *map_json(struct schema_json *j, const struct schema_field *f, int form)
{
    struct value *map = with(j, "type", text_json(j, "object"));
    const char *pattern = pattern_of(f->keys);

    if (pattern)
        value_set(j->a, map, S("propertyNames"),
                  with(j, "pattern", value_text(j->a, str_fmt(j->a, "^%s$", pattern))));
    value_set(j->a, map, S("additionalProperties"), one_json(j, f, form));
    return map;
}

static struct value *written_json(struct schema_json *j, const struct schema_field *f,
                                  struct str written)
{
    int64_t number;

    if (f->type == SCHEMA_TYPE_BOOL)
        return value_bool(j->a, str_eq_c(written, "true"));
    if (f->type == SCHEMA_TYPE_INT && !str_to_i64(written, &number))
        return value_int(j->a, number);
    return value_text(j->a, written);
}

static struct value *default_json(struct schema_json *j, const struct schema_field *f)
{
    struct str rest = str_from_c(f->fallback), word;
    struct value *list;

    if (!f->fallback || f->type == SCHEMA_TYPE_OBJECT)
        return NULL;
    if (f->shape == SCHEMA_ONE)
        return written_json(j, f, rest);
    list = value_list(j->a);
    while (str_next(&rest, '|', &word))
        value_add(j->a, list, written_json(j, f, word));
    return list;
}

static struct value *field_json(struct schema_json *j, const struct schema_field *f, int form)
{
    struct value *v = NULL, *fallback = default_json(j, f);

    if (f->flags & SCHEMA_PARTIAL)
        form = PARTIAL;
    switch (f->shape) {
    case SCHEMA_ONE:
        v = one_json(j, f, form);
        break;
    case SCHEMA_LIST:
        v = list_json(j, f, form);
        break;
    case SCHEMA_ONE_OR_LIST:
        v = either(j, one_json(j, f, form), list_json(j, f, form));
        break;
    case SCHEMA_MAP:
        v = map_json(j, f, form);
        break;
    }
    value_set(j->a, v, S("description"), text_json(j, f->text));
    if (fallback)
        value_set(j->a, v, S("default"), fallback);
    return v;
}

/* A required field, or one that stands in its place. */
static struct value *one_of_them(struct schema_json *j, const struct schema_field *f)
{
    struct str rest = str_from_c(f->unless), name = f->name;
    struct value *any = value_list(j->a);

    do {
        struct value *names = value_list(j->a);

        value_add(j->a, names, value_text(j->a, name));
        value_add(j->a, any, with(j, "required", names));
    } while (str_next(&rest, '|', &name));
    return with(j, "anyOf", any);
}

static struct value *fields_json(struct schema_json *j, enum schema_object object, int form)
{
    struct value *v = with(j, "type", text_json(j, "object")), *properties = value_map(j->a);
    struct value *required = value_list(j->a), *either_is_there = value_list(j->a);
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    for (size_t i = 0; i < n; i++) {
        if (fields[i].type == SCHEMA_TYPE_LATER)
            continue;
        value_set(j->a, properties, fields[i].name, field_json(j, &fields[i], form));
        if (form == WHOLE && fields[i].unless)
            value_add(j->a, either_is_there, one_of_them(j, &fields[i]));
        else if (form == WHOLE && fields[i].flags & SCHEMA_REQUIRED)
            value_add(j->a, required, value_text(j->a, fields[i].name));
    }
    value_set(j->a, v, S("description"), text_json(j, schema_object_text(object)));
    value_set(j->a, v, S("properties"), properties);
    if (value_count(required))
        value_set(j->a, v, S("required"), required);
    if (value_count(either_is_there))
        value_set(j->a, v, S("allOf"), either_is_there);
    value_set(j->a, v, S("additionalProperties"), value_bool(j->a, 0));
    return v;
}

/* One of several by the word in a field: whoever reads the schema says what is wrong with the one meant. */
static struct value *by_word(struct schema_json *j, const struct schema_variant *rows, size_t n)
{
    struct value *v = with(j, "type", text_json(j, "object")), *words = value_list(j->a);
    struct value *required = value_list(j->a), *all = value_list(j->a);

    value_add(j->a, required, value_text(j->a, rows->key));
    for (size_t i = 0; i < n; i++) {
        struct value *condition, *step = value_map(j->a);
        char *key = str_to_c(j->a, rows->key);

        if (!rows[i].nested || !key)
            continue;
        value_add(j->a, words, value_text(j->a, rows[i].word));
        condition = with(j, "properties",
                         with(j, key, with(j, "const", value_text(j->a, rows[i].word))));
        value_set(j->a, condition, S("required"), required);
        value_set(j->a, step, S("if"), condition);
        value_set(j->a, step, S("then"), reference(j, rows[i].nested, WHOLE));
        value_add(j->a, all, step);
    }
    value_set(j->a, v, S("required"), required);
    value_set(j->a, v, S("properties"),
              with(j, str_fmt(j->a, "%.*s", STR_ARG(rows->key)).p, with(j, "enum", words)));
    value_set(j->a, v, S("allOf"), all);
    return v;
}

static struct value *object_json(struct schema_json *j, enum schema_object object, int form)
{
    size_t n;
    const struct schema_variant *rows = schema_variants(object, &n);
    struct value *any = value_list(j->a);

    if (!rows)
        return fields_json(j, object, form);
    if (rows->key.n)
        return by_word(j, rows, n);
    for (size_t i = 0; i < n; i++)
        if (rows[i].nested)
            value_add(j->a, any, reference(j, rows[i].nested, WHOLE));
    return with(j, "anyOf", any);
}

/* In one letter or another: "daemon" is Daemon. */
static int is_kind(struct str asked, struct str kind)
{
    return asked.n == kind.n && asked.n && (asked.p[0] | 0x20) == (kind.p[0] | 0x20) &&
           str_eq(str_slice(asked, 1, asked.n), str_slice(kind, 1, kind.n));
}

struct value *schema_json(struct arena *a, struct str kind)
{
    struct schema_json j = { .a = a, .defs = value_map(a) };
    enum schema_object object = kind.n ? SCHEMA_NO_OBJECT : SCHEMA_DOCUMENT;
    size_t n;
    const struct schema_variant *kinds = schema_variants(SCHEMA_DOCUMENT, &n);
    struct value *body, *schema = value_map(a);

    for (size_t i = 0; kind.n && i < n; i++)
        if (is_kind(kind, kinds[i].word))
            object = kinds[i].nested;
    if (!object)
        return NULL;
    body = object_json(&j, object, WHOLE);
    value_set_text(a, schema, S("$schema"), S(DIALECT));
    value_set_text(a, schema, S("title"),
                   object == SCHEMA_DOCUMENT
                       ? S("reeve/v1")
                       : str_fmt(a, "reeve/v1 %s", schema_object_name(object)));
    for (size_t i = 0; i < value_count(body); i++)
        value_set(a, schema, body->u.map.entries[i].key, body->u.map.entries[i].value);
    value_set(a, schema, S("$defs"), j.defs);
    return schema;
}
