/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"

#define ARENA_FIRST_BYTES 1024u /* many arenas hold a name or two */
#define ARENA_CHUNK_BYTES 16384u
#define ARENA_ALIGN alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size_bytes, used_bytes;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){ .limit_bytes = limit_bytes };
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->chunks;

    while (c) {
        struct arena_chunk *next = c->next;

        alloc_free(c);
        c = next;
    }
    arena_init(a, a->limit_bytes);
}

void arena_wipe(struct arena *a)
{
    for (struct arena_chunk *c = a->chunks; c; c = c->next)
        explicit_bzero(c->bytes, c->used_bytes);
    arena_reset(a);
}

static size_t arena_round(size_t n_bytes)
{
    return (n_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

/* Each chunk four times the one before. */
static size_t arena_next_bytes(const struct arena_chunk *last)
{
    if (!last)
        return ARENA_FIRST_BYTES;
    return last->size_bytes < ARENA_CHUNK_BYTES / 4 ? last->size_bytes * 4 : ARENA_CHUNK_BYTES;
}

static void *arena_refuse(struct arena *a)
{
    a->failed = 1;
    return NULL;
}

static struct arena_chunk *arena_add_chunk(struct arena *a, size_t size_bytes)
{
    struct arena_chunk *c = alloc_zero(sizeof(*c) + size_bytes);

    if (!c)
        return NULL;
    c->size_bytes = size_bytes;
    c->next = a->chunks;
    a->chunks = c;
    return c;
}

void arena_reserve(struct arena *a, size_t n_bytes)
{
    if (n_bytes && (!a->limit_bytes || n_bytes <= a->limit_bytes - a->used_bytes) &&
        !arena_add_chunk(a, arena_round(n_bytes)))
        a->failed = 1;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
    size_t need = arena_round(n_bytes ? n_bytes : 1);
    struct arena_chunk *c = a->chunks;
    void *p;

    if (need < n_bytes || (a->limit_bytes && need > a->limit_bytes - a->used_bytes))
        return arena_refuse(a);
    if (!c || c->size_bytes - c->used_bytes < need) {
        size_t size = arena_next_bytes(c);

        c = arena_add_chunk(a, size < need ? need : size);
        if (!c)
            return arena_refuse(a);
    }
    p = c->bytes + c->used_bytes;
    c->used_bytes += need;
    a->used_bytes += need;
    return p;
}

void *arena_copy(struct arena *a, const void *p, size_t n_bytes)
{
    void *copy = arena_alloc(a, n_bytes);

    if (copy && n_bytes)
        memcpy(copy, p, n_bytes);
    return copy;
}

void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes)
{
    struct arena_chunk *c = a->chunks;
    size_t old_need = arena_round(old_bytes ? old_bytes : 1), new_need = arena_round(new_bytes);
    void *moved;

    if (p && new_need <= old_need)
        return p;
    if (p && c && (char *)p + old_need == c->bytes + c->used_bytes &&
        new_need - old_need <= c->size_bytes - c->used_bytes &&
        (!a->limit_bytes || new_need - old_need <= a->limit_bytes - a->used_bytes)) {
        c->used_bytes += new_need - old_need;
        a->used_bytes += new_need - old_need;
        return p;
    }
    moved = arena_alloc(a, new_bytes);
    if (moved && p)
        memcpy(moved, p, old_bytes);
    return moved;
}

int arena_status(const struct arena *a, struct err *err)
{
    if (!a->failed)
        return 0;
    return err_set(err, ERR_NOMEM, "out of memory (%zu bytes in use)", a->used_bytes);
}
