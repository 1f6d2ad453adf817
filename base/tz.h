/*
 * tz: a time zone, read from the bytes of its TZif file (RFC 8536). SPDX-License-Identifier: Apache-2.0
 *
 * Versions 1 to 4; of 2 and later the 64-bit data, and after its last change the rule of the footer.
 * A local time is written as milliseconds too, as if the zone were UTC. Pure: the bytes are an argument.
 *
 * Memory   what tz_parse() makes lives in the arena given; the struct may be copied.
 * Thread   any; nothing changes after tz_parse().
 * Fails    ERR_INVALID: not of that form; ERR_NOMEM.
 * Limits   TZ_BYTES_MAX bytes; offsets within 26 hours.
 */
#pragma once

#include "base/str.h"

#define TZ_BYTES_MAX (256u << 10)
#define TZ_NEVER INT64_MAX

struct tz_day { /* a day of each year on which the rule changes the offset */
    enum { TZ_DAY_NONE, TZ_DAY_JULIAN, TZ_DAY_COUNTED, TZ_DAY_WEEK } form;
    int month, week, day;
    int64_t time_s; /* of the day, may lie outside of it */
};

struct tz {
    struct str name;
    const int64_t *changes_s; /* ascending */
    const int32_t *offsets_s; /* from that change on */
    size_t n_changes;
    int32_t first_s;              /* before the first change */
    int32_t standard_s, summer_s; /* of the footer */
    struct tz_day begin, end;     /* of summer time; form NONE: there is none */
    int has_rule;
};

/* "Europe/Berlin": a form of name that is a path below the zones and nothing else. */
int tz_is_name(struct str name);

int tz_parse(struct arena *a, struct str name, struct str bytes, struct tz *ret, struct err *err);

/* What local time is ahead of UTC by at that time. */
int64_t tz_offset_ms(const struct tz *tz, int64_t time_ms);
int64_t tz_local_ms(const struct tz *tz, int64_t time_ms);
/* The first time after `time_ms` at which the offset is said anew; TZ_NEVER: it stays. */
int64_t tz_change_after_ms(const struct tz *tz, int64_t time_ms);
/* When it is that time there: of two the first; where it is skipped, the first moment after the gap. */
int64_t tz_from_local_ms(const struct tz *tz, int64_t local_ms);

/* "2026-11-22 23:59 Europe/Berlin" */
struct str tz_text(struct arena *a, const struct tz *tz, int64_t time_ms);
