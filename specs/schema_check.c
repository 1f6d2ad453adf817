/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/cron.h"
#include "base/guard.h"
#include "specs/schema.h"
#include "specs/schema_path.h"

struct schema_check {
    struct arena *a;
    struct spec_messages *m;
    int partial; /* required fields may come from another document */
};

static struct value *check_object(const struct schema_check *c, enum schema_object object,
                                  const struct value *v, const struct schema_path *path);

#define complain(c, path, place, rule, hint, ...)                                                  \
    schema_complain((c)->a, (c)->m, (path), (place), rule, (hint), __VA_ARGS__)

static const char *kind_name(const struct value *v)
{
    static const char *const names[] = {
        "null", "a boolean", "a number", "text", "a list", "a map"
    };

    return v->kind == VALUE_TEXT && v->plain && !v->u.text.n ? "nothing" : names[v->kind];
}

static struct str words_hint(const struct schema_check *c, struct str text, const char *words)
{
    struct schema_nearest n = schema_nearest_to(text);
    struct str rest = str_from_c(words), word;
    struct sb b;

    schema_nearest_try_words(&n, words);
    if (n.name.n)
        return schema_nearest_hint(c->a, &n);
    sb_init(&b, c->a);
    sb_add_c(&b, "allowed:");
    while (str_next(&rest, '|', &word))
        sb_addf(&b, " %.*s", STR_ARG(word));
    return sb_str(&b);
}

static struct value *placed(struct value *v, const struct value *from)
{
    if (v)
        v->place = from->place;
    return v;
}

static struct value *copy_text(const struct schema_check *c, const struct value *v)
{
    return placed(value_text(c->a, str_copy(c->a, v->u.text)), v);
}

static struct value *check_word(const struct schema_check *c, const struct schema_field *f,
                                const struct value *v, const struct schema_path *path)
{
    if (schema_is_word(v->u.text, f->words))
        return copy_text(c, v);
    if (schema_is_word(v->u.text, f->later))
        complain(c, path, v->place, "unsupported", STR_NONE,
                 "'%.*s' is not supported by this version", STR_ARG(v->u.text));
    else
        complain(c, path, v->place, "word", words_hint(c, v->u.text, f->words),
                 "%.*s is not one of the words allowed", STR_ARG(schema_shown(c->a, v->u.text)));
    return NULL;
}

static int number_is_outside(const struct schema_field *f, int64_t number)
{
    return f->shape != SCHEMA_LIST && (number < f->min || (f->max && number > f->max));
}

static struct value *check_number(const struct schema_check *c, const struct schema_field *f,
                                  const struct value *v, int64_t number,
                                  const struct schema_path *path)
{
    if (f->type == SCHEMA_TYPE_BOOL)
        return placed(value_bool(c->a, number != 0), v);
    if (number_is_outside(f, number)) {
        struct str least = scalar_text(c->a, (enum scalar_type)f->type, f->min);

        if (f->max)
            complain(c, path, v->place, "range", STR_NONE, "%.*s is outside %.*s to %.*s",
                     STR_ARG(v->u.text), STR_ARG(least),
                     STR_ARG(scalar_text(c->a, (enum scalar_type)f->type, f->max)));
        else
            complain(c, path, v->place, "range", STR_NONE, "%.*s is less than %.*s",
                     STR_ARG(v->u.text), STR_ARG(least));
        return NULL;
    }
    return placed(value_int(c->a, number), v);
}

/* Text whose placeholders are filled in later is judged then. */
static int waits_for_expansion(const struct schema_field *f, struct str text)
{
    return f->flags & SCHEMA_EXPAND && str_find(text, S("${")) != STR_NPOS;
}

/* What exactly is wrong with a schedule. */
static struct str form_hint(const struct schema_check *c, enum scalar_type type, struct str text)
{
    struct err err = ERR_INIT;
    struct cron unused;
    size_t at;

    if (type != SCALAR_CRON || !cron_parse(text, &unused, &at, &err))
        return STR_NONE;
    return str_copy(c->a, str_from_c(err.text));
}

