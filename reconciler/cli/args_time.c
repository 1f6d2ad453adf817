/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/args_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/guard.h"

static int64_t unit_ms(struct str unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },    { "min", 60000 },
                  { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };

    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (str_eq_c(unit, units[i].name))
            return units[i].ms;
    return 0;
}

int args_time_length(struct str text, int64_t *ret_ms)
{
    size_t n = 0;
    int64_t number, ms;

    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    ms = unit_ms(str_slice(text, n, SIZE_MAX));
    if (!ms || !n || n > 9 || str_to_i64(str_slice(text, 0, n), &number))
        return -1;
    *ret_ms = number * ms;
    return 0;
}

/* "-2h", "30m" */
static int relative_time(struct str text, int sign, int64_t now_ms, int64_t *ret)
{
    int64_t length_ms;

    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        sign = text.p[0] == '-' ? -1 : 1;
        text = str_slice(text, 1, SIZE_MAX);
    }
    if (args_time_length(text, &length_ms))
        return -1;
    *ret = now_ms + sign * length_ms;
    return 0;
}

static int zone_ms(const char *zone, int64_t *ret)
{
    int hours, minutes;
    char sign, end;

    if (!strcmp(zone, "Z")) {
        *ret = 0;
        return 0;
    }
    if (sscanf(zone, "%c%2d:%2d%c", &sign, &hours, &minutes, &end) != 3 ||
        (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
        return -1;
    *ret = (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60000;
    return 0;
}

int args_time(struct str text, int sign, int64_t now_ms, int64_t *ret, struct err *err)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                           "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
    char buffer[64];
    int64_t offset_ms;

    if (str_eq_c(text, "now")) {
        *ret = now_ms;
        return 0;
    }
    if (!relative_time(text, sign, now_ms, ret))
        return 0;
    if (text.n < sizeof(buffer)) {
        memcpy(buffer, text.p, text.n);
        buffer[text.n] = 0;
        for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
            struct tm tm = { .tm_isdst = -1 };
            const char *rest = strptime(buffer, formats[i], &tm);

            if (rest && !*rest) { /* no zone: as the clock on the wall */
                *ret = (int64_t)mktime(&tm) * 1000;
                return 0;
            }
            if (rest && !zone_ms(rest, &offset_ms)) {
                *ret = (int64_t)timegm(&tm) * 1000 - offset_ms;
                return 0;
            }
        }
    }
    return err_set(err, ERR_USAGE, "'%.*s' is not a time: 2024-11-20T10:37:11Z or -2h",
                   STR_ARG(text));
}
