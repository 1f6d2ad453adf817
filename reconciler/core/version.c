/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/version.h"

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str from_first_digit(struct str s)
{
    size_t i = 0;

    while (i < s.n && !is_digit(s.p[i]))
        i++;
    return str_slice(s, i, s.n);
}

static struct str before(struct str s, char c)
{
    return str_slice(s, 0, str_find_char(s, c));
}

/* What follows the first '-'; STR_NONE: nothing does. */
static struct str suffix(struct str s)
{
    size_t at = str_find_char(s, '-');

    return at == STR_NPOS ? STR_NONE : str_slice(s, at + 1, s.n);
}

static int is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return 0;
    return s.n > 0;
}

/* Of any length. */
static int compare_numbers(struct str a, struct str b)
{
    while (a.n && a.p[0] == '0')
        a = str_slice(a, 1, a.n);
    while (b.n && b.p[0] == '0')
        b = str_slice(b, 1, b.n);
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return str_cmp(a, b);
}

/* A number is older than a word, as in semver. */
static int compare_parts(struct str a, struct str b)
{
    int number_a = is_number(a), number_b = is_number(b);

    if (number_a && number_b)
        return compare_numbers(a, b);
    return number_a != number_b ? number_b - number_a : str_cmp(a, b);
}

static int compare_dotted(struct str a, struct str b, struct str absent)
{
    struct str one, other;
    int has_a, has_b;

    for (;;) {
        has_a = str_next(&a, '.', &one);
        has_b = str_next(&b, '.', &other);
        if (!has_a && !has_b)
            return 0;
        if ((!has_a || !has_b) && !absent.n)
            return has_a - has_b;
        if (compare_parts(has_a ? one : absent, has_b ? other : absent))
            return compare_parts(has_a ? one : absent, has_b ? other : absent);
    }
}

int version_cmp(struct str a, struct str b)
{
    struct str x = before(from_first_digit(a), '+'), y = before(from_first_digit(b), '+');
    struct str pre_x = suffix(x), pre_y = suffix(y);
    int order;

    if (!x.n || !y.n)
        return (x.n > 0) - (y.n > 0);
    order = compare_dotted(before(x, '-'), before(y, '-'), S("0"));
    if (order)
        return order;
    if (!pre_x.p || !pre_y.p)
        return !pre_x.p - !pre_y.p;
    return compare_dotted(pre_x, pre_y, S(""));
}
