/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/weaken_words.h"

#include "base/guard.h"
#include "base/utf8.h"
#include "reconciler/core/render.h"
#include "specs/json_io.h"
#include "specs/reference.h"

/* --- values -------------------------------------------------------------------------------------- */

static void add_flow(struct sb *b, struct str path, const struct value *v);

/* Of a window minutes of the day: "16:00". */
static int add_clock(struct sb *b, const struct value *window, const struct value_entry *e)
{
    int is_clock = value_get(window, S("days")) && value_is(e->value, VALUE_INT) &&
                   (str_eq_c(e->key, "from") || str_eq_c(e->key, "to"));

    if (is_clock)
        sb_addf(b, "%02d:%02d", (int)(e->value->u.number / 60), (int)(e->value->u.number % 60));
    return is_clock;
}

static void add_map(struct sb *b, const struct value *v)
{
    sb_add_c(b, "{");
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];

        sb_addf(b, "%s%.*s: ", i ? ", " : "", STR_ARG(render_path(b->arena, e->key)));
        if (!add_clock(b, v, e))
            add_flow(b, e->key, e->value);
    }
    sb_add_c(b, "}");
}

/* As one would write it in one line of a spec. */
static void add_flow(struct sb *b, struct str path, const struct value *v)
{
    if (!v) {
        sb_add_c(b, "none");
    } else if (reference_of(v) == REFERENCE_SECRET) {
        sb_addf(b, "secret(%.*s)", STR_ARG(value_get_text(v, S("version"), S("?"))));
    } else if (v->kind == VALUE_MAP) {
        add_map(b, v);
    } else if (v->kind == VALUE_LIST) {
        sb_add_c(b, "[");
        for (size_t i = 0; i < value_count(v); i++) {
            sb_add_c(b, i ? ", " : "");
            add_flow(b, path, value_item(v, i));
        }
        sb_add_c(b, "]");
    } else {
        sb_add(b, render_path_value(b->arena, path,
                                    v->kind == VALUE_TEXT ? v->u.text : json_format(b->arena, v)));
    }
}

/* Cut between characters. */
static void add_value(struct sb *to, struct str path, const struct value *v)
{
    struct str text;
    char *cut;
    struct sb b;

    sb_init(&b, to->arena);
    add_flow(&b, path, v);
    text = sb_str(&b);
    if (text.n <= WEAKEN_VALUE_MAX) {
        sb_add(to, text);
        return;
    }
    cut = str_to_c(to->arena, str_slice(text, 0, WEAKEN_VALUE_MAX));
    if (!cut)
        return; /* the arena remembers */
    utf8_trim(cut);
    sb_addf(to, "%s..", cut);
}

static void add_path(struct sb *b, struct str path)
{
    sb_addf(b, "%s%.*s", b->n ? ", " : "", STR_ARG(render_path(b->arena, path)));
}

/* --- what changed -------------------------------------------------------------------------------- */

void weaken_words_change(struct sb *b, const struct weaken_part *part)
{
    add_path(b, part->path);
    if (!part->after && value_is(part->before, VALUE_MAP)) {
        sb_add_c(b, " is gone");
        return;
    }
    sb_add_c(b, " from ");
    add_value(b, part->path, part->before);
    sb_add_c(b, " to ");
    add_value(b, part->path, part->after);
}

int weaken_words_has(const struct value *list, const struct value *item)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_eq(value_item(list, i), item))
            return 1;
    return 0;
}

/* Those of one list that are not in the other, behind `how`. */
static void add_missing(struct sb *b, struct str path, const char *how, const struct value *of,
                        const struct value *in)
{
    for (size_t i = 0, n = 0; i < value_count(of); i++) {
        if (weaken_words_has(in, value_item(of, i)))
            continue;
        sb_addf(b, "%s", n++ ? ", " : how);
        add_value(b, path, value_item(of, i));
    }
}

static const struct value *list_of(struct arena *a, const struct value *item)
{
    struct value *one = value_list(a);

    value_add(a, one, value_copy(a, item));
    return one;
}

