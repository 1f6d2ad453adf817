/*
 * slice: a thread that somebody waits for runs as soon as it wakes. SPDX-License-Identifier: Apache-2.0
 *
 * Who needs a processor for microseconds otherwise waits until whoever has it used up a whole slice, some
 * milliseconds, even where another processor is idle.
 */
#pragma once

#define SLICE_SHORT_NS 100000 /* the least that the kernel grants */

/* The calling thread asks for short slices: its share stays what it was, and its children get the usual ones.
 * Older kernels (before 6.12) and who was started with another policy or may not ask stay as they are. */
void slice_shorten(void);
