/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "specs/schema.h"
#include "specs/schema_path.h"
#include "specs/uncarried.h"

#define EXPLAIN_COLUMN 22

struct explain {
    struct arena *a;
    struct schema_nearest nearest;
};

static void add_field_type(struct sb *b, const struct schema_field *f)
{
    const char *name = f->type == SCHEMA_TYPE_OBJECT  ? "object"
                       : f->type == SCHEMA_TYPE_VALUE ? "text or reference"
                       : f->type == SCHEMA_TYPE_LATER ? "not supported by this version"
                                                      : scalar_name((enum scalar_type)f->type);

    switch (f->shape) {
    case SCHEMA_ONE:
        sb_addf(b, "%s%s", name, f->nested && f->type != SCHEMA_TYPE_OBJECT ? " or object" : "");
        break;
    case SCHEMA_LIST:
        sb_addf(b, "list of %s", name);
        break;
    case SCHEMA_ONE_OR_LIST:
        sb_addf(b, "%s or list of %s", name, name);
        break;
    case SCHEMA_MAP:
        sb_addf(b, "map from %s to %s", scalar_name(f->keys), name);
        break;
    }
}

static void add_words(struct sb *b, const char *label, const char *words)
{
    struct str rest = str_from_c(words), word;

    sb_addf(b, "  %s:", label);
    while (str_next(&rest, '|', &word))
        sb_addf(b, " %.*s", STR_ARG(word));
    sb_add_char(b, '\n');
}

static void add_limits(struct sb *b, const struct schema_field *f)
{
    const char *unit = f->type == SCHEMA_TYPE_DURATION ? " ms" : "";
    const char *what = f->shape == SCHEMA_LIST ? "entries" : "limits";

    if (f->max)
        sb_addf(b, "  %s: %" PRId64 " to %" PRId64 "%s\n", what, f->min, f->max, unit);
    else if (f->min)
        sb_addf(b, "  %s: at least %" PRId64 "%s\n", what, f->min, unit);
}

static void add_required(struct sb *b, const struct schema_field *f)
{
    if (f->unless)
        add_words(b, "required, unless there is one of", f->unless);
    else
        sb_add_c(b, "  required\n");
}

static void add_field_facts(struct sb *b, const struct schema_field *f)
{
    sb_add_c(b, "  type: ");
    add_field_type(b, f);
    sb_add_char(b, '\n');
    if (f->type < SCHEMA_TYPE_OBJECT && f->type != SCHEMA_TYPE_WORD && f->type != SCHEMA_TYPE_TEXT)
        sb_addf(b, "  form: %s\n", scalar_form((enum scalar_type)f->type));
    if (f->words)
        add_words(b, "allowed", f->words);
    if (f->later)
        add_words(b, "not supported by this version", f->later);
    add_limits(b, f);
    if (f->flags & SCHEMA_REQUIRED)
        add_required(b, f);
    else if (f->fallback && f->type != SCHEMA_TYPE_OBJECT)
        add_words(b, "default", f->fallback);
    if (f->instead)
        add_words(b, "in an override it stands in the place of", f->instead);
    if (f->flags & SCHEMA_EXPAND)
        sb_addf(b, "  placeholders: ${env} ${branch} ${number} ${slug}%s%s\n",
                f->flags & SCHEMA_PORT ? " ${port}" : "",
                f->flags & SCHEMA_COMMIT ? " ${commit} ${tag}" : "");
}

