/* docs/fields.md and docs/man/reeve*.5.scd: every object and field of the grammar. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/guard.h"
#include "base/scdoc.h"
#include "specs/schema.h"

/* The same table for two readers: Markdown of docs/, and scdoc of docs/man/. */
struct page {
    struct sb b;
    enum page_style { PAGE_MARKDOWN, PAGE_MAN } style;
};

/* What a table or emphasis would take for its own. */
static void add_text(struct page *p, struct str text)
{
    if (p->style == PAGE_MAN) {
        scdoc_text(&p->b, text);
        return;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (str_find_char(S("|*<_"), text.p[i]) != STR_NPOS)
            sb_add_char(&p->b, '\\');
        sb_add_char(&p->b, text.p[i]);
    }
}

/* As it would be written in a spec. */
static void add_code(struct page *p, struct str word)
{
    const char *mark = p->style == PAGE_MAN ? "*" : "`";

    sb_add_c(&p->b, mark);
    if (p->style == PAGE_MAN)
        scdoc_text(&p->b, word);
    else
        sb_add(&p->b, word);
    sb_add_c(&p->b, mark);
}

/* RULE_PROVIDERS: "Rule providers" to read, "rule-providers" to link. */
static void add_title(struct page *p, enum schema_object object, char space)
{
    const char *name = schema_object_name(object);

    for (size_t i = 0; name[i]; i++)
        sb_add_char(&p->b, name[i] == '_'             ? space
                           : (i == 0 && space == ' ') ? name[i]
                                                      : (char)(name[i] | 0x20));
}

static void add_link(struct page *p, enum schema_object object)
{
    if (p->style == PAGE_MAN) {
        sb_add_char(&p->b, '_');
        add_title(p, object, ' ');
        sb_add_char(&p->b, '_');
        return;
    }
    sb_add_char(&p->b, '[');
    add_title(p, object, ' ');
    sb_add_c(&p->b, "](#");
    add_title(p, object, '-');
    sb_add_char(&p->b, ')');
}

static void add_words(struct page *p, const char *words)
{
    struct str rest = str_from_c(words), word;
    size_t n = 0;

    while (str_next(&rest, '|', &word)) {
        if (n++)
            sb_add_char(&p->b, ' ');
        add_code(p, word);
    }
}

static void add_type(struct page *p, const struct schema_field *f)
{
    if (f->type == SCHEMA_TYPE_OBJECT) {
        add_link(p, f->nested);
        return;
    }
    if (f->type == SCHEMA_TYPE_VALUE) {
        sb_add_c(&p->b, "text or ");
        add_link(p, SCHEMA_REFERENCE);
        return;
    }
    if (f->words)
        add_words(p, f->words);
    else
        add_text(p, str_from_c(scalar_name((enum scalar_type)f->type)));
    if (f->nested) {
        sb_add_c(&p->b, " or ");
        add_link(p, f->nested);
    }
}

static void add_form(struct page *p, const struct schema_field *f)
{
    struct arena *a = p->b.arena;

    if (f->shape == SCHEMA_MAP)
        sb_addf(&p->b, "map from %s to ", scalar_name(f->keys));
    if (f->shape == SCHEMA_LIST)
        sb_add_c(&p->b, "list of ");
    if (f->shape == SCHEMA_ONE_OR_LIST)
        sb_add_c(&p->b, "one or a list of ");
    add_type(p, f);
    if (f->shape == SCHEMA_LIST && f->max)
        sb_addf(&p->b, ", %" PRId64 " to %" PRId64 " of them", f->min, f->max);
    else if (f->shape == SCHEMA_LIST && f->min)
        sb_addf(&p->b, ", at least %" PRId64, f->min);
    else if (f->max)
        sb_addf(&p->b, ", %.*s to %.*s", STR_ARG(scalar_text(a, (enum scalar_type)f->type, f->min)),
                STR_ARG(scalar_text(a, (enum scalar_type)f->type, f->max)));
    else if (f->min)
        sb_addf(&p->b, ", at least %.*s",
                STR_ARG(scalar_text(a, (enum scalar_type)f->type, f->min)));
}

static void add_default(struct page *p, const struct schema_field *f)
{
    if (f->unless) {
        sb_add_c(&p->b, "required, or ");
        add_words(p, f->unless);
    } else if (f->flags & SCHEMA_REQUIRED) {
        sb_add_c(&p->b, "required");
    } else if (f->fallback && f->type == SCHEMA_TYPE_OBJECT) {
        sb_add_c(&p->b, "its defaults");
    } else if (f->fallback) {
        add_words(p, f->fallback);
    }
}

