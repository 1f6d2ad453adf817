/*
 * windows: times of the week in which no commit is applied, or in which alone what is down may be. SPDX-License-Identifier: Apache-2.0
 *
 * A list of {days, from, to, tz}: it is on while a clock on the wall of that zone shows a time from `from` to `to`, minutes
 * of a day that begins on one of `days`; where `to` is not after `from` it is of the day after. What such a clock skips is
 * left out, what it shows twice counts twice.
 *
 * `zones` is a map from names to struct tz; UTC is always known. Pure.
 */
#pragma once

#include "base/map.h"
#include "base/tz.h"
#include "specs/value.h"

struct windows_end {
    int64_t at_ms;       /* TZ_NEVER: it stays as it is */
    const struct tz *tz; /* by whose clock */
};

const struct tz *windows_zone(const struct map *zones, struct str name); /* NULL: not known */

/* 1 and the end, where it lies in one of them: of all that follow each other the last one. A zone that is not known
 * freezes without an end. */
int windows_freeze(const struct value *list, const struct map *zones, int64_t now_ms,
                   struct windows_end *ret);
/* 1 and when the next one begins, where there are some and it lies in none of them. One whose zone is not known never begins. */
int windows_are_shut(const struct value *list, const struct map *zones, int64_t now_ms,
                     struct windows_end *ret);

/* "2026-11-22 23:59 Europe/Berlin"; "" for never. */
struct str windows_end_text(struct arena *a, const struct windows_end *end);
