/*
 * cron: when something is due. SPDX-License-Identifier: Apache-2.0
 *
 * Five fields: minute, hour, day of month, month, day of week. A field is `*`, numbers, names of months and days,
 * ranges `a-b`, steps `/n`, and lists of them. Where neither day begins with `*`, either of them is enough.
 * It is said in local time: what a change of the clock skips is due once, at the first moment after the gap; what it brings twice
 * is due the first time alone.
 *
 * Times are milliseconds. Pure.
 *
 * Fails    ERR_INVALID: what is wrong with it, also where it can never come (30 February).
 */
#pragma once

#include "base/tz.h"

struct cron {
    uint64_t minutes; /* a bit each */
    uint32_t hours, days, months,
        weekdays; /* days and months from bit 1, weekdays from 0, Sunday */
    int either_day;
};

/* The error names the field; `ret_at` is where in the text it stands. */
int cron_parse(struct str text, struct cron *ret, size_t *ret_at, struct err *err);

/* The first time after `time_ms`; the last one not after it. TZ_NEVER, -TZ_NEVER: none within a lifetime. */
int64_t cron_next_ms(const struct cron *c, const struct tz *tz, int64_t time_ms);
int64_t cron_previous_ms(const struct cron *c, const struct tz *tz, int64_t time_ms);
