/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/schema.h"
#include "specs/schema_path.h"

struct fill {
    const struct schema_fill *in;
    int without_port; /* inside a reference of a field that has no ${port} */
};

static struct value *fill_object(const struct fill *c, enum schema_object object,
                                 const struct value *checked, const struct schema_path *path);

#define complain(c, path, place, rule, hint, ...)                                                  \
    schema_complain((c)->in->arena, (c)->in->m, (path), (place), rule, (hint), __VA_ARGS__)

/* What a ${name} stands for here; p NULL: nothing. */
static struct str fill_known(const struct fill *c, const struct schema_field *f, struct str name)
{
    const struct {
        const char *name;
        struct str text;
        unsigned flags; /* that the field has to have */
    } known[] = {
        { "env", c->in->environment, 0 },
        { "branch", c->in->branch, 0 },
        { "number", c->in->number, 0 },
        { "slug", c->in->slug, 0 },
        { "commit", c->in->commit, SCHEMA_COMMIT },
        { "tag", c->in->tag, SCHEMA_COMMIT },
        { "port", S("${port}"), SCHEMA_PORT },
    };

    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (str_eq_c(name, known[i].name) && (f->flags & known[i].flags) == known[i].flags)
            return c->without_port && known[i].flags == SCHEMA_PORT ? STR_NONE : known[i].text;
    return STR_NONE;
}

/* One ${name}; 0 when it was added or may stay, else a message was made. */
static int fill_placeholder(const struct fill *c, const struct schema_field *f, struct sb *b,
                            struct str name, const struct value *v, const struct schema_path *path)
{
    struct str known = fill_known(c, f, name);

    if (known.p) {
        sb_add(b, known);
        return 0;
    }
    if (str_eq_c(name, "port"))
        complain(c, path, v->place, "placeholder", STR_NONE, "${port} is not known here");
    else if (str_eq_c(name, "tag") && f->flags & SCHEMA_COMMIT)
        complain(c, path, v->place, "placeholder", STR_NONE,
                 "${tag} is known where the environment follows a tag");
    else if (schema_is_word(name, "commit|tag"))
        complain(c, path, v->place, "placeholder", S("it is known in `image`"),
                 "${%.*s} would make every commit a change of this resource", STR_ARG(name));
    else if (str_eq_c(name, "number") && c->in->slug.p)
        complain(c, path, v->place, "placeholder", S("${slug} is known for branches too"),
                 "${number} is known in previews of pull requests only");
    else if (schema_is_word(name, "number|slug"))
        complain(c, path, v->place, "placeholder", STR_NONE, "${%.*s} is known in previews only",
                 STR_ARG(name));
    else
        complain(c, path, v->place, "placeholder",
                 S("known: ${env}, ${branch} and, where an instance runs, ${port}; $${ stands for "
                   "${ itself"),
                 "${%.*s} is unknown", STR_ARG(name));
    return -1;
}

static struct value *fill_text(const struct fill *c, const struct schema_field *f,
                               const struct value *v, const struct schema_path *path)
{
    struct str rest = v->u.text;
    struct sb b;
    size_t at, end;

    sb_init(&b, c->in->arena);
    while ((at = str_find(rest, S("${"))) != STR_NPOS) {
        if (at && rest.p[at - 1] == '$') {
            sb_add(&b, str_slice(rest, 0, at - 1));
            sb_add_c(&b, "${");
            rest = str_slice(rest, at + 2, rest.n);
            continue;
        }
        sb_add(&b, str_slice(rest, 0, at));
        rest = str_slice(rest, at + 2, rest.n);
        end = str_find_char(rest, '}');
        if (end == STR_NPOS) {
            complain(c, path, v->place, "placeholder", S("$${ stands for ${ itself"),
                     "'${' without '}'");
            return NULL;
        }
        if (fill_placeholder(c, f, &b, str_slice(rest, 0, end), v, path))
            return NULL;
        rest = str_slice(rest, end + 1, rest.n);
    }
    sb_add(&b, rest);
    return value_text(c->in->arena, sb_str(&b));
}

static struct str fill_file(const struct fill *c, struct str path)
{
    if (!c->in->directory.p || str_starts(path, S("/")))
        return path;
    return str_fmt(c->in->arena, "%.*s/%.*s", STR_ARG(c->in->directory), STR_ARG(path));
}

static struct str fill_lower(const struct fill *c, struct str host)
{
    char *p = str_to_c(c->in->arena, host);

    for (size_t i = 0; p && i < host.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] | 0x20);
    return p ? (struct str){ p, host.n } : STR_NONE;
}

