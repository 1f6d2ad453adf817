/* What counts: from its text to a number in the unit of its type, and back. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/guard.h"
#include "specs/scalar_match.h"

#define SCALAR_DURATION_DAYS_MAX 3650

/* --- read ---------------------------------------------------------------------------------------- */

int scalar_count(struct str s, int64_t *ret)
{
    if (!s.n || s.p[0] == '-' || (s.n > 1 && s.p[0] == '0'))
        return -1;
    return str_to_i64(s, ret);
}

int scalar_int(struct str s, int64_t *ret)
{
    struct str digits = str_starts(s, S("-")) ? str_slice(s, 1, s.n) : s;

    return scalar_count(digits, ret) ? -1 : str_to_i64(s, ret);
}

int scalar_bool(struct str s, int64_t *ret)
{
    *ret = str_eq_c(s, "true");
    return *ret || str_eq_c(s, "false") ? 0 : -1;
}

struct scalar_unit {
    struct str suffix;
    int64_t factor;
};

static int scalar_with_unit(struct str s, const struct scalar_unit *units, size_t n, int64_t *ret)
{
    size_t at = 0;

    while (at < s.n && scalar_is_digit(s.p[at]))
        at++;
    for (size_t i = 0; i < n; i++)
        if (str_eq(str_slice(s, at, s.n), units[i].suffix))
            return scalar_count(str_slice(s, 0, at), ret) ||
                           __builtin_mul_overflow(*ret, units[i].factor, ret)
                       ? -1
                       : 0;
    return -1;
}

/* Of a duration, the largest first. */
static const struct scalar_unit scalar_durations[] = {
    { S_INIT("d"), 86400000 }, { S_INIT("h"), 3600000 }, { S_INIT("m"), 60000 },
    { S_INIT("s"), 1000 },     { S_INIT("ms"), 1 },
};

int scalar_duration(struct str s, int64_t *ret)
{
    if (scalar_with_unit(s, scalar_durations, N_ELEMENTS(scalar_durations), ret))
        return -1;
    return *ret <= SCALAR_DURATION_DAYS_MAX * (int64_t)86400000 ? 0 : -1;
}

int scalar_size(struct str s, int64_t *ret)
{
    static const struct scalar_unit units[] = {
        { S_INIT("K"), 1LL << 10 },
        { S_INIT("M"), 1LL << 20 },
        { S_INIT("G"), 1LL << 30 },
        { S_INIT("T"), 1LL << 40 },
    };

    return scalar_with_unit(s, units, N_ELEMENTS(units), ret);
}

/* DIGITS[.DIGITS], of which so many decimals, as their unit; a sign is none of them. */
static int scalar_decimal(struct str s, size_t places, int64_t *ret)
{
    size_t dot = str_find_char(s, '.');
    struct str part = dot == STR_NPOS ? S("0") : str_slice(s, dot + 1, s.n);
    int64_t whole, decimals;

    if (!part.n || part.n > places || scalar_count(str_slice(s, 0, dot), &whole) ||
        part.p[0] == '-' || part.p[0] == '+' || str_to_i64(part, &decimals) || whole > 1000000)
        return -1;
    for (size_t i = 0; i < places; i++) {
        whole *= 10;
        decimals *= i < part.n ? 1 : 10;
    }
    *ret = whole + decimals;
    return 0;
}

int scalar_cpus(struct str s, int64_t *ret)
{
    return scalar_decimal(s, 3, ret);
}

int scalar_time_of_day(struct str s, int64_t *ret)
{
    int digits[4] = { 0 };

    if (s.n != 5 || s.p[2] != ':')
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = s.p[i < 2 ? i : i + 1];

        if (!scalar_is_digit(c))
            return -1;
        digits[i] = c - '0';
    }
    *ret = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3];
    return digits[2] < 6 && *ret < 24 * 60 ? 0 : -1;
}

int scalar_percent(struct str s, int64_t *ret)
{
    if (!str_ends(s, S("%")) || scalar_decimal(str_slice(s, 0, s.n - 1), 2, ret))
        return -1;
    return *ret <= 10000 ? 0 : -1;
}

/* --- written ------------------------------------------------------------------------------------- */

/* In the largest unit that it is a whole number of. */
static struct str scalar_duration_text(struct arena *a, int64_t number)
{
    const struct scalar_unit *unit = scalar_durations;

    while (unit->factor > 1 && (!number || number % unit->factor))
        unit++;
    return str_fmt(a, "%" PRId64 "%.*s", number / unit->factor, STR_ARG(unit->suffix));
}

/* Without zeros at its end. */
static struct str scalar_thousandths(struct arena *a, int64_t number)
{
    struct str text = str_fmt(a, "%" PRId64 ".%03" PRId64, number / 1000, number % 1000);

    while (text.n && text.p[text.n - 1] == '0')
        text.n--;
    return str_slice(text, 0, str_ends(text, S(".")) ? text.n - 1 : text.n);
}

struct str scalar_text(struct arena *a, enum scalar_type type, int64_t number)
{
    switch (type) {
    case SCALAR_SIZE:
        return str_size(a, number);
    case SCALAR_CPUS:
        return scalar_thousandths(a, number);
    case SCALAR_PERCENT:
        return str_fmt(a, "%.*s%%", STR_ARG(scalar_thousandths(a, number * 10)));
    case SCALAR_DURATION:
        return scalar_duration_text(a, number);
    default:
        return str_fmt(a, "%" PRId64, number);
    }
}