void weaken_words_gone(struct sb *b, const struct weaken_part *part)
{
    const char *before = " without ";

    add_path(b, part->path);
    for (size_t i = 0; i < value_count(part->before); i++) {
        const struct value *was = value_item(part->before, i);

        if (!part->is_laxer(list_of(b->arena, was), part->after))
            continue;
        sb_add_c(b, before);
        add_value(b, part->path, was);
        before = ", ";
    }
}

void weaken_words_fewer(struct sb *b, const struct weaken_part *part)
{
    weaken_words_gone(b, part);
    add_missing(b, part->path, ", instead ", part->after, part->before);
}

void weaken_words_more(struct sb *b, const struct weaken_part *part)
{
    add_path(b, part->path);
    add_missing(b, part->path, " also ", part->after, part->before);
}

/* {KEY: what it is}; what is not named is as `default` says. */
static const struct value *alone(struct arena *a, const struct value *map, struct str key,
                                 const struct value **ret)
{
    struct value *one = value_map(a);

    *ret = value_get(map, key) ? value_get(map, key) : value_get(map, S("default"));
    if (*ret)
        value_set(a, one, key, value_copy(a, *ret));
    return one;
}

static void add_entry(struct sb *b, const struct weaken_part *part, struct str key)
{
    struct weaken_part one = { .path = str_fmt(b->arena, "%.*s.%.*s", STR_ARG(part->path),
                                               STR_ARG(key)) };
    const struct value *before = alone(b->arena, part->before, key, &one.before);
    const struct value *after = alone(b->arena, part->after, key, &one.after);

    if (part->is_laxer(before, after))
        weaken_words_change(b, &one);
}

void weaken_words_entries(struct sb *b, const struct weaken_part *part)
{
    for (size_t i = 0; i < value_count(part->before); i++)
        add_entry(b, part, part->before->u.map.entries[i].key);
    for (size_t i = 0; i < value_count(part->after); i++)
        if (!value_get(part->before, part->after->u.map.entries[i].key))
            add_entry(b, part, part->after->u.map.entries[i].key);
}

/* --- who is told --------------------------------------------------------------------------------- */

static int is_beside(struct str key)
{
    return str_eq_c(key, "on") || str_eq_c(key, "quiet");
}

int weaken_words_is_same_recipient(const struct value *a, const struct value *b)
{
    const struct value *sides[] = { a, b };

    for (size_t side = 0; side < N_ELEMENTS(sides); side++)
        for (size_t i = 0; i < value_count(sides[side]); i++) {
            const struct value_entry *e = &sides[side]->u.map.entries[i];
            const struct value *other = value_get(sides[!side], e->key);

            if (!is_beside(e->key) && (!other || !value_eq(e->value, other)))
                return 0;
        }
    return 1;
}

static struct value *recipient_of(struct arena *a, const struct value *entry)
{
    struct value *v = value_map(a);

    for (size_t i = 0; i < value_count(entry); i++)
        if (!is_beside(entry->u.map.entries[i].key))
            value_set(a, v, entry->u.map.entries[i].key,
                      value_copy(a, entry->u.map.entries[i].value));
    return v;
}

static void add_recipient(struct sb *b, const struct weaken_part *part, const struct value *was)
{
    const struct value *is = NULL;

    for (size_t i = 0; !is && i < value_count(part->after); i++)
        if (weaken_words_is_same_recipient(was, value_item(part->after, i)))
            is = value_item(part->after, i);
    add_path(b, part->path);
    sb_add_c(b, is ? " to " : " no more to ");
    add_value(b, S(""), recipient_of(b->arena, was));
    if (!is)
        return;
    add_missing(b, S("on"), " without ", value_get(was, S("on")), value_get(is, S("on")));
    add_missing(b, S("quiet"), ", quiet ", value_get(is, S("quiet")), value_get(was, S("quiet")));
}

void weaken_words_told(struct sb *b, const struct weaken_part *part)
{
    for (size_t i = 0; i < value_count(part->before); i++) {
        const struct value *was = value_item(part->before, i);

        if (part->is_laxer(list_of(b->arena, was), part->after))
            add_recipient(b, part, was);
    }
}
