/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/shapes.h"

#include <string.h>

#include "base/guard.h"
#include "base/vec.h"

enum row_is { ROW_SHAPE, ROW_WITH, ROW_MUST, ROW_MAY, ROW_END };

static const struct row {
    enum row_is is;
    const char *name, *type, *text;
} rows[] = {
#define SHAPE(name, text) { ROW_SHAPE, #name, NULL, text },
#define WITH(name) { ROW_WITH, #name, NULL, NULL },
#define MUST(name, type, text) { ROW_MUST, #name, type, text },
#define MAY(name, type, text) { ROW_MAY, #name, type, text },
#define END { ROW_END, NULL, NULL, NULL },
#include "reconciler/http/shapes.def"
#undef SHAPE
#undef WITH
#undef MUST
#undef MAY
#undef END
};

/* What a type is in JSON; the words of a query are texts. */
static const struct scalar {
    const char *name, *json, *member, *word; /* member: of its schema, besides the type */
    enum value_kind kind;
    const char *is_not;
} scalars[] = {
    { "text", "string", NULL, NULL, VALUE_TEXT, "text" },
    { "int", "integer", NULL, NULL, VALUE_INT, "a number" },
    { "number", "integer", "minimum", NULL, VALUE_INT, "a number" },
    { "ms", "integer", "format", "int64", VALUE_INT, "a number" },
    { "bool", "boolean", NULL, NULL, VALUE_BOOL, "true or false" },
    { "digest", "string", "pattern", "^[0-9a-f]{64}$", VALUE_TEXT, "text" },
    { "place", "string", "pattern", "^.*:[0-9]+:[0-9]+$", VALUE_TEXT, "text" },
    { "map", "object", NULL, NULL, VALUE_MAP, "an object" },
};

static const struct scalar *find_scalar(struct str type)
{
    for (size_t i = 0; i < N_ELEMENTS(scalars); i++)
        if (str_eq_c(type, scalars[i].name))
            return &scalars[i];
    return NULL;
}

static const struct row *find_shape(struct str name)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].is == ROW_SHAPE && str_eq_c(name, rows[i].name))
            return &rows[i];
    return NULL;
}

const char *shapes_name(size_t i)
{
    for (size_t k = 0; k < N_ELEMENTS(rows); k++)
        if (rows[k].is == ROW_SHAPE && !i--)
            return rows[k].name;
    return NULL;
}

const char *shapes_text(struct str name)
{
    const struct row *row = find_shape(name);

    return row ? row->text : NULL;
}

struct members {
    VEC(struct shape_member) list;
};

static void add_members(struct arena *a, const struct row *row, struct members *ret)
{
    for (row++; row->is != ROW_END; row++) {
        const struct row *other = row->is == ROW_WITH ? find_shape(str_from_c(row->name)) : NULL;
        struct shape_member *slot = other ? NULL : vec_push(a, &ret->list);

        if (other)
            add_members(a, other, ret);
        else if (slot)
            *slot = (struct shape_member){ row->name, row->type, row->text, row->is == ROW_MUST };
    }
}

size_t shapes_members(struct arena *a, struct str name, const struct shape_member **ret)
{
    const struct row *row = find_shape(name);
    struct members members = { 0 };

    if (row)
        add_members(a, row, &members);
    *ret = members.list.p;
    return members.list.n;
}

/* --- types --------------------------------------------------------------------------------------- */

/* "[TYPE]" or "{TYPE}": what is inside. */
static int is_around(struct str type, char open, struct str *ret)
{
    if (!type.n || type.p[0] != open)
        return 0;
    *ret = str_slice(type, 1, type.n - 2);
    return 1;
}

static int is_words(struct str type)
{
    return str_find_char(type, '|') != STR_NPOS && type.p[0] != '[' && type.p[0] != '{';
}

static int has_word(struct str words, struct str text)
{
    struct str word;

    while (str_next(&words, '|', &word))
        if (str_eq(word, text))
            return 1;
    return 0;
}

struct str shapes_inner(struct str name)
{
    struct str inner;

    return is_around(name, '[', &inner) ? inner : name;
}

/* --- what is asked with -------------------------------------------------------------------------- */

struct check {
    struct arena *a;
    enum shapes_form form;
    struct err *err;
};

static int check_shape(const struct check *c, struct str shape, struct str what,
                       const struct value *v);

static int check_text(const struct check *c, struct str type, struct str name,
                      const struct value *v)
{
    int64_t number;

    if (is_words(type) && (!value_is(v, VALUE_TEXT) || !has_word(type, v->u.text)))
        return err_set(c->err, ERR_USAGE, "'%.*s' is none of %.*s", STR_ARG(name), STR_ARG(type));
    if (is_words(type) || c->form == SHAPES_BODY || !str_eq_c(type, "number"))
        return 0;
    if (str_to_i64(v->u.text, &number) || number < 0)
        return err_set(c->err, ERR_USAGE, "'%.*s' is not a number", STR_ARG(name));
    return 0;
}

