/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/diff.h"

#include "specs/json_io.h"
#include "specs/reference.h"

#define DIFF_TEXT_MAX 400u /* a shown value; what is longer is cut and says so */

static struct str diff_show(struct arena *a, const struct value *v);

/* "database/main.url(v1 scheme=postgresql+asyncpg)" */
static void diff_add_output(struct sb *b, const struct value *v)
{
    sb_addf(b, "%.*s.%.*s(v%.*s", STR_ARG(value_get_text(v, S("output"), S("?"))),
            STR_ARG(value_get_text(v, S("key"), S("?"))),
            STR_ARG(value_get_text(v, S("version"), S("1"))));
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];

        if (!str_eq_c(e->key, "output") && !str_eq_c(e->key, "key") && !str_eq_c(e->key, "version"))
            sb_addf(b, " %.*s=%.*s", STR_ARG(e->key), STR_ARG(diff_show(b->arena, e->value)));
    }
    sb_add_char(b, ')');
}

static struct str diff_show_value(struct arena *a, const struct value *v)
{
    enum reference reference = reference_of(v);
    const struct value *parts = value_get(v, S("join"));
    struct sb b;

    if (reference == REFERENCE_SECRET)
        return str_fmt(a, "secret(%.*s)", STR_ARG(value_get_text(v, S("version"), S("?"))));
    sb_init(&b, a);
    if (reference == REFERENCE_OUTPUT)
        diff_add_output(&b, v);
    for (size_t i = 0; reference == REFERENCE_JOIN && i < value_count(parts); i++) {
        if (i)
            sb_add(&b, value_get_text(v, S("with"), S("")));
        sb_add(&b, diff_show(a, value_item(parts, i)));
    }
    return sb_str(&b);
}

static struct str diff_show(struct arena *a, const struct value *v)
{
    struct str text;

    if (!v)
        return STR_NONE;
    if (reference_of(v))
        return diff_show_value(a, v);
    text = v->kind == VALUE_TEXT ? v->u.text : json_format(a, v);
    if (text.n > DIFF_TEXT_MAX)
        return str_fmt(a, "%.*s... (%zu bytes)", (int)DIFF_TEXT_MAX, text.p, text.n);
    return text;
}

static void diff_at(struct arena *a, struct str path, const struct value *before,
                    const struct value *after, struct plan_line *line);

static struct str diff_join(struct arena *a, struct str path, struct str key)
{
    return path.n ? str_fmt(a, "%.*s.%.*s", STR_ARG(path), STR_ARG(key)) : key;
}

/* Every key of both maps once, in order. */
static void diff_maps(struct arena *a, struct str path, const struct value *before,
                      const struct value *after, struct plan_line *line)
{
    const struct value *sides[2] = { before, after };
    struct map keys;

    map_init(&keys, a);
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < value_count(sides[side]); i++)
            map_put(&keys, sides[side]->u.map.entries[i].key, NULL);
    map_sort(&keys);
    for (size_t i = 0; i < keys.n; i++) {
        struct str key = keys.entries[i].key;

        diff_at(a, diff_join(a, path, key), value_get(before, key), value_get(after, key), line);
    }
}

static int diff_opens(const struct value *v)
{
    return !v || (v->kind == VALUE_MAP && !reference_of(v));
}

static void diff_at(struct arena *a, struct str path, const struct value *before,
                    const struct value *after, struct plan_line *line)
{
    struct plan_change *change;

    if (value_eq(before, after))
        return;
    if (diff_opens(before) && diff_opens(after)) {
        diff_maps(a, path, before, after, line);
        return;
    }
    change = vec_push(a, &line->changes);
    if (change)
        *change = (struct plan_change){ path, diff_show(a, before), diff_show(a, after) };
}

void diff_values(struct arena *a, const struct value *before, const struct value *after,
                 struct plan_line *line)
{
    diff_at(a, S(""), before, after, line);
}
