/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/value.h"

#include <string.h>

#define VALUE_INDEX_FROM 16u /* smaller maps are searched in order */
#define VALUE_SHARED 64u     /* texts that a copy remembers */

static struct value *value_new(struct arena *a, enum value_kind kind)
{
    struct value *v = arena_new(a, struct value);

    if (v)
        v->kind = kind;
    return v;
}

static uint64_t value_hash(struct str key)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    return h ^ h >> 32;
}

/* The slot that holds the key or the free one where it belongs; there are a power of two. */
static uint32_t *value_slot(const struct value *map, struct str key)
{
    size_t mask = 2 * (size_t)map->u.map.cap - 1, at = value_hash(key) & mask;

    while (map->u.map.slots[at] && !str_eq(map->u.map.entries[map->u.map.slots[at] - 1].key, key))
        at = (at + 1) & mask;
    return &map->u.map.slots[at];
}

static struct value_entry *value_find(const struct value *map, struct str key)
{
    struct value_entry *entries = map->u.map.entries;

    if (map->u.map.slots) {
        uint32_t slot = *value_slot(map, key);

        return slot ? &entries[slot - 1] : NULL;
    }
    for (size_t i = 0; i < map->u.map.n; i++)
        if (str_eq(entries[i].key, key))
            return &entries[i];
    return NULL;
}

/* Every key up to the n-th into a table twice the capacity. */
static int value_index(struct arena *a, struct value *map)
{
    size_t n_slots = 2 * (size_t)map->u.map.cap;

    if (map->u.map.cap <= VALUE_INDEX_FROM)
        return 0;
    map->u.map.slots = arena_new_n(a, uint32_t, n_slots);
    if (!map->u.map.slots)
        return -1;
    for (size_t i = 0; i < map->u.map.n; i++)
        *value_slot(map, map->u.map.entries[i].key) = (uint32_t)(i + 1);
    return 0;
}

/* Tables of an index are powers of two. */
static uint32_t value_room(uint32_t n)
{
    uint32_t room = 4;

    while (room < n)
        room *= 2;
    return room;
}

static struct value_entry *value_new_entry(struct arena *a, struct value *map, struct str key)
{
    uint32_t cap = value_room(map->u.map.cap + 1);

    if (map->u.map.n == map->u.map.cap) {
        struct value_entry *entries = map->u.map.entries;

        entries = arena_grow(a, entries, map->u.map.cap * sizeof(*entries), cap * sizeof(*entries));
        if (!entries)
            return NULL;
        map->u.map.entries = entries;
        map->u.map.cap = cap;
        if (value_index(a, map))
            return NULL;
    }
    map->u.map.entries[map->u.map.n++].key = key;
    if (map->u.map.slots)
        *value_slot(map, key) = map->u.map.n;
    return &map->u.map.entries[map->u.map.n - 1];
}

struct str value_file(struct value_place place)
{
    return place.file ? *place.file : STR_NONE;
}

struct value_place value_place_copy(struct arena *a, struct value_place place)
{
    struct str *file = place.file ? arena_new(a, struct str) : NULL;

    if (file)
        *file = str_copy(a, *place.file);
    place.file = file;
    return place;
}

struct value *value_null(struct arena *a)
{
    return value_new(a, VALUE_NULL);
}

struct value *value_bool(struct arena *a, int truth)
{
    struct value *v = value_new(a, VALUE_BOOL);

    if (v)
        v->u.truth = truth != 0;
    return v;
}

struct value *value_int(struct arena *a, int64_t number)
{
    struct value *v = value_new(a, VALUE_INT);

    if (v)
        v->u.number = number;
    return v;
}

struct value *value_text(struct arena *a, struct str text)
{
    struct value *v = value_new(a, VALUE_TEXT);

    if (v)
        v->u.text = text;
    return v;
}

struct value *value_list(struct arena *a)
{
    return value_new(a, VALUE_LIST);
}

struct value *value_map(struct arena *a)
{
    return value_new(a, VALUE_MAP);
}

