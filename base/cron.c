/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cron.h"

#include "base/date.h"

#define CRON_TEXT_MAX 256
#define CRON_DAYS_MAX (50 * 366) /* 29 February on one day of the week: at most 40 years apart */
#define DAY_MINUTES (24 * 60)

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

/* clang-format off */
static const struct field {
    const char *name, *words; /* three letters each, from the lowest value on */
    int low, high;
} fields[N_FIELDS] = {
    [MINUTE]  = { "minute",       "",                                     0, 59 },
    [HOUR]    = { "hour",         "",                                     0, 23 },
    [DAY]     = { "day of month", "",                                     1, 31 },
    [MONTH]   = { "month",        "janfebmaraprmayjunjulaugsepoctnovdec", 1, 12 },
    [WEEKDAY] = { "day of week",  "sunmontuewedthufrisat",                0, 7 },
};
/* clang-format on */

/* --- reading ------------------------------------------------------------------------------------- */

static int find_word(const struct field *f, struct str text, int *ret)
{
    for (int i = 0; f->words[i * 3]; i++) {
        size_t n = 0;

        while (n < 3 && text.n == 3 && (text.p[n] | 0x20) == f->words[(size_t)i * 3 + n])
            n++;
        if (n == 3) {
            *ret = f->low + i;
            return 0;
        }
    }
    return -1;
}

static int read_number(const struct field *f, struct str text, int *ret)
{
    int value = 0;

    if (!find_word(f, text, ret))
        return 0;
    if (!text.n || text.n > 2)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        value = value * 10 + (text.p[i] - '0');
    }
    *ret = value;
    return value < f->low || value > f->high ? -1 : 0;
}

/* "a-b", "a" or "*", before the step. Sunday is also the end of a week. */
static int read_range(const struct field *f, struct str text, int has_step, int *ret_from,
                      int *ret_to)
{
    size_t dash = str_find_char(text, '-');

    if (str_eq(text, S("*"))) {
        *ret_from = f->low;
        *ret_to = f == &fields[WEEKDAY] ? f->high - 1 : f->high;
        return 0;
    }
    if (read_number(f, str_slice(text, 0, dash == STR_NPOS ? text.n : dash), ret_from))
        return -1;
    *ret_to = has_step ? f->high : *ret_from;
    if (dash == STR_NPOS)
        return 0;
    if (read_number(f, str_slice(text, dash + 1, text.n), ret_to))
        return -1;
    if (f == &fields[WEEKDAY] && !*ret_to && *ret_from)
        *ret_to = f->high;
    return *ret_from > *ret_to ? -1 : 0;
}

static int read_part(const struct field *f, struct str text, uint64_t *bits)
{
    size_t slash = str_find_char(text, '/');
    int has_step = slash != STR_NPOS, from, to, step = 1;
    const struct field steps = { "step", "", 1, f->high };

    if (has_step && read_number(&steps, str_slice(text, slash + 1, text.n), &step))
        return -1;
    if (read_range(f, str_slice(text, 0, has_step ? slash : text.n), has_step, &from, &to))
        return -1;
    for (int i = from; i <= to; i += step)
        *bits |= (uint64_t)1 << (f == &fields[WEEKDAY] ? i % DATE_WEEK : i);
    return 0;
}

static int read_field(const struct field *f, struct str text, uint64_t *ret, struct err *err)
{
    struct str rest = text, part;

    *ret = 0;
    if (text.p[text.n - 1] == ',')
        return err_set(err, ERR_INVALID, "%s '%.*s' ends with a comma", f->name, STR_ARG(text));
    while (str_next(&rest, ',', &part))
        if (read_part(f, part, ret))
            return err_set(err, ERR_INVALID, "%s '%.*s': not %d to %d%s, a range or a step",
                           f->name, STR_ARG(part), f->low, f->high, f->words[0] ? ", a name" : "");
    return 0;
}

/* Some month has some day of them. */
static int is_possible(const struct cron *c)
{
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= date_month_length(2000, month); day++)
            if (c->months >> month & 1 && c->days >> day & 1)
                return 1;
    return c->either_day;
}

/* The next field: from `*at` on, without the blanks before it. n 0: there is none. */
static struct str next_field(struct str text, size_t *at)
{
    size_t n = 0;