static void add_row(struct page *p, const struct schema_field *f)
{
    sb_add_c(&p->b, "| ");
    add_code(p, f->name);
    sb_add_c(&p->b, " | ");
    add_form(p, f);
    sb_add_c(&p->b, " | ");
    add_default(p, f);
    sb_add_c(&p->b, " | ");
    add_text(p, str_from_c(f->text));
    sb_add_c(&p->b, " |\n");
}

static void add_paragraph(struct page *p, const struct schema_field *f)
{
    int has_default = f->unless || f->fallback || f->flags & SCHEMA_REQUIRED;

    add_code(p, f->name);
    sb_add_c(&p->b, " ");
    add_form(p, f);
    if (has_default)
        sb_add_c(&p->b, f->unless || f->flags & SCHEMA_REQUIRED ? "; " : "; default: ");
    add_default(p, f);
    sb_add_c(&p->b, "\n\t");
    add_text(p, str_from_c(f->text));
    sb_add_c(&p->b, "\n\n");
}

static void add_fields(struct page *p, enum schema_object object)
{
    size_t n;
    const struct schema_field *fields = schema_fields(object, &n);

    if (p->style == PAGE_MARKDOWN)
        sb_add_c(&p->b, "| field | form | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        if (fields[i].type == SCHEMA_TYPE_LATER)
            continue;
        if (p->style == PAGE_MAN)
            add_paragraph(p, &fields[i]);
        else
            add_row(p, &fields[i]);
    }
}

static void add_variants(struct page *p, const struct schema_variant *rows, size_t n)
{
    if (rows->key.n) {
        sb_add_c(&p->b, "By the word in ");
        add_code(p, rows->key);
        sb_add_char(&p->b, ':');
    } else {
        sb_add_c(&p->b, "By the field that it has:");
    }
    for (size_t i = 0; i < n; i++)
        if (rows[i].nested) {
            sb_add_c(&p->b, i ? ", " : " ");
            add_code(p, rows[i].word);
            sb_add_char(&p->b, ' ');
            add_link(p, rows[i].nested);
        }
    sb_add_char(&p->b, '\n');
}

static void add_object(struct page *p, enum schema_object object)
{
    size_t n;
    const struct schema_variant *rows = schema_variants(object, &n);

    sb_add_c(&p->b, "\n## ");
    add_title(p, object, ' ');
    sb_add_c(&p->b, "\n\n");
    add_text(p, str_from_c(schema_object_text(object)));
    sb_add_c(&p->b, "\n\n");
    if (rows)
        add_variants(p, rows, n);
    else
        add_fields(p, object);
}

struct str schema_page(struct arena *a)
{
    struct page p = { .style = PAGE_MARKDOWN };

    sb_init(&p.b, a);
    sb_add_c(&p.b,
             "# Fields\n\nEvery object and field of `reeve/v1`, made of `specs/fields*.def`: "
             "`reeve explain FIELD` "
             "says the same of one, `reeve schema`\nof all as JSON Schema. Do not edit this page: "
             "`build/dev/tests/golden/pages update` writes it.\n");
    for (int i = SCHEMA_NO_OBJECT + 1; i < N_SCHEMA_OBJECTS; i++)
        add_object(&p, (enum schema_object)i);
    return sb_str(&p.b);
}

/* --- man pages ----------------------------------------------------------------------------------- */

/* What can stand below `object`, itself first. */
static void mark_below(unsigned char seen[N_SCHEMA_OBJECTS], enum schema_object object)
{
    size_t n_fields, n_rows;
    const struct schema_field *fields = schema_fields(object, &n_fields);
    const struct schema_variant *rows = schema_variants(object, &n_rows);

    if (object == SCHEMA_NO_OBJECT || seen[object])
        return;
    seen[object] = 1;
    for (size_t i = 0; i < n_fields; i++)
        if (fields[i].type != SCHEMA_TYPE_LATER)
            mark_below(seen,
                       fields[i].type == SCHEMA_TYPE_VALUE ? SCHEMA_REFERENCE : fields[i].nested);
    for (size_t i = 0; i < n_rows; i++)
        mark_below(seen, rows[i].nested);
}

struct str schema_man(struct arena *a, const struct schema_man *man)
{
    unsigned char seen[N_SCHEMA_OBJECTS] = { 0 };
    struct page p = { .style = PAGE_MAN };

    sb_init(&p.b, a);
    sb_add_c(&p.b, man->head);
    for (size_t i = 0; i < N_ELEMENTS(man->roots); i++) {
        mark_below(seen, man->roots[i]);
        if (man->roots[i])
            add_object(&p, man->roots[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(man->roots); i++)
        seen[man->roots[i]] = 0; /* they came first */
    for (int i = SCHEMA_NO_OBJECT + 1; i < N_SCHEMA_OBJECTS; i++)
        if (seen[i])
            add_object(&p, (enum schema_object)i);
    sb_add_c(&p.b, man->tail);
    return sb_str(&p.b);
}