void value_add(struct arena *a, struct value *list, struct value *v)
{
    if (!value_is(list, VALUE_LIST) || !v)
        return;
    if (list->u.list.n == list->u.list.cap) {
        uint32_t cap = list->u.list.cap ? list->u.list.cap * 2 : 4;
        struct value **items = arena_grow(a, list->u.list.items, list->u.list.cap * sizeof(v),
                                          cap * sizeof(v));

        if (!items)
            return; /* the arena remembers */
        list->u.list.items = items;
        list->u.list.cap = cap;
    }
    list->u.list.items[list->u.list.n++] = v;
}

void value_set_placed(struct arena *a, struct value *map, struct str key,
                      struct value_place key_place, struct value *v)
{
    struct value_entry *entry;

    if (!value_is(map, VALUE_MAP) || !v)
        return;
    entry = value_find(map, key);
    if (!entry)
        entry = value_new_entry(a, map, key);
    if (!entry)
        return; /* the arena remembers */
    entry->key_place = key_place;
    entry->value = v;
}

void value_set(struct arena *a, struct value *map, struct str key, struct value *v)
{
    value_set_placed(a, map, key, (struct value_place){ 0 }, v);
}

void value_set_text(struct arena *a, struct value *map, struct str key, struct str text)
{
    value_set(a, map, key, value_text(a, text));
}

void value_set_int(struct arena *a, struct value *map, struct str key, int64_t number)
{
    value_set(a, map, key, value_int(a, number));
}

const struct value *value_get(const struct value *map, struct str key)
{
    const struct value_entry *entry = value_entry(map, key);

    return entry ? entry->value : NULL;
}

const struct value_entry *value_entry(const struct value *map, struct str key)
{
    return value_is(map, VALUE_MAP) ? value_find(map, key) : NULL;
}

const struct value *value_at(const struct value *v, struct str path)
{
    struct str key;

    while (v && str_next(&path, '.', &key))
        v = value_get(v, key);
    return v;
}

struct str value_get_text(const struct value *map, struct str key, struct str otherwise)
{
    const struct value *v = value_get(map, key);

    return value_is(v, VALUE_TEXT) ? v->u.text : otherwise;
}

int64_t value_get_int(const struct value *map, struct str key, int64_t otherwise)
{
    const struct value *v = value_get(map, key);

    return value_is(v, VALUE_INT) ? v->u.number : otherwise;
}

int value_get_bool(const struct value *map, struct str key, int otherwise)
{
    const struct value *v = value_get(map, key);

    return value_is(v, VALUE_BOOL) ? v->u.truth : otherwise;
}

int value_is(const struct value *v, enum value_kind kind)
{
    return v && v->kind == kind;
}

size_t value_count(const struct value *v)
{
    if (value_is(v, VALUE_LIST))
        return v->u.list.n;
    return value_is(v, VALUE_MAP) ? v->u.map.n : 0;
}

const struct value *value_item(const struct value *list, size_t i)
{
    return value_is(list, VALUE_LIST) && i < list->u.list.n ? list->u.list.items[i] : NULL;
}

struct value_shared {
    struct str from, to;
};

struct value_copied_file {
    const struct str *from, *to;
};

struct value_copier {
    struct arena *a;
    struct value_copied_file file; /* the last one */
    int content_only;
    struct value_shared shared[VALUE_SHARED]; /* the last ones, by where they stand */
};

/* Names of fields stand in many places, and are one text there. */
static struct str value_copy_shared(struct value_copier *c, struct str text)
{
    struct value_shared *s = &c->shared[(uintptr_t)text.p / sizeof(void *) % VALUE_SHARED];

    if (s->from.p != text.p || s->from.n != text.n)
        *s = (struct value_shared){ text, str_copy(c->a, text) };
    return s->to;
}

static struct value_place value_copy_place(struct value_copier *c, struct value_place place)
{
    if (c->content_only)
        return (struct value_place){ 0 };
    if (place.file != c->file.from)
        c->file = (struct value_copied_file){ place.file, value_place_copy(c->a, place).file };
    place.file = c->file.to;
    return place;
}

