/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/windows.h"

#include "base/date.h"

#define WEEK_MS (DATE_WEEK * DATE_DAY_MS)
#define LOOK_MS (2 * WEEK_MS) /* what is on, or shut, for that long stays so */

static const char *const day_names[DATE_WEEK] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static const struct tz utc = { .name = S_INIT("UTC") };

const struct tz *windows_zone(const struct map *zones, struct str name)
{
    if (str_eq(name, utc.name))
        return &utc;
    return zones ? map_find(zones, name) : NULL;
}

static const struct tz *zone_of(const struct value *one, const struct map *zones)
{
    return windows_zone(zones, value_get_text(one, S("tz"), utc.name));
}

static int begins_on(const struct value *one, int64_t day)
{
    const struct value *days = value_get(one, S("days"));

    for (size_t i = 0; i < value_count(days); i++)
        if (str_eq_c(value_item(days, i)->u.text, day_names[date_weekday(day)]))
            return 1;
    return 0;
}

static int64_t minute_of(const struct value *one, struct str name)
{
    return value_get_int(one, name, 0) * DATE_MINUTE_MS;
}

/* Local times: the one that began on that day. */
static int covers(const struct value *one, int64_t day, int64_t local_ms, int64_t *ret_end_ms)
{
    int64_t from_ms = minute_of(one, S("from")), to_ms = minute_of(one, S("to"));

    if (!begins_on(one, day))
        return 0;
    if (to_ms <= from_ms)
        to_ms += DATE_DAY_MS;
    *ret_end_ms = day * DATE_DAY_MS + to_ms;
    return local_ms >= day * DATE_DAY_MS + from_ms && local_ms < *ret_end_ms;
}

/* 1 and the local end, where the clock shows a time of it. */
static int is_inside(const struct value *one, const struct tz *tz, int64_t time_ms,
                     int64_t *ret_end_ms)
{
    int64_t local_ms = tz_local_ms(tz, time_ms), today = date_day_of(local_ms);

    return covers(one, today, local_ms, ret_end_ms) || covers(one, today - 1, local_ms, ret_end_ms);
}

/* From inside: the first moment that is not. The clock may be set in between. */
static int64_t find_end(const struct value *one, const struct tz *tz, int64_t now_ms)
{
    int64_t time_ms = now_ms, end_ms;

    while (is_inside(one, tz, time_ms, &end_ms)) {
        int64_t change_ms = tz_change_after_ms(tz, time_ms);

        if (time_ms > now_ms + LOOK_MS)
            return TZ_NEVER;
        time_ms = end_ms - tz_offset_ms(tz, time_ms);
        if (change_ms < time_ms)
            time_ms = change_ms;
    }
    return time_ms;
}

int windows_freeze(const struct value *list, const struct map *zones, int64_t now_ms,
                   struct windows_end *ret)
{
    struct windows_end end = { now_ms, &utc };
    int64_t ignored, from_ms;

    do {
        from_ms = end.at_ms;
        for (size_t i = 0; i < value_count(list) && from_ms != TZ_NEVER; i++) {
            const struct value *one = value_item(list, i);
            const struct tz *tz = zone_of(one, zones);
            int64_t at_ms = !tz                                     ? TZ_NEVER
                            : is_inside(one, tz, from_ms, &ignored) ? find_end(one, tz, from_ms)
                                                                    : from_ms;

            if (at_ms > end.at_ms)
                end = (struct windows_end){ at_ms, tz ? tz : &utc };
        }
        if (end.at_ms > now_ms + LOOK_MS)
            end.at_ms = TZ_NEVER;
    } while (end.at_ms > from_ms);
    if (end.at_ms == now_ms)
        return 0;
    *ret = end;
    return 1;
}

/* The first begin after `from_ms` and before `end_ms`, by a clock that is not set between them. */
static int64_t find_begin_within(const struct value *one, int64_t offset_ms, int64_t from_ms,
                                 int64_t end_ms)
{
    int64_t day = date_day_of(from_ms + offset_ms), at_ms = from_ms;

    for (; at_ms < end_ms; day++) {
        at_ms = day * DATE_DAY_MS + minute_of(one, S("from")) - offset_ms;
        if (at_ms > from_ms && at_ms < end_ms && begins_on(one, day))
            return at_ms;
    }
    return TZ_NEVER;
}

/* From outside: when the clock reaches it, or is set into it. */
static int64_t find_begin(const struct value *one, const struct tz *tz, int64_t now_ms)
{
    int64_t last_ms = now_ms + LOOK_MS, time_ms = now_ms, ignored;

    while (time_ms < last_ms) {
        int64_t change_ms = tz_change_after_ms(tz, time_ms);
        int64_t begin_ms = find_begin_within(one, tz_offset_ms(tz, time_ms), time_ms,
                                             change_ms < last_ms ? change_ms : last_ms);

        if (begin_ms != TZ_NEVER)
            return begin_ms;
        time_ms = change_ms;
        if (time_ms < last_ms && is_inside(one, tz, time_ms, &ignored))
            return time_ms;
    }
    return TZ_NEVER;
}

int windows_are_shut(const struct value *list, const struct map *zones, int64_t now_ms,
                     struct windows_end *ret)
{
    struct windows_end begin = { TZ_NEVER, &utc };
    int64_t ignored, at_ms;

    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);
        const struct tz *tz = zone_of(one, zones);

        if (!tz)
            continue;
        if (is_inside(one, tz, now_ms, &ignored))
            return 0;
        at_ms = find_begin(one, tz, now_ms);
        if (at_ms < begin.at_ms)
            begin = (struct windows_end){ at_ms, tz };
    }
    if (!value_count(list))
        return 0;
    *ret = begin;
    return 1;
}

struct str windows_end_text(struct arena *a, const struct windows_end *end)
{
    return end->at_ms == TZ_NEVER ? S("") : tz_text(a, end->tz, end->at_ms);
}
