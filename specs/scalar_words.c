/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/scalar_words.h"

#include <string.h>

#include "base/cron.h"
#include "base/guard.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

#define SCALAR_IMAGE_MAX 255u
#define SCALAR_WORD_MAX 128u
#define SCALAR_DIGEST_HEX 64u

static int scalar_has_only(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return 0;
    return s.n > 0 && s.n <= SCALAR_WORD_MAX;
}

static int scalar_begins_with(struct str s, const char *set)
{
    return s.n && s.p[0] && strchr(set, s.p[0]);
}

/* Parts between slashes, of which the first may be a host and port: [HOST[:PORT]/]PATH */
static int scalar_is_image_path(struct str s)
{
    struct str part;
    int is_first = 1;

    if (!s.n)
        return 0;
    while (str_next(&s, '/', &part)) {
        if (!scalar_has_only(part,
                             is_first && s.p ? LOWER UPPER DIGIT "._-:" : LOWER DIGIT "._-") ||
            !scalar_begins_with(part, LOWER UPPER DIGIT))
            return 0;
        is_first = 0;
    }
    return 1;
}

/* PATH[:TAG][@sha256:HEX] */
int scalar_is_image(struct str s)
{
    size_t at = str_find_char(s, '@'), colon;

    if (s.n > SCALAR_IMAGE_MAX)
        return 0;
    if (at != STR_NPOS) {
        struct str digest = str_slice(s, at + 1, s.n);

        if (!str_starts(digest, S("sha256:")) || digest.n != 7 + SCALAR_DIGEST_HEX ||
            !scalar_has_only(str_slice(digest, 7, digest.n), DIGIT "abcdef"))
            return 0;
        s = str_slice(s, 0, at);
    }
    for (colon = s.n; colon > 0 && s.p[colon - 1] != ':' && s.p[colon - 1] != '/';)
        colon--;
    if (colon && s.p[colon - 1] == ':') {
        struct str tag = str_slice(s, colon, s.n);

        if (!scalar_has_only(tag, LOWER UPPER DIGIT "._-") || scalar_begins_with(tag, ".-"))
            return 0;
        s = str_slice(s, 0, colon - 1);
    }
    return scalar_is_image_path(s);
}

/* NAME or NUMBER, and a group's behind ':' */
int scalar_is_user(struct str s)
{
    struct str part;
    int n = 0;

    while (str_next(&s, ':', &part)) {
        if (!scalar_has_only(part, LOWER UPPER DIGIT "_.-") || part.p[0] == '-' || part.n > 32)
            return 0;
        n++;
    }
    return n == 1 || n == 2;
}

int scalar_is_path_glob(struct str s)
{
    return scalar_has_only(s, LOWER UPPER DIGIT "/._~-*") && s.p[0] == '/' &&
           str_find(s, S("//")) == STR_NPOS && str_find(s, S("..")) == STR_NPOS;
}

int scalar_is_ref_glob(struct str s)
{
    return scalar_has_only(s, LOWER UPPER DIGIT "/._+@#-*") && s.p[0] != '-' && s.p[0] != '/' &&
           s.p[s.n - 1] != '/' && str_find(s, S("//")) == STR_NPOS &&
           str_find(s, S("..")) == STR_NPOS;
}

int scalar_is_field_path(struct str s)
{
    struct str part;

    if (!s.n || s.n > 200)
        return 0;
    while (str_next(&s, '.', &part))
        if (!scalar_has_only(part, LOWER UPPER DIGIT "_-"))
            return 0;
    return 1;
}

int scalar_is_resource_name(struct str s)
{
    static const struct str kinds[] = { S_INIT("service"),  S_INIT("job"),   S_INIT("domain"),
                                        S_INIT("database"), S_INIT("redis"), S_INIT("backup"),
                                        S_INIT("dns") };
    struct str kind;

    if (!str_next(&s, '/', &kind) || !scalar_has_only(s, LOWER UPPER DIGIT ".-"))
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (str_eq(kind, kinds[i]))
            return 1;
    return 0;
}

/* [>=]NUMBER[.NUMBER[.NUMBER]] */
int scalar_is_version(struct str s)
{
    struct str part;
    int n = 0;

    if (str_starts(s, S(">=")))
        s = str_slice(s, 2, s.n);
    while (str_next(&s, '.', &part)) {
        if (!scalar_has_only(part, DIGIT) || part.n > 6)
            return 0;
        n++;
    }
    return n >= 1 && n <= 3;
}

int scalar_is_extension(struct str s)
{
    return scalar_has_only(s, LOWER DIGIT "_-") && scalar_begins_with(s, LOWER) && s.n <= 63;
}

int scalar_is_parameter(struct str s)
{
    return scalar_has_only(s, LOWER UPPER DIGIT "_.-") && scalar_begins_with(s, LOWER UPPER);
}

int scalar_is_scheme(struct str s)
{
    return scalar_has_only(s, LOWER DIGIT "+.-") && scalar_begins_with(s, LOWER) && s.n <= 40;
}

int scalar_is_cron(struct str s)
{
    struct err err = ERR_INIT;
    struct cron unused;
    size_t at;

    return !cron_parse(s, &unused, &at, &err);
}