/* As much room as there are parts. */
static void value_copy_room(struct arena *a, const struct value *v, struct value *copy)
{
    uint32_t n = (uint32_t)value_count(v);

    if (v->kind == VALUE_LIST && n) {
        copy->u.list.items = arena_new_n(a, struct value *, n);
        copy->u.list.cap = copy->u.list.items ? n : 0;
    }
    if (v->kind == VALUE_MAP && n) {
        uint32_t cap = n > VALUE_INDEX_FROM ? value_room(n) : n;

        copy->u.map.entries = arena_new_n(a, struct value_entry, cap);
        copy->u.map.cap = copy->u.map.entries ? cap : 0;
        (void)value_index(a,
                          copy); /* without one it is searched in order, and the arena remembers */
    }
}

static struct value *value_copy_as(struct value_copier *c, const struct value *v)
{
    struct value *copy = v ? value_new(c->a, v->kind) : NULL;

    if (!copy)
        return NULL;
    copy->plain = !c->content_only && v->plain;
    copy->place = value_copy_place(c, v->place);
    if (v->kind == VALUE_BOOL)
        copy->u.truth = v->u.truth;
    if (v->kind == VALUE_INT)
        copy->u.number = v->u.number;
    if (v->kind == VALUE_TEXT)
        copy->u.text = str_copy(c->a, v->u.text);
    value_copy_room(c->a, v, copy);
    for (size_t i = 0; v->kind == VALUE_LIST && i < v->u.list.n; i++)
        value_add(c->a, copy, value_copy_as(c, v->u.list.items[i]));
    for (size_t i = 0; v->kind == VALUE_MAP && i < v->u.map.n; i++) {
        const struct value_entry *e = &v->u.map.entries[i];

        value_set_placed(c->a, copy, value_copy_shared(c, e->key),
                         value_copy_place(c, e->key_place), value_copy_as(c, e->value));
    }
    return copy;
}

struct value *value_copy(struct arena *a, const struct value *v)
{
    return value_copy_as(&(struct value_copier){ .a = a }, v);
}

struct value *value_copy_content(struct arena *a, const struct value *v)
{
    return value_copy_as(&(struct value_copier){ .a = a, .content_only = 1 }, v);
}

static int value_eq_list(const struct value *a, const struct value *b)
{
    if (value_count(a) != value_count(b))
        return 0;
    for (size_t i = 0; i < value_count(a); i++)
        if (!value_eq(value_item(a, i), value_item(b, i)))
            return 0;
    return 1;
}

static int value_eq_map(const struct value *a, const struct value *b)
{
    if (value_count(a) != value_count(b))
        return 0;
    for (size_t i = 0; i < value_count(a); i++)
        if (!value_eq(a->u.map.entries[i].value, value_get(b, a->u.map.entries[i].key)))
            return 0;
    return 1;
}

int value_eq(const struct value *a, const struct value *b)
{
    if (!a || !b || a->kind != b->kind)
        return a == b;
    switch (a->kind) {
    case VALUE_NULL:
        return 1;
    case VALUE_BOOL:
        return a->u.truth == b->u.truth;
    case VALUE_INT:
        return a->u.number == b->u.number;
    case VALUE_TEXT:
        return str_eq(a->u.text, b->u.text);
    case VALUE_LIST:
        return value_eq_list(a, b);
    case VALUE_MAP:
        return value_eq_map(a, b);
    }
    return 0;
}

struct value *value_merge(struct arena *a, const struct value *base, const struct value *over)
{
    struct value_copier copier = { .a = a };
    struct value *merged;

    if (!over || !value_is(base, VALUE_MAP) || !value_is(over, VALUE_MAP))
        return value_copy(a, over ? over : base);
    merged = value_copy(a, base);
    for (size_t i = 0; i < over->u.map.n; i++) {
        const struct value_entry *e = &over->u.map.entries[i];

        value_set_placed(a, merged, str_copy(a, e->key), value_copy_place(&copier, e->key_place),
                         value_merge(a, value_get(base, e->key), e->value));
    }
    return merged;
}
