/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

void map_init(struct map *m, struct arena *a)
{
    *m = (struct map){ .arena = a };
}

static uint64_t map_hash(struct str key)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    return h;
}

/* The slot that holds the key or the free one where it belongs; n_slots is a power of two. */
static uint32_t *map_slot(const struct map *m, struct str key)
{
    size_t at = map_hash(key) & (m->n_slots - 1);

    while (m->slots[at] && !str_eq(m->entries[m->slots[at] - 1].key, key))
        at = (at + 1) & (m->n_slots - 1);
    return &m->slots[at];
}

static void map_index(struct map *m)
{
    for (size_t i = 0; i < m->n; i++)
        *map_slot(m, m->entries[i].key) = (uint32_t)(i + 1);
}

static int map_make_room(struct map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 8;
    struct map_entry *entries;
    uint32_t *slots;

    if (m->n < m->cap)
        return 0;
    entries = arena_grow(m->arena, m->entries, m->cap * sizeof(*entries), cap * sizeof(*entries));
    slots = arena_new_n(m->arena, uint32_t, cap * 2);
    if (!entries || !slots)
        return -1;
    m->entries = entries;
    m->slots = slots;
    m->cap = cap;
    m->n_slots = cap * 2;
    map_index(m);
    return 0;
}

/* Add or replace its value. NULL: out of memory, the arena remembers. */
static struct map_entry *map_set(struct map *m, struct str key, void *value)
{
    uint32_t *slot;

    if (map_make_room(m))
        return NULL;
    slot = map_slot(m, key);
    if (!*slot) {
        m->entries[m->n++].key = key;
        *slot = (uint32_t)m->n;
    }
    m->entries[*slot - 1].value = value;
    return &m->entries[*slot - 1];
}

void map_put(struct map *m, struct str key, void *value)
{
    (void)map_set(m, key, value);
}

void map_replace(struct map *m, struct str key, void *value)
{
    struct map_entry *entry = map_set(m, key, value);

    if (entry)
        entry->key = key;
}

void map_copy(struct map *m, const struct map *from)
{
    struct map_entry *entries = arena_new_n(m->arena, struct map_entry, from->cap);
    uint32_t *slots = arena_new_n(m->arena, uint32_t, from->n_slots);

    if (!from->n || !entries || !slots)
        return; /* the arena remembers */
    memcpy(entries, from->entries, from->n * sizeof(*entries));
    memcpy(slots, from->slots, from->n_slots * sizeof(*slots));
    *m = (struct map){ m->arena, entries, slots, from->n, from->cap, from->n_slots };
}

void *map_find(const struct map *m, struct str key)
{
    uint32_t slot = m->n_slots ? *map_slot(m, key) : 0;

    return slot ? m->entries[slot - 1].value : NULL;
}

int map_has(const struct map *m, struct str key)
{
    return m->n_slots && *map_slot(m, key) != 0;
}

static int map_compare(const void *a, const void *b)
{
    return str_cmp(((const struct map_entry *)a)->key, ((const struct map_entry *)b)->key);
}

void map_sort(struct map *m)
{
    if (!m->n)
        return;
    qsort(m->entries, m->n, sizeof(*m->entries), map_compare);
    for (size_t i = 0; i < m->n_slots; i++)
        m->slots[i] = 0;
    map_index(m);
}
