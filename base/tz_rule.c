/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tz_rule.h"

#include "base/date.h"

#define HOUR_S 3600
#define DAY_S 86400
#define HOURS_MAX 167 /* of a change; those of offsets are bounded by tz.c */
#define CHANGE_AT_S (2 * HOUR_S)

/* --- reading ------------------------------------------------------------------------------------- */

static int take_char(struct str *rest, char c)
{
    if (!rest->n || rest->p[0] != c)
        return 0;
    *rest = str_slice(*rest, 1, rest->n);
    return 1;
}

static int take_number(struct str *rest, int max, int *ret)
{
    size_t n = 0;
    int value = 0;

    while (n < rest->n && n < 3 && rest->p[n] >= '0' && rest->p[n] <= '9')
        value = value * 10 + (rest->p[n++] - '0');
    if (!n || value > max)
        return -1;
    *rest = str_slice(*rest, n, rest->n);
    *ret = value;
    return 0;
}

/* "CEST" or "<+1030>" */
static int take_name(struct str *rest)
{
    size_t n = 0;

    if (take_char(rest, '<')) {
        n = str_find_char(*rest, '>');
        if (n == STR_NPOS || !n)
            return -1;
        *rest = str_slice(*rest, n + 1, rest->n);
        return 0;
    }
    while (n < rest->n &&
           ((rest->p[n] >= 'A' && rest->p[n] <= 'Z') || (rest->p[n] >= 'a' && rest->p[n] <= 'z')))
        n++;
    *rest = str_slice(*rest, n, rest->n);
    return n < 3 ? -1 : 0;
}

/* [+-]hh[:mm[:ss]] */
static int take_time(struct str *rest, int64_t *ret_s)
{
    int is_negative = take_char(rest, '-'), parts[3] = { 0 };

    if (!is_negative)
        (void)take_char(rest, '+'); /* says nothing */
    if (take_number(rest, HOURS_MAX, &parts[0]))
        return -1;
    for (int i = 1; i < 3 && take_char(rest, ':'); i++)
        if (take_number(rest, 59, &parts[i]))
            return -1;
    *ret_s = (int64_t)parts[0] * HOUR_S + parts[1] * 60 + parts[2];
    if (is_negative)
        *ret_s = -*ret_s;
    return 0;
}

static int take_week_day(struct str *rest, struct tz_day *ret)
{
    ret->form = TZ_DAY_WEEK;
    if (take_number(rest, 12, &ret->month) || !take_char(rest, '.') ||
        take_number(rest, 5, &ret->week) || !take_char(rest, '.') ||
        take_number(rest, 6, &ret->day))
        return -1;
    return ret->month && ret->week ? 0 : -1;
}

static int take_day(struct str *rest, struct tz_day *ret)
{
    int rc;

    *ret = (struct tz_day){ .time_s = CHANGE_AT_S };
    if (!take_char(rest, ','))
        return -1;
    if (take_char(rest, 'M')) {
        rc = take_week_day(rest, ret);
    } else {
        ret->form = take_char(rest, 'J') ? TZ_DAY_JULIAN : TZ_DAY_COUNTED;
        rc = take_number(rest, 365, &ret->day);
        if (ret->form == TZ_DAY_JULIAN && !ret->day)
            return -1;
    }
    if (rc)
        return rc;
    return take_char(rest, '/') ? take_time(rest, &ret->time_s) : 0;
}

/* East of Greenwich is negative there. */
static int take_offset(struct str *rest, int32_t *ret_s)
{
    int64_t west_s;

    if (take_time(rest, &west_s))
        return -1;
    *ret_s = (int32_t)-west_s;
    return 0;
}

int tz_rule_parse(struct str text, struct tz *ret)
{
    struct str rest = text;

    if (take_name(&rest) || take_offset(&rest, &ret->standard_s))
        return -1;
    ret->has_rule = 1;
    ret->begin.form = ret->end.form = TZ_DAY_NONE;
    if (!rest.n)
        return 0;
    if (take_name(&rest))
        return -1;
    ret->summer_s = ret->standard_s + HOUR_S;
    if (rest.n && rest.p[0] != ',' && take_offset(&rest, &ret->summer_s))
        return -1;
    return take_day(&rest, &ret->begin) || take_day(&rest, &ret->end) || rest.n ? -1 : 0;
}

/* --- using --------------------------------------------------------------------------------------- */

static int64_t week_day(int64_t year, const struct tz_day *d)
{
    int64_t first = date_days(year, d->month, 1);
    int64_t day = first + (d->day - date_weekday(first) + DATE_WEEK) % DATE_WEEK +
                  (int64_t)(d->week - 1) * DATE_WEEK;

    while (day >= first + date_month_length(year, d->month)) /* week 5 is the last one */
        day -= DATE_WEEK;
    return day;
}

/* When it is that day and time of a year, by an offset. */
static int64_t day_at_s(int64_t year, const struct tz_day *d, int32_t offset_s)
{
    int64_t first = date_days(year, 1, 1), day;

    if (d->form == TZ_DAY_WEEK)
        day = week_day(year, d);
    else if (d->form == TZ_DAY_JULIAN) /* 29 February is never counted */
        day = first + d->day - 1 + (d->day >= 60 && date_is_leap(year));
    else
        day = first + d->day;
    return day * DAY_S + d->time_s - offset_s;
}

static int64_t year_of(const struct tz *tz, int64_t time_s)
{
    return date_from_days(date_day_of((time_s + tz->standard_s) * 1000)).year;
}

/* The change that lies nearest at or before the time, or after it, of three years. */
static int64_t find_change_s(const struct tz *tz, int64_t time_s, int is_after, int *ret_is_begin)
{
    int64_t year = year_of(tz, time_s), best = is_after ? TZ_NEVER : INT64_MIN;

    for (int64_t y = year - 1; y <= year + 1; y++)
        for (int is_begin = 0; is_begin < 2; is_begin++) {
            int64_t at = is_begin ? day_at_s(y, &tz->begin, tz->standard_s)
                                  : day_at_s(y, &tz->end, tz->summer_s);

            if ((at > time_s) != is_after || (is_after ? at >= best : at <= best))
                continue;
            best = at;
            *ret_is_begin = is_begin;
        }
    return best;
}

int32_t tz_rule_offset_s(const struct tz *tz, int64_t time_s)
{
    int is_summer = 0;

    if (tz->begin.form == TZ_DAY_NONE)
        return tz->standard_s;
    (void)find_change_s(tz, time_s, 0, &is_summer); /* which one is what matters */
    return is_summer ? tz->summer_s : tz->standard_s;
}

int64_t tz_rule_change_after_s(const struct tz *tz, int64_t time_s)
{
    int is_begin;

    return tz->begin.form == TZ_DAY_NONE ? TZ_NEVER : find_change_s(tz, time_s, 1, &is_begin);
}
