/*
 * map: text to pointer, in order of insertion, in an arena. SPDX-License-Identifier: Apache-2.0
 *
 * Keys are borrowed and must live as long as the map. Walk `entries[0..n)`; map_sort() orders them
 * by key for output. Nothing is ever removed.
 *
 * Thread   one at a time.
 */
#pragma once

#include "base/str.h"

struct map_entry {
    struct str key;
    void *value;
};

struct map {
    struct arena *arena;
    struct map_entry *entries;
    uint32_t *slots; /* index + 1 into entries; 0 is free */
    size_t n, cap, n_slots;
};

void map_init(struct map *m, struct arena *a);
/* Add or replace. A NULL value is allowed; map_has() tells it from absence. */
void map_put(struct map *m, struct str key, void *value);
/* The same, and where the key is there already, it is replaced too. */
void map_replace(struct map *m, struct str key, void *value);
/* The entries of another map, whose keys they borrow; `m` is empty. */
void map_copy(struct map *m, const struct map *from);
void *map_find(const struct map *m, struct str key); /* NULL when absent */
int map_has(const struct map *m, struct str key);
void map_sort(struct map *m);