/* Text of a field, with placeholders and directories put in and judged once more. */
static struct value *fill_scalar(const struct fill *c, const struct schema_field *f,
                                 const struct value *v, const struct schema_path *path)
{
    struct value *filled = NULL;
    int64_t unused;

    if (value_is(v, VALUE_INT))
        filled = value_int(c->in->arena, v->u.number);
    else if (value_is(v, VALUE_BOOL))
        filled = value_bool(c->in->arena, v->u.truth);
    else if (f->type == SCHEMA_TYPE_FILE)
        filled = value_text(c->in->arena, fill_file(c, v->u.text));
    else if (f->flags & SCHEMA_EXPAND && str_find(v->u.text, S("${")) != STR_NPOS)
        filled = fill_text(c, f, v, path);
    else
        filled = value_text(c->in->arena, v->u.text);
    if (!filled)
        return NULL;
    if (value_is(filled, VALUE_TEXT) && f->type != SCHEMA_TYPE_VALUE &&
        scalar_read((enum scalar_type)f->type, filled->u.text, &unused))
        complain(c, path, v->place, "type", STR_NONE, "%.*s is not %s",
                 STR_ARG(schema_shown(c->in->arena, filled->u.text)),
                 scalar_form((enum scalar_type)f->type));
    if (f->type == SCHEMA_TYPE_HOST || f->type == SCHEMA_TYPE_HOST_GLOB)
        filled->u.text = fill_lower(c, filled->u.text);
    filled->place = v->place;
    return filled;
}

static struct value *fill_one(const struct fill *c, const struct schema_field *f,
                              const struct value *v, const struct schema_path *path)
{
    struct fill inner = *c;

    if (f->nested && value_is(v, VALUE_MAP))
        return fill_object(c, f->nested, v, path);
    if (f->type != SCHEMA_TYPE_VALUE || !value_is(v, VALUE_MAP))
        return fill_scalar(c, f, v, path);
    inner.without_port |= !(f->flags & SCHEMA_PORT);
    return fill_object(&inner, SCHEMA_REFERENCE, v, path);
}

static struct value *fill_field(const struct fill *c, const struct schema_field *f,
                                const struct value *v, const struct schema_path *outer)
{
    struct schema_path path = { outer, f->name };
    struct value *filled;

    if (f->shape == SCHEMA_ONE)
        return fill_one(c, f, v, &path);
    filled = f->shape == SCHEMA_MAP ? value_map(c->in->arena) : value_list(c->in->arena);
    if (filled)
        filled->place = v->place;
    for (size_t i = 0; i < value_count(v) && f->shape == SCHEMA_MAP; i++) {
        const struct value_entry *e = &v->u.map.entries[i];
        struct schema_path inner = { &path, e->key };

        value_set_placed(c->in->arena, filled, e->key, e->key_place,
                         fill_one(c, f, e->value, &inner));
    }
    for (size_t i = 0; i < value_count(v) && f->shape != SCHEMA_MAP; i++)
        value_add(c->in->arena, filled, fill_one(c, f, value_item(v, i), &path));
    return filled;
}

static struct value *fill_default_scalar(const struct fill *c, const struct schema_field *f,
                                         struct str written)
{
    int64_t number;

    PRE(!scalar_read((enum scalar_type)f->type, written, &number)); /* the table is right */
    if (f->type == SCHEMA_TYPE_BOOL)
        return value_bool(c->in->arena, number != 0);
    if (scalar_is_number((enum scalar_type)f->type))
        return value_int(c->in->arena, number);
    return value_text(c->in->arena, f->type == SCHEMA_TYPE_FILE ? fill_file(c, written) : written);
}

static struct value *fill_default(const struct fill *c, const struct schema_field *f,
                                  const struct schema_path *outer)
{
    struct schema_path path = { outer, f->name };
    struct str rest = str_from_c(f->fallback), word;
    struct value *list;

    if (!f->fallback)
        return NULL;
    if (f->type == SCHEMA_TYPE_OBJECT)
        return fill_object(c, f->nested, NULL, &path);
    if (f->shape == SCHEMA_ONE)
        return fill_default_scalar(c, f, rest);
    list = value_list(c->in->arena);
    while (str_next(&rest, '|', &word))
        value_add(c->in->arena, list, fill_default_scalar(c, f, word));
    return list;
}

static struct str fill_name(const struct fill *c, const struct schema_field *f)
{
    if (c->in->names == SCHEMA_NAMES_KEPT || f->type != SCHEMA_TYPE_DURATION)
        return f->name;
    return str_fmt(c->in->arena, "%.*s_ms", STR_ARG(f->name));
}

static struct value *fill_object(const struct fill *c, enum schema_object object,
                                 const struct value *checked, const struct schema_path *path)
{
    const struct schema_variant *variant = schema_variant(object, checked);
    struct value *filled = value_map(c->in->arena);
    size_t n;
    const struct schema_field *fields = schema_fields(variant ? variant->nested : object, &n);

    if (filled && checked)
        filled->place = checked->place;
    for (size_t i = 0; i < n; i++) {
        const struct value_entry *e = value_entry(checked, fields[i].name);

        if (e && e->value->kind == VALUE_NULL)
            continue; /* said already */
        if (e)
            value_set_placed(c->in->arena, filled, fill_name(c, &fields[i]), e->key_place,
                             fill_field(c, &fields[i], e->value, path));
        else if (fields[i].fallback)
            value_set(c->in->arena, filled, fill_name(c, &fields[i]),
                      fill_default(c, &fields[i], path));
        else if (schema_is_missing(&fields[i], checked))
            complain(c, path, checked ? checked->place : (struct value_place){ 0 }, "required",
                     STR_NONE, "'%.*s' is missing", STR_ARG(fields[i].name));
    }
    return filled;
}

struct value *schema_fill(const struct schema_fill *f, enum schema_object object,
                          const struct value *checked, struct str path)
{
    struct fill c = { .in = f };
    struct schema_path at = { NULL, path };

    return fill_object(&c, object, checked, path.n ? &at : NULL);
}