static struct value *check_scalar(const struct schema_check *c, const struct schema_field *f,
                                  const struct value *v, const struct schema_path *path)
{
    enum scalar_type type = (enum scalar_type)f->type;
    const char *yaml11 = NULL;
    int64_t number;

    if (!value_is(v, VALUE_TEXT) || (v->plain && !v->u.text.n)) {
        complain(c, path, v->place, "type", STR_NONE, "must be %s, not %s", scalar_form(type),
                 kind_name(v));
        return NULL;
    }
    if (v->plain && type != SCALAR_BOOL && type != SCALAR_ANSWER)
        yaml11 = scalar_yaml11(v->u.text);
    if (yaml11 && !scalar_is_number(type)) {
        complain(c, path, v->place, "quote",
                 v->u.text.n > SCHEMA_SHOWN_MAX
                     ? S("quote it")
                     : str_fmt(c->a, "quote it: \"%.*s\"", STR_ARG(v->u.text)),
                 "YAML 1.1 reads %.*s as %s",
                 STR_ARG(v->u.text.n > SCHEMA_SHOWN_MAX ? S("this") : v->u.text), yaml11);
        return NULL;
    }
    if (waits_for_expansion(f, v->u.text))
        return copy_text(c, v);
    if (((type == SCALAR_BOOL || type == SCALAR_INT) && !v->plain) ||
        scalar_read(type, v->u.text, &number)) {
        complain(c, path, v->place, "type", form_hint(c, type, v->u.text), "%.*s is not %s",
                 STR_ARG(v->plain || v->u.text.n > SCHEMA_SHOWN_MAX
                             ? schema_shown(c->a, v->u.text)
                             : str_fmt(c->a, "\"%.*s\"", STR_ARG(v->u.text))),
                 scalar_form(type));
        return NULL;
    }
    if (scalar_is_number(type))
        return check_number(c, f, v, number, path);
    return f->words ? check_word(c, f, v, path) : copy_text(c, v);
}

/* `access: none` is `access: {type: none}`. */
static const struct value *whole_of_word(const struct schema_check *c, const struct schema_field *f,
                                         const struct value *v)
{
    size_t n;
    const struct schema_variant *variants = schema_variants(f->nested, &n);
    struct value *whole;

    if (!(f->flags & SCHEMA_BY_WORD) || !value_is(v, VALUE_TEXT))
        return v;
    whole = placed(value_map(c->a), v);
    value_set_placed(c->a, whole, variants->key, v->place, value_copy(c->a, v));
    return whole;
}

static struct value *check_one(const struct schema_check *c, const struct schema_field *f,
                               const struct value *v, const struct schema_path *path)
{
    static const struct schema_field text = { .type = SCHEMA_TYPE_TEXT, .flags = SCHEMA_EXPAND };

    switch (f->type) {
    case SCHEMA_TYPE_OBJECT:
        return check_object(c, f->nested, whole_of_word(c, f, v), path);
    case SCHEMA_TYPE_VALUE:
        return value_is(v, VALUE_MAP) ? check_object(c, SCHEMA_REFERENCE, v, path)
                                      : check_scalar(c, &text, v, path);
    default:
        return f->nested && value_is(v, VALUE_MAP) ? check_object(c, f->nested, v, path)
                                                   : check_scalar(c, f, v, path);
    }
}

static struct value *check_list(const struct schema_check *c, const struct schema_field *f,
                                const struct value *v, const struct schema_path *path)
{
    struct value *list = placed(value_list(c->a), v);
    size_t n = value_count(v);

    if (!value_is(v, VALUE_LIST) && f->shape == SCHEMA_ONE_OR_LIST) {
        value_add(c->a, list, check_one(c, f, v, path));
        return list;
    }
    if (!value_is(v, VALUE_LIST)) {
        complain(c, path, v->place, "type", STR_NONE, "must be a list, not %s", kind_name(v));
        return NULL;
    }
    if (f->shape == SCHEMA_LIST && ((int64_t)n < f->min || (f->max && (int64_t)n > f->max)))
        complain(c, path, v->place, "range", STR_NONE, "has %zu entries, %s %" PRId64, n,
                 (int64_t)n < f->min ? "at least" : "at most",
                 (int64_t)n < f->min ? f->min : f->max);
    for (size_t i = 0; i < n; i++)
        value_add(c->a, list, check_one(c, f, value_item(v, i), path));
    return list;
}

static struct value *check_map(const struct schema_check *c, const struct schema_field *f,
                               const struct value *v, const struct schema_path *path)
{
    struct value *map = placed(value_map(c->a), v);

    if (!value_is(v, VALUE_MAP)) {
        complain(c, path, v->place, "type", STR_NONE, "must be a map, not %s", kind_name(v));
        return NULL;
    }
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];
        struct schema_path inner = { path, e->key };
        int64_t unused;

        if (scalar_read(f->keys, e->key, &unused)) {
            complain(c, path, e->key_place, "name", STR_NONE, "'%.*s' is not %s", STR_ARG(e->key),
                     scalar_form(f->keys));
            continue;
        }
        value_set_placed(c->a, map, str_copy(c->a, e->key), e->key_place,
                         check_one(c, f, e->value, &inner));
    }
    return map;
}

static struct value *check_field(const struct schema_check *c, const struct schema_field *f,
                                 const struct value_entry *e, const struct schema_path *outer)
{
    struct schema_path path = { outer, f->name };
    struct schema_check inner = *c;

    inner.partial |= (f->flags & SCHEMA_PARTIAL) != 0;
    if (f->type == SCHEMA_TYPE_LATER) {
        complain(c, outer, e->key_place, "unsupported", STR_NONE,
                 "'%.*s' is not supported by this version", STR_ARG(f->name));
        return NULL;
    }
    switch (f->shape) {
    case SCHEMA_ONE:
        return check_one(&inner, f, e->value, &path);
    case SCHEMA_LIST:
    case SCHEMA_ONE_OR_LIST:
        return check_list(&inner, f, e->value, &path);
    case SCHEMA_MAP:
        return check_map(&inner, f, e->value, &path);
    }
    UNREACHABLE();
}

