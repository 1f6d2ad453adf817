/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdlib.h>

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
