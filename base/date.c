/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"

#include "base/guard.h"

#define ERA_YEARS 400
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 1 March of year 0 to 1 January 1970 */
#define EPOCH_WEEKDAY 4   /* that was a Thursday */

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years that begin in March: the day that leap years add is the last one. */
int64_t date_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = divide_down(y, ERA_YEARS), in_era = y - era * ERA_YEARS;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_DAYS;
}

struct date date_from_days(int64_t days)
{
    int64_t z = days + EPOCH_DAYS, era = divide_down(z, ERA_DAYS), in_era = z - era * ERA_DAYS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    struct date d = { .year = year + era * ERA_YEARS + (month >= 10),
                      .month = (int)(month < 10 ? month + 3 : month - 9),
                      .day = (int)(in_year - (153 * month + 2) / 5 + 1) };

    return d;
}

int date_weekday(int64_t days)
{
    return (int)(days + EPOCH_WEEKDAY - divide_down(days + EPOCH_WEEKDAY, DATE_WEEK) * DATE_WEEK);
}

int date_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int date_month_length(int64_t year, int month)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    PRE(month >= 1 && month <= 12);
    return lengths[month - 1] + (month == 2 && date_is_leap(year));
}

int64_t date_day_of(int64_t time_ms)
{
    return divide_down(time_ms, DATE_DAY_MS);
}

int64_t date_time_of_day(int64_t time_ms)
{
    return time_ms - date_day_of(time_ms) * DATE_DAY_MS;
}
