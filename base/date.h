/*
 * date: days of the Gregorian calendar. SPDX-License-Identifier: Apache-2.0
 *
 * A day is a number: 0 is 1 January 1970, before it they are negative. Pure.
 */
#pragma once

#include <stdint.h>

#define DATE_MINUTE_MS ((int64_t)60 * 1000)
#define DATE_HOUR_MS (60 * DATE_MINUTE_MS)
#define DATE_DAY_MS (24 * DATE_HOUR_MS)
#define DATE_WEEK 7

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

int64_t date_days(int64_t year, int month, int day);
struct date date_from_days(int64_t days);
int date_weekday(int64_t days); /* 0 is Sunday */
int date_is_leap(int64_t year);
int date_month_length(int64_t year, int month);

/* The day that a time lies in, and what is left of it: also right before 1970. */
int64_t date_day_of(int64_t time_ms);
int64_t date_time_of_day(int64_t time_ms);
