/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema_path.h"

static void schema_path_write(struct sb *b, const struct schema_path *path)
{
    if (!path)
        return;
    schema_path_write(b, path->outer);
    if (b->n)
        sb_add_char(b, '.');
    sb_add(b, path->name);
}

struct str schema_path_text(struct arena *a, const struct schema_path *path)
{
    struct sb b;

    sb_init(&b, a);
    schema_path_write(&b, path);
    if (b.n)
        sb_add_c(&b, ": ");
    return sb_str(&b);
}

struct str schema_shown(struct arena *a, struct str text)
{
    return text.n > SCHEMA_SHOWN_MAX ? S("this") : str_fmt(a, "'%.*s'", STR_ARG(text));
}

struct schema_nearest schema_nearest_to(struct str wanted)
{
    return (struct schema_nearest){ .wanted = wanted, .distance = SCHEMA_HINT_DISTANCE + 1 };
}

void schema_nearest_try(struct schema_nearest *n, struct str name)
{
    size_t distance = str_distance(n->wanted, name, SCHEMA_HINT_DISTANCE);

    if (distance >= n->distance || distance * 2 > name.n)
        return;
    n->name = name;
    n->distance = distance;
}

void schema_nearest_try_words(struct schema_nearest *n, const char *words)
{
    struct str rest = str_from_c(words), word;

    while (str_next(&rest, '|', &word))
        schema_nearest_try(n, word);
}

struct str schema_nearest_hint(struct arena *a, const struct schema_nearest *n)
{
    return n->name.n ? str_fmt(a, "did you mean '%.*s'?", STR_ARG(n->name)) : STR_NONE;
}

int schema_is_word(struct str text, const char *words)
{
    struct str rest = str_from_c(words), word;

    while (str_next(&rest, '|', &word))
        if (str_eq(text, word))
            return 1;
    return 0;
}
