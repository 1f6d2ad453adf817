/*
 * arena: memory for one lifetime, freed in one go. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   arena_alloc() zeroes. When memory or the arena's limit runs out it answers NULL and the
 *          arena remembers: builders pass NULL through, and the step asks arena_status() once.
 * Thread   one at a time.
 * Limits   `limit_bytes` given at init; 0 is none.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;
    size_t used_bytes, limit_bytes;
    int failed;
};

void arena_init(struct arena *a, size_t limit_bytes);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a); /* everything handed out is gone; the arena is as after init */
void arena_wipe(struct arena *a);  /* the same, and what was in it is overwritten: secrets */

/* The next n_bytes come in one block: for what is small, kept long, and of a size that is known. */
void arena_reserve(struct arena *a, size_t n_bytes);
void *arena_alloc(struct arena *a, size_t n_bytes);
void *arena_copy(struct arena *a, const void *p, size_t n_bytes);
/* Grow in place where p is the newest block, else move. NULL p allocates. */
void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes);

/* 0, or ERR_NOMEM when any allocation since init was refused. */
int arena_status(const struct arena *a, struct err *err);

#define AUTO_ARENA __attribute__((cleanup(arena_fini)))
#define AUTO_WIPED_ARENA __attribute__((cleanup(arena_wipe)))
#define arena_new(a, type) ((type *)arena_alloc(a, sizeof(type)))
#define arena_new_n(a, type, n) ((type *)arena_alloc(a, sizeof(type) * (n)))
