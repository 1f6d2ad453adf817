/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/url.h"
#include "base/utf8.h"

#define SPEC_TEXT_MAX 600u       /* of one message; foreign text in it may be long */
#define SPEC_CARET_LINE_MAX 160u /* bytes; longer lines are not shown */

int spec_schema_change(struct str word)
{
    static const char *const words[] = { "none", "expand", "contract", "irreversible" };

    for (int i = 0; i < 4; i++)
        if (str_eq_c(word, words[i]))
            return i;
    return -1;
}

void spec_messages_init(struct spec_messages *m, struct arena *a)
{
    *m = (struct spec_messages){ .arena = a, .max = SPEC_MESSAGES_MAX };
}

static int spec_compare_places(const struct value_place *a, const struct value_place *b)
{
    int order = str_cmp(value_file(*a), value_file(*b));

    if (!order)
        order = (a->line > b->line) - (a->line < b->line);
    return order ? order : (a->column > b->column) - (a->column < b->column);
}

static int spec_compare(const void *one, const void *two)
{
    const struct spec_message *a = one, *b = two;
    int order = spec_compare_places(&a->place, &b->place);

    if (!order)
        order = (a->severity > b->severity) - (a->severity < b->severity);
    if (!order)
        order = str_cmp(a->rule, b->rule);
    return order ? order : str_cmp(a->text, b->text);
}

static size_t spec_hash(const struct spec_message *m)
{
    const struct str parts[] = { value_file(m->place), m->rule, m->text };
    uint64_t hash = 14695981039346656037u ^ m->place.line ^ (uint64_t)m->place.column << 32;

    for (size_t i = 0; i < N_ELEMENTS(parts); i++)
        for (size_t k = 0; k < parts[i].n; k++)
            hash = (hash ^ (unsigned char)parts[i].p[k]) * 1099511628211u; /* FNV-1a */
    return (size_t)(hash ^ hash >> 32);
}

/* Where it is, or a free slot; there always is one. */
static uint32_t *spec_slot(const struct spec_messages *m, const struct spec_message *wanted)
{
    size_t at = spec_hash(wanted) & (m->n_slots - 1);

    while (m->slots[at] && spec_compare(&m->list.p[m->slots[at] - 1], wanted))
        at = (at + 1) & (m->n_slots - 1);
    return &m->slots[at];
}

/* Slots for what is kept and one more; 0 when there is no memory. */
static int spec_make_room(struct spec_messages *m)
{
    size_t n = m->n_slots ? m->n_slots : 64;
    uint32_t *slots;

    while (n < (m->list.n + 1) * 2)
        n *= 2;
    if (n == m->n_slots)
        return 1;
    slots = arena_new_n(m->arena, uint32_t, n);
    if (!slots)
        return 0; /* the arena remembers */
    m->slots = slots;
    m->n_slots = n;
    for (size_t i = 0; i < m->list.n; i++)
        *spec_slot(m, &m->list.p[i]) = (uint32_t)i + 1;
    return 1;
}

static void spec_keep(struct spec_messages *m, const struct spec_message *message)
{
    struct spec_message *slot = spec_make_room(m) ? vec_push(m->arena, &m->list) : NULL;
    uint32_t *index;

    if (!slot)
        return; /* the arena remembers */
    *slot = *message;
    index = spec_slot(m, message);
    if (!*index)
        *index = (uint32_t)m->list.n;
}

/* It stands in most messages of a file, once. */
static const struct str *spec_file_name(struct spec_messages *m, const struct str *name)
{
    const struct str *last = m->list.n ? m->list.p[m->list.n - 1].place.file : NULL;

    if (!name || (last && str_eq(*last, *name)))
        return name ? last : NULL;
    return value_place_copy(m->arena, (struct value_place){ .file = name }).file;
}

