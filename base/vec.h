/*
 * vec: arrays that grow in an arena. SPDX-License-Identifier: Apache-2.0
 *
 *     VEC(struct str) names = { 0 };
 *     struct str *slot = vec_push(arena, &names);      NULL when memory ran out
 */
#pragma once

#include <stddef.h>

#include "base/arena.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *p;                                                                                   \
        size_t n, cap;                                                                             \
    }

/* A pointer to a new zeroed last element, or NULL: then the arena remembers. */
#define vec_push(arena, v)                                                                         \
    ((__typeof__((v)->p))vec_push_bytes(arena, (void **)&(v)->p, &(v)->n, &(v)->cap,               \
                                        sizeof(*(v)->p)))

static inline void *vec_push_bytes(struct arena *a, void **p, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        size_t wanted = *cap ? *cap * 2 : 8;
        void *moved = arena_grow(a, *p, *cap * size, wanted * size);

        if (!moved)
            return NULL;
        *p = moved;
        *cap = wanted;
    }
    char *slot = (char *)*p + size * (*n)++;
    for (size_t i = 0; i < size; i++)
        slot[i] = 0;
    return slot;
}
