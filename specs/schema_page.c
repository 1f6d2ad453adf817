/* docs/fields.md: every object and field of the grammar. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "specs/schema.h"

/* What a table or emphasis would take for its own. */
static void add_text(struct sb *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (str_find_char(S("|*<_"), text.p[i]) != STR_NPOS)
            sb_add_char(b, '\\');
        sb_add_char(b, text.p[i]);
    }
}

/* RULE_PROVIDERS: "Rule providers" to read, "rule-providers" to link. */
static void add_title(struct sb *b, enum schema_object object, char space)
{
    const char *name = schema_object_name(object);

    for (size_t i = 0; name[i]; i++)
        sb_add_char(b, name[i] == '_'             ? space
                       : (i == 0 && space == ' ') ? name[i]
                                                  : (char)(name[i] | 0x20));
}

static void add_link(struct sb *b, enum schema_object object)
{
    sb_add_char(b, '[');
    add_title(b, object, ' ');
    sb_add_c(b, "](#");
    add_title(b, object, '-');
    sb_add_char(b, ')');
}

static void add_words(struct sb *b, const char *words)
{
    struct str rest = str_from_c(words), word;
    size_t n = 0;

    while (str_next(&rest, '|', &word))
        sb_addf(b, "%s`%.*s`", n++ ? " " : "", STR_ARG(word));
}

static void add_type(struct sb *b, const struct schema_field *f)
{
    if (f->type == SCHEMA_TYPE_OBJECT) {
        add_link(b, f->nested);
        return;
    }
    if (f->type == SCHEMA_TYPE_VALUE) {
        sb_add_c(b, "text or ");
        add_link(b, SCHEMA_REFERENCE);
        return;
    }
    if (f->words)
        add_words(b, f->words);
    else
        add_text(b, str_from_c(scalar_name((enum scalar_type)f->type)));
    if (f->nested) {
        sb_add_c(b, " or ");
        add_link(b, f->nested);
    }
}

static void add_form(struct sb *b, const struct schema_field *f)
{
    if (f->shape == SCHEMA_MAP)
        sb_addf(b, "map from %s to ", scalar_name(f->keys));
    if (f->shape == SCHEMA_LIST)
        sb_add_c(b, "list of ");
    if (f->shape == SCHEMA_ONE_OR_LIST)
        sb_add_c(b, "one or a list of ");
    add_type(b, f);
    if (f->shape == SCHEMA_LIST && f->max)
        sb_addf(b, ", %" PRId64 " to %" PRId64 " of them", f->min, f->max);
    else if (f->shape == SCHEMA_LIST && f->min)
        sb_addf(b, ", at least %" PRId64, f->min);
    else if (f->max)
        sb_addf(b, ", %.*s to %.*s",
                STR_ARG(scalar_text(b->arena, (enum scalar_type)f->type, f->min)),
                STR_ARG(scalar_text(b->arena, (enum scalar_type)f->type, f->max)));
    else if (f->min)
        sb_addf(b, ", at least %.*s",
                STR_ARG(scalar_text(b->arena, (enum scalar_type)f->type, f->min)));
}

static void add_default(struct sb *b, const struct schema_field *f)
{
    if (f->unless) {
        sb_add_c(b, "required, or ");
        add_words(b, f->unless);
    } else if (f->flags & SCHEMA_REQUIRED) {
        sb_add_c(b, "required");
    } else if (f->fallback && f->type == SCHEMA_TYPE_OBJECT) {
        sb_add_c(b, "its defaults");
    } else if (f->fallback) {
        add_words(b, f->fallback);
    }
}

static void add_fields(struct sb *b, enum schema_object object)
{
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    sb_add_c(b, "| field | form | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        if (fields[i].type == SCHEMA_TYPE_LATER)
            continue;
        sb_addf(b, "| `%.*s` | ", STR_ARG(fields[i].name));
        add_form(b, &fields[i]);
        sb_add_c(b, " | ");
        add_default(b, &fields[i]);
        sb_add_c(b, " | ");
        add_text(b, str_from_c(fields[i].text));
        sb_add_c(b, " |\n");
    }
}

static void add_variants(struct sb *b, const struct schema_variant *rows, size_t n)
{
    if (rows->key.n)
        sb_addf(b, "By the word in `%.*s`:", STR_ARG(rows->key));
    else
        sb_add_c(b, "By the field that it has:");
    for (size_t i = 0; i < n; i++)
        if (rows[i].nested) {
            sb_addf(b, "%s `%.*s` ", i ? "," : "", STR_ARG(rows[i].word));
            add_link(b, rows[i].nested);
        }
    sb_add_char(b, '\n');
}

struct str schema_page(struct arena *a)
{
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b,
             "# Fields\n\nEvery object and field of `reeve/v1`, made of `specs/fields*.def`: "
             "`reeve explain FIELD` "
             "says the same of one, `reeve schema`\nof all as JSON Schema. Do not edit this page: "
             "`build/dev/tests/golden/pages update` writes it.\n");
    for (int i = SCHEMA_NO_OBJECT + 1; i < N_SCHEMA_OBJECTS; i++) {
        enum schema_object object = (enum schema_object)i;
        size_t n;
        const struct schema_variant *rows = schema_variants(object, &n);

        sb_add_c(&b, "\n## ");
        add_title(&b, object, ' ');
        sb_add_c(&b, "\n\n");
        add_text(&b, str_from_c(schema_object_text(object)));
        sb_add_c(&b, "\n\n");
        if (rows)
            add_variants(&b, rows, n);
        else
            add_fields(&b, object);
    }
    return sb_str(&b);
}