void spec_message_add(struct spec_messages *m, enum spec_severity severity,
                      struct value_place place, struct str rule, struct str hint, const char *fmt,
                      ...)
{
    struct spec_message added = { severity, place, STR_NONE, rule, hint };
    char text[SPEC_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a longer text is cut */
    va_end(ap);
    url_hide_logins(text, strlen(text));
    utf8_trim(text);
    added.text = str_from_c(text);
    if (!spec_make_room(m) || *spec_slot(m, &added))
        return;
    m->n_errors += severity == SPEC_ERROR;
    if (m->list.n >= m->max)
        return; /* enough of them */
    added.place.file = spec_file_name(m, place.file);
    added.text = str_copy(m->arena, added.text);
    added.hint = str_copy(m->arena, hint);
    spec_keep(m, &added);
}

void spec_messages_join(struct spec_messages *m, const struct spec_messages *more)
{
    m->n_errors += more->n_errors;
    for (size_t i = 0; i < more->list.n && m->list.n < m->max; i++)
        spec_keep(m, &more->list.p[i]);
}

void spec_messages_sort(struct spec_messages *m)
{
    if (m->list.n)
        qsort(m->list.p, m->list.n, sizeof(*m->list.p), spec_compare);
    m->n_slots = 0; /* they have moved: the next one finds them again */
}

/* What a terminal takes for something else stands for itself in words. */
static void spec_add_shown(struct sb *b, struct str text)
{
    for (size_t at = 0, n; at < text.n; at += n ? n : 1) {
        uint32_t c;

        n = utf8_decode(str_slice(text, at, text.n), &c);
        if (!n)
            sb_addf(b, "\\x{%02x}", (unsigned char)text.p[at]);
        else if (utf8_is_unseen(c))
            sb_addf(b, "\\u{%x}", c);
        else
            sb_add(b, str_slice(text, at, n));
    }
}

/* The line and a caret under the column; columns are code points, as are those of the place. A secret that is
 * written out is not shown once more: what checks specs keeps its output. */
static void spec_add_caret(struct sb *b, const struct spec_message *m, struct str line)
{
    uint32_t column = 1, end = str_eq_c(m->rule, "secret-literal") ? m->place.column : UINT32_MAX;
    char shown[SPEC_CARET_LINE_MAX];

    if (!line.n || line.n > SPEC_CARET_LINE_MAX) /* an empty one shows nothing */
        return;
    memcpy(shown, line.p, line.n);
    url_hide_logins(shown, line.n);
    line.p = shown;
    sb_add(b, S("    "));
    for (size_t at = 0, n; at < line.n && column < end; at += n ? n : 1, column++) {
        uint32_t c;

        n = utf8_decode(str_slice(line, at, line.n), &c);
        if (!n || utf8_is_unseen(c))
            sb_add_char(b, line.p[at] == '\t' ? ' ' : '?');
        else
            sb_add(b, str_slice(line, at, n));
    }
    sb_addf(b, "%s\n    ", column < end ? "" : "***");
    for (column = 1; column < m->place.column; column++)
        sb_add_char(b, ' ');
    sb_add(b, S("^\n"));
}

void spec_message_format(struct sb *b, const struct spec_message *m, struct str line, int colour)
{
    static const struct {
        const char *word, *colour;
    } severities[] = {
        [SPEC_ERROR] = { "error", "\033[1;31m" },
        [SPEC_WARNING] = { "warning", "\033[1;33m" },
    };
    const char *reset = colour ? "\033[0m" : "";

    spec_add_shown(b, value_file(m->place));
    if (m->place.line)
        sb_addf(b, ":%u:%u", m->place.line, m->place.column);
    sb_addf(b, "%s%s%s%s: ", value_file(m->place).n ? ": " : "",
            colour ? severities[m->severity].colour : "", severities[m->severity].word, reset);
    spec_add_shown(b, m->text);
    sb_addf(b, " [%.*s]\n", STR_ARG(m->rule));
    if (line.p && m->place.line)
        spec_add_caret(b, m, line);
    if (m->hint.n) {
        sb_add(b, S("    "));
        spec_add_shown(b, m->hint);
        sb_add_char(b, '\n');
    }
}

const char *spec_message_level(const struct spec_message *m)
{
    return m->severity == SPEC_ERROR ? "error" : "warning";
}

struct value *spec_message_value(struct arena *a, const struct spec_message *m, struct str file)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("severity"), str_from_c(spec_message_level(m)));
    value_set_text(a, v, S("file"), file);
    value_set_int(a, v, S("line"), m->place.line);
    value_set_int(a, v, S("column"), m->place.column);
    value_set_text(a, v, S("text"), m->text);
    value_set_text(a, v, S("rule"), m->rule);
    if (m->hint.n)
        value_set_text(a, v, S("hint"), m->hint);
    return v;
}

struct str spec_line(struct spec_lines *l, struct str text, uint32_t n)
{
    if (l->text.p != text.p || n < l->n)
        *l = (struct spec_lines){ .text = text, .rest = text };
    for (; l->n < n; l->n++)
        if (!str_next(&l->rest, '\n', &l->line))
            return STR_NONE;
    return n && str_ends(l->line, S("\r")) ? str_slice(l->line, 0, l->line.n - 1) : l->line;
}
