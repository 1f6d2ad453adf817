/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <malloc.h>
#include <stdlib.h>

#define ALLOC_HEAPS_MAX 4
#define ALLOC_PAD_BYTES (256 << 10) /* taken ahead */
#define ALLOC_KEEP_BYTES (1 << 20)  /* free at the end of a heap */

void *alloc_zero(size_t n_bytes)
{
    return calloc(1, n_bytes ? n_bytes : 1);
}

void *alloc_resize(void *p, size_t n_bytes)
{
    return realloc(p, n_bytes ? n_bytes : 1);
}

void alloc_free(void *p)
{
    free(p);
}

void alloc_setup(void)
{
    (void)mallopt(M_ARENA_MAX,
                  ALLOC_HEAPS_MAX); /* they can only fail for numbers it does not know */
    (void)mallopt(M_TOP_PAD, ALLOC_PAD_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, ALLOC_KEEP_BYTES);
}

void alloc_give_back(void)
{
    (void)malloc_trim(0); /* says whether there was any */
}