static void add_fields(struct sb *b, enum schema_object object)
{
    size_t n, n_variants;
    const struct schema_field *fields = schema_fields(object, &n);
    const struct schema_variant *variants = schema_variants(object, &n_variants);

    for (size_t i = 0; i < n_variants; i++)
        if (variants[i].nested) {
            sb_addf(b, "\nwith %.*s%s%.*s: %s\n", STR_ARG(variants[i].key),
                    variants[i].key.n ? " " : "", STR_ARG(variants[i].word),
                    schema_object_text(variants[i].nested));
            add_fields(b, variants[i].nested);
        }
    if (n)
        sb_add_c(b, "\nfields:\n");
    for (size_t i = 0; i < n; i++) {
        sb_addf(b, "  %-*.*s ", EXPLAIN_COLUMN, STR_ARG(fields[i].name));
        add_field_type(b, &fields[i]);
        if (fields[i].type != SCHEMA_TYPE_LATER)
            sb_addf(b, "%s; %s", fields[i].flags & SCHEMA_REQUIRED ? ", required" : "",
                    fields[i].text);
        sb_add_char(b, '\n');
    }
}

/* A field of the object or of one of its variants. */
static const struct schema_field *find_field(struct explain *e, enum schema_object object,
                                             struct str name)
{
    size_t n, n_variants;
    const struct schema_field *fields = schema_fields(object, &n), *found = NULL;
    const struct schema_variant *variants = schema_variants(object, &n_variants);

    for (size_t i = 0; i < n && !found; i++) {
        schema_nearest_try(&e->nearest, fields[i].name);
        if (str_eq(fields[i].name, name))
            found = &fields[i];
    }
    for (size_t i = 0; i < n_variants && !found; i++)
        if (variants[i].nested)
            found = find_field(e, variants[i].nested, name);
    return found;
}

static struct str explain_from(struct explain *e, enum schema_object object, struct str path)
{
    const struct schema_field *f = NULL;
    enum schema_object at = object;
    struct str rest = path, part;
    int may_skip = 0;
    struct sb b, field;

    sb_init(&field, e->a);
    while (rest.n && str_next(&rest, '.', &part)) {
        const struct schema_field *next;

        e->nearest = schema_nearest_to(part);
        next = at ? find_field(e, at, part) : NULL;
        if (!next && (!may_skip || e->nearest.name.n))
            return STR_NONE; /* a name near to a field's is a slip, not an entry of the map */
        if (next)
            sb_addf(&field, "%s%.*s", field.n ? "." : "", STR_ARG(next->name));
        may_skip = next && next->shape == SCHEMA_MAP;
        f = next ? next : at ? NULL : f; /* an entry of a map is its object */
        at = next ? next->nested : at;
    }
    sb_init(&b, e->a);
    if (f)
        sb_addf(&b, "%.*s: %s\n", STR_ARG(f->name), f->text);
    else
        sb_addf(&b, "%s\n", schema_object_text(at));
    if (f) {
        add_field_facts(&b, f);
        if (object == SCHEMA_DAEMON)
            daemon_uncarried_explain(&b, sb_str(&field));
        else
            uncarried_explain(&b, sb_str(&field));
    }
    if (at)
        add_fields(&b, f && f->type == SCHEMA_TYPE_VALUE ? SCHEMA_REFERENCE : at);
    else if (f && f->type == SCHEMA_TYPE_VALUE)
        add_fields(&b, SCHEMA_REFERENCE);
    return sb_str(&b);
}

struct str schema_explain(struct arena *a, struct str path, struct str *ret_hint)
{
    struct explain e = { .a = a };
    size_t n;
    const struct schema_variant *kinds = schema_variants(SCHEMA_DOCUMENT, &n);
    struct str rest = path, root, text = STR_NONE, hint = STR_NONE;

    (void)str_next(&rest, '.', &root); /* an empty path has no root and begins nowhere */
    for (size_t i = 0; i < n && !text.p; i++) {
        if (!kinds[i].nested)
            continue;
        if (path.n && str_eq(root, kinds[i].word))
            text = explain_from(&e, kinds[i].nested, rest);
        else if (path.n)
            text = explain_from(&e, kinds[i].nested, path);
        if (!text.p && !hint.p)
            hint = schema_nearest_hint(a, &e.nearest);
    }
    *ret_hint = text.p ? STR_NONE : hint;
    return text;
}
