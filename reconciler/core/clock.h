/*
 * clock: whether the wall clock can be believed (PROTOCOL 6). SPDX-License-Identifier: Apache-2.0
 *
 * The wall clock is compared with the time since boot at every look. When the two have moved apart by more
 * than CLOCK_APART_MAX_MS it is suspect: nothing ends by its time until they have agreed for
 * CLOCK_AGREE_MS, or a person says that it is right.
 *
 * Times are milliseconds. Pure.
 */
#pragma once

#include <stdint.h>

#define CLOCK_APART_MAX_MS (5 * 60 * 1000)
#define CLOCK_AGREE_MS (60 * 60 * 1000)

struct clock_watch {
    int64_t wall_ms, boot_ms; /* at the last look */
    int64_t due_ms;           /* suspect: the last time that was believed */
    int64_t stepped_ms;       /* suspect: by how much, in all; negative: back */
    int64_t agreed_boot_ms;   /* suspect: since when both agree */
    int is_suspect;
};

enum clock_news { CLOCK_NO_NEWS, CLOCK_STEPPED, CLOCK_AGREES };

/* From here on the clock is believed. */
void clock_trust(struct clock_watch *c, int64_t wall_ms, int64_t boot_ms);
/* A new life: `c` is what a former one wrote down, believed_ms the last time it did anything. Of another
 * boot, only a step back can be told. */
enum clock_news clock_resume(struct clock_watch *c, int is_same_boot, int64_t believed_ms,
                             int64_t wall_ms, int64_t boot_ms);
enum clock_news clock_look(struct clock_watch *c, int64_t wall_ms, int64_t boot_ms);
/* The time by which things expire, as of the last look: it stands still while the clock is suspect. */
int64_t clock_due_ms(const struct clock_watch *c);