static int check_value(const struct check *c, struct str type, struct str name,
                       const struct value *v)
{
    const struct scalar *scalar = find_scalar(type);
    struct str inner;
    int rc = 0;

    if (c->form == SHAPES_QUERY || is_words(type))
        return check_text(c, type, name, v);
    if (is_around(type, '[', &inner)) {
        if (!value_is(v, VALUE_LIST))
            return err_set(c->err, ERR_USAGE, "'%.*s' is not a list", STR_ARG(name));
        for (size_t i = 0; !rc && i < value_count(v); i++)
            rc = check_value(c, inner, name, value_item(v, i));
        return rc;
    }
    if (scalar && !value_is(v, scalar->kind))
        return err_set(c->err, ERR_USAGE, "'%.*s' is not %s", STR_ARG(name), scalar->is_not);
    return scalar ? 0 : check_shape(c, type, str_fmt(c->a, "'%.*s'", STR_ARG(name)), v);
}

static const struct shape_member *find_member(const struct shape_member *members, size_t n,
                                              struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(name, members[i].name))
            return &members[i];
    return NULL;
}

/* A member that is not known was meant to do something. */
static int check_shape(const struct check *c, struct str shape, struct str what,
                       const struct value *v)
{
    const struct shape_member *members;
    size_t n = shapes_members(c->a, shape, &members);

    if (v && !value_is(v, VALUE_MAP))
        return err_set(c->err, ERR_USAGE, "%.*s must be an object", STR_ARG(what));
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];
        const struct shape_member *member = find_member(members, n, e->key);

        if (!member && c->form == SHAPES_QUERY)
            return err_set(c->err, ERR_USAGE, "it is not asked with '%.*s'", STR_ARG(e->key));
        if (!member)
            return err_set(c->err, ERR_USAGE, "%.*s has no member '%.*s' here", STR_ARG(what),
                           STR_ARG(e->key));
        if (check_value(c, str_from_c(member->type), e->key, e->value))
            return c->err->code;
    }
    for (size_t i = 0; i < n; i++)
        if (members[i].is_must && !value_get(v, str_from_c(members[i].name)))
            return err_set(c->err, ERR_USAGE, "%.*s lacks '%s'", STR_ARG(what), members[i].name);
    return arena_status(c->a, c->err);
}

int shapes_check(struct arena *a, struct str name, enum shapes_form form, const struct value *v,
                 struct err *err)
{
    const struct check c = { a, form, err };

    return check_shape(&c, name, form == SHAPES_QUERY ? S("the query") : S("the body"), v);
}

/* --- schemas ------------------------------------------------------------------------------------- */

static struct value *typed(struct arena *a, const char *type)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("type"), str_from_c(type));
    return v;
}

static struct value *words_json(struct arena *a, struct str words)
{
    struct value *v = typed(a, "string"), *list = value_list(a);
    struct str word;

    while (str_next(&words, '|', &word))
        value_add(a, list, value_text(a, word));
    value_set(a, v, S("enum"), list);
    return v;
}

static struct value *scalar_json(struct arena *a, const struct scalar *scalar)
{
    struct value *v = typed(a, scalar->json);

    if (scalar->word)
        value_set_text(a, v, str_from_c(scalar->member), str_from_c(scalar->word));
    else if (scalar->member)
        value_set_int(a, v, str_from_c(scalar->member), 0);
    return v;
}

struct value *shapes_type_json(struct arena *a, struct str type)
{
    const struct scalar *scalar = find_scalar(type);
    struct value *v, *part;
    struct str inner;
    int is_list;

    if (scalar)
        return scalar_json(a, scalar);
    if (str_eq_c(type, "any"))
        return value_map(a);
    if (is_words(type))
        return words_json(a, type);
    is_list = is_around(type, '[', &inner);
    if (is_list || is_around(type, '{', &inner)) {
        part = shapes_type_json(a, inner);
        v = typed(a, is_list ? "array" : "object");
        if (part)
            value_set(a, v, is_list ? S("items") : S("additionalProperties"), part);
        return part ? v : NULL;
    }
    if (!find_shape(type))
        return NULL;
    v = value_map(a);
    value_set_text(a, v, S("$ref"), str_fmt(a, "#/components/schemas/%.*s", STR_ARG(type)));
    return v;
}

struct value *shapes_json(struct arena *a, struct str name, enum shapes_more more)
{
    const struct shape_member *members;
    size_t n = shapes_members(a, name, &members);
    struct value *v = typed(a, "object"), *properties = value_map(a), *required = value_list(a);

    value_set_text(a, v, S("description"), str_from_c(shapes_text(name)));
    for (size_t i = 0; i < n; i++) {
        struct value *one = shapes_type_json(a, str_from_c(members[i].type));

        if (*members[i].text)
            value_set_text(a, one, S("description"), str_from_c(members[i].text));
        value_set(a, properties, str_from_c(members[i].name), one);
        if (members[i].is_must)
            value_add(a, required, value_text(a, str_from_c(members[i].name)));
    }
    value_set(a, v, S("properties"), properties);
    if (value_count(required))
        value_set(a, v, S("required"), required);
    if (more == SHAPES_CLOSED)
        value_set(a, v, S("additionalProperties"), value_bool(a, 0));
    return v;
}