    while (*at < text.n && text.p[*at] == ' ')
        ++*at;
    while (*at + n < text.n && text.p[*at + n] != ' ')
        n++;
    return str_slice(text, *at, n);
}

static int read_fields(struct str text, struct str *parts, uint64_t *bits, size_t *ret_at,
                       struct err *err)
{
    size_t at = 0;
    int n = 0;

    for (; (parts[n] = next_field(text, &at)).n; n++) {
        *ret_at = at;
        if (n == N_FIELDS)
            return err_set(err, ERR_INVALID, "'%.*s' is a sixth field; a schedule has five",
                           STR_ARG(parts[n]));
        if (read_field(&fields[n], parts[n], &bits[n], err))
            return err->code;
        at += parts[n].n;
    }
    *ret_at = 0;
    return n == N_FIELDS ? 0
                         : err_set(err, ERR_INVALID,
                                   "%d of five fields: minute, hour, day of month, month, day of "
                                   "week",
                                   n);
}

int cron_parse(struct str text, struct cron *ret, size_t *ret_at, struct err *err)
{
    struct str parts[N_FIELDS + 1];
    uint64_t bits[N_FIELDS];
    struct cron c;

    *ret_at = 0;
    if (text.n > CRON_TEXT_MAX)
        return err_set(err, ERR_INVALID, "longer than %d characters", CRON_TEXT_MAX);
    if (read_fields(text, parts, bits, ret_at, err))
        return err->code;
    c = (struct cron){ .minutes = bits[MINUTE],
                       .hours = (uint32_t)bits[HOUR],
                       .days = (uint32_t)bits[DAY],
                       .months = (uint32_t)bits[MONTH],
                       .weekdays = (uint32_t)bits[WEEKDAY],
                       .either_day = parts[DAY].p[0] != '*' && parts[WEEKDAY].p[0] != '*' };
    *ret_at = (size_t)(parts[DAY].p - text.p);
    if (!is_possible(&c))
        return err_set(err, ERR_INVALID, "day of month '%.*s' never comes in month '%.*s'",
                       STR_ARG(parts[DAY]), STR_ARG(parts[MONTH]));
    *ret = c;
    return 0;
}

/* --- when ---------------------------------------------------------------------------------------- */

static int has_day(const struct cron *c, int64_t day)
{
    struct date d = date_from_days(day);
    int of_month = c->days >> d.day & 1, of_week = c->weekdays >> date_weekday(day) & 1;

    return c->months >> d.month & 1 && (c->either_day ? of_month || of_week : of_month && of_week);
}

static int has_minute(const struct cron *c, int minute)
{
    return c->hours >> minute / 60 & 1 && c->minutes >> minute % 60 & 1;
}

/* Local times are tried in order, and when they come is in order too; what lies before the local time that it
 * is now has come. */
int64_t cron_next_ms(const struct cron *c, const struct tz *tz, int64_t time_ms)
{
    int64_t local_ms = tz_local_ms(tz, time_ms), day = date_day_of(local_ms);
    int minute = (int)(date_time_of_day(local_ms) / DATE_MINUTE_MS);

    for (int64_t last = day + CRON_DAYS_MAX; day <= last; day++, minute = 0)
        for (; minute < DAY_MINUTES && has_day(c, day); minute++) {
            if (!has_minute(c, minute))
                continue;
            int64_t at_ms = tz_from_local_ms(tz, day * DATE_DAY_MS + minute * DATE_MINUTE_MS);

            if (at_ms > time_ms)
                return at_ms;
        }
    return TZ_NEVER;
}

/* Backwards from a day that has not come: while a time comes for the second time, the later ones of its day had come. */
int64_t cron_previous_ms(const struct cron *c, const struct tz *tz, int64_t time_ms)
{
    int64_t day = date_day_of(tz_local_ms(tz, time_ms)) + 1;

    for (int64_t last = day - CRON_DAYS_MAX; day >= last; day--)
        for (int minute = DAY_MINUTES - 1; minute >= 0 && has_day(c, day); minute--) {
            if (!has_minute(c, minute))
                continue;
            int64_t at_ms = tz_from_local_ms(tz, day * DATE_DAY_MS + minute * DATE_MINUTE_MS);

            if (at_ms <= time_ms)
                return at_ms;
        }
    return -TZ_NEVER;
}