/* What was probably meant: that it is missing is not said as well. */
static struct str complain_unknown(const struct schema_check *c, enum schema_object object,
                                   const struct value_entry *e, const struct schema_path *path)
{
    struct schema_nearest nearest = schema_nearest_to(e->key);
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    for (size_t i = 0; i < n; i++)
        schema_nearest_try(&nearest, fields[i].name);
    complain(c, path, e->key_place, "unknown", schema_nearest_hint(c->a, &nearest),
             "unknown field '%.*s'", STR_ARG(e->key));
    return nearest.name;
}

static struct value *check_fields(const struct schema_check *c, enum schema_object object,
                                  const struct value *v, const struct schema_path *path)
{
    struct value *checked = placed(value_map(c->a), v);
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];
        const struct schema_field *f = schema_field(object, e->key);
        struct value *typed = f ? check_field(c, f, e, path) : NULL;
        struct str name = f ? f->name : complain_unknown(c, object, e, path);

        /* null: it was written, and a message says what is wrong with it */
        if (f || (name.n && !value_get(v, name)))
            value_set_placed(c->a, checked, name, e->key_place,
                             typed ? typed : placed(value_null(c->a), e->value));
    }
    for (size_t i = 0; i < n && !c->partial; i++)
        if (schema_is_missing(&fields[i], checked))
            complain(c, path, v->place, "required", STR_NONE, "'%.*s' is missing",
                     STR_ARG(fields[i].name));
    return checked;
}

/* The key that was meant to choose. */
static struct str nearest_key_hint(const struct schema_check *c, const struct value *v,
                                   const struct schema_variant *rows, size_t n)
{
    struct schema_nearest nearest = { 0 };

    for (size_t k = 0; k < value_count(v) && !nearest.name.n; k++) {
        nearest = schema_nearest_to(v->u.map.entries[k].key);
        for (size_t i = 0; i < n; i++)
            schema_nearest_try(&nearest, rows[i].word);
    }
    return schema_nearest_hint(c->a, &nearest);
}

/* The word that chooses is missing, unknown or not supported: say which ones there are. */
static void complain_variant(const struct schema_check *c, const struct value *v,
                             const struct schema_variant *rows, size_t n,
                             const struct schema_path *path)
{
    const struct value *chosen = value_get(v, rows->key);
    struct schema_nearest nearest = schema_nearest_to(value_is(chosen, VALUE_TEXT) ? chosen->u.text
                                                                                   : STR_NONE);
    struct sb b;

    sb_init(&b, c->a);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].nested)
            sb_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(rows[i].word));
        schema_nearest_try(&nearest, rows[i].word);
    }
    if (rows->key.n && !chosen)
        complain(c, path, v->place, "required", STR_NONE, "'%.*s' is missing: %s",
                 STR_ARG(rows->key), sb_str(&b).p);
    else if (rows->key.n && value_is(chosen, VALUE_TEXT))
        complain(c, path, chosen->place, "word", schema_nearest_hint(c->a, &nearest),
                 "%.*s %.*s is not one of %s", STR_ARG(rows->key),
                 STR_ARG(schema_shown(c->a, chosen->u.text)), sb_str(&b).p);
    else
        complain(c, path, chosen ? chosen->place : v->place, "type",
                 chosen ? STR_NONE : nearest_key_hint(c, v, rows, n), "must have one of %s",
                 sb_str(&b).p);
}

static struct value *check_object(const struct schema_check *c, enum schema_object object,
                                  const struct value *v, const struct schema_path *path)
{
    size_t n;
    const struct schema_variant *variants = schema_variants(object, &n), *chosen;
    struct schema_check whole = *c;

    if (!v)
        return NULL; /* the arena remembers */
    if (!value_is(v, VALUE_MAP)) {
        complain(c, path, v->place, "type", STR_NONE, "must be a map, not %s", kind_name(v));
        return NULL;
    }
    if (!variants)
        return check_fields(c, object, v, path);

    chosen = schema_variant(object, v);
    if (!chosen) {
        complain_variant(c, v, variants, n, path);
        return NULL;
    }
    if (!chosen->nested) {
        complain(c, path, v->place, "unsupported", STR_NONE,
                 "%.*s%s'%.*s' is not supported by this version", STR_ARG(chosen->key),
                 chosen->key.n ? " " : "", STR_ARG(chosen->word));
        return NULL;
    }
    whole.partial = 0; /* a variant is replaced whole, so it is whole */
    return check_fields(&whole, chosen->nested, v, path);
}

struct value *schema_check(struct arena *a, enum schema_object object, const struct value *written,
                           struct spec_messages *m)
{
    struct schema_check c = { .a = a, .m = m };

    return check_object(&c, object, written, NULL);
}
