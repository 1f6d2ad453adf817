/*
 * alloc: the only place that calls malloc. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   what alloc_* returns is zeroed and is released by alloc_free(). NULL when there is none.
 * Thread   any.
 */
#pragma once

#include <stddef.h>

void *alloc_zero(size_t n_bytes);
void *alloc_resize(void *p, size_t n_bytes); /* new bytes are not zeroed; NULL leaves p valid */
void alloc_free(void *p);

/* Once, before the first thread: few heaps for many threads, and no system call for every few allocations. */
void alloc_setup(void);
/* What was freed goes back to the system; some milliseconds where it was much. */
void alloc_give_back(void);
