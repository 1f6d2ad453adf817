/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/scalar_match.h"

static int scalar_is_in(struct str text, const char *words)
{
    struct str rest = str_from_c(words), word;

    while (str_next(&rest, '|', &word))
        if (str_eq(text, word))
            return 1;
    return 0;
}

/* [-+]?0[0-7_]+ */
static int scalar_is_octal(struct str s)
{
    if (s.n < 2 || s.p[0] != '0')
        return 0;
    for (size_t i = 1; i < s.n; i++)
        if (!scalar_is_one_of(s.p[i], "01234567_"))
            return 0;
    return 1;
}

/* [0-9][0-9_]*(:[0-5]?[0-9])+ and the same with a fraction; integers do not begin with 0 */
static int scalar_is_sexagesimal(struct str s)
{
    size_t dot = str_find_char(s, '.');
    struct str rest = str_slice(s, 0, dot), part;
    size_t n_parts = 0;

    if (!rest.n || !scalar_is_one_of(rest.p[0], dot == STR_NPOS ? "123456789" : "0123456789"))
        return 0;
    while (str_next(&rest, ':', &part)) {
        for (size_t i = 0; i < part.n; i++)
            if (!scalar_is_one_of(part.p[i], n_parts ? "0123456789" : "0123456789_"))
                return 0;
        if (n_parts++ &&
            (part.n < 1 || part.n > 2 || (part.n == 2 && !scalar_is_one_of(part.p[0], "012345"))))
            return 0;
    }
    for (size_t i = dot; i != STR_NPOS && ++i < s.n;)
        if (!scalar_is_one_of(s.p[i], "0123456789_"))
            return 0;
    return n_parts > 1;
}

const char *scalar_yaml11(struct str text)
{
    struct str unsigned_text = text;

    if (text.n && (text.p[0] == '-' || text.p[0] == '+'))
        unsigned_text = str_slice(text, 1, text.n);
    if (scalar_is_in(text, "true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|"
                           "OFF|y|Y|n|N"))
        return "a boolean";
    if (!text.n || scalar_is_in(text, "~|null|Null|NULL"))
        return "null";
    if (scalar_is_octal(unsigned_text))
        return "an octal number";
    return scalar_is_sexagesimal(unsigned_text) ? "a number in base 60" : NULL;
}
