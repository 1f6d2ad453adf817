/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define SB_TRY_BYTES 32u /* most of what is formatted is shorter */

struct str str_from_c(const char *text)
{
    return text ? (struct str){ text, strlen(text) } : STR_NONE;
}

int str_eq(struct str a, struct str b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

int str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_from_c(b));
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

int str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_slice(s, 0, prefix.n), prefix);
}

int str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_slice(s, s.n - suffix.n, suffix.n), suffix);
}

struct str str_slice(struct str s, size_t from, size_t n)
{
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return (struct str){ s.p ? s.p + from : NULL, n };
}

static int str_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim(struct str s)
{
    while (s.n && str_is_space(s.p[0]))
        s = str_slice(s, 1, s.n);
    while (s.n && str_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

size_t str_find_char(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : STR_NPOS;
}

size_t str_find(struct str s, struct str needle)
{
    const char *at = s.n && needle.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;

    return at ? (size_t)(at - s.p) : STR_NPOS;
}

int str_next(struct str *rest, char sep, struct str *ret_part)
{
    size_t at;

    if (!rest->p)
        return 0;
    at = str_find_char(*rest, sep);
    if (at == STR_NPOS) {
        *ret_part = *rest;
        *rest = STR_NONE;
    } else {
        *ret_part = str_slice(*rest, 0, at);
        *rest = str_slice(*rest, at + 1, rest->n);
    }
    return 1;
}

int str_to_i64(struct str s, int64_t *ret)
{
    int negative = s.n && s.p[0] == '-';
    int64_t value = 0;

    if (s.n == (size_t)negative)
        return -1;
    for (size_t i = (size_t)negative; i < s.n; i++) {
        int digit = s.p[i] - '0';

        if (digit < 0 || digit > 9)
            return -1;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* counted down: INT64_MIN fits */
            return -1;
    }
    if (!negative && value == INT64_MIN)
        return -1;
    *ret = negative ? value : -value;
    return 0;
}

struct str str_copy(struct arena *a, struct str s)
{
    char *p = s.p ? arena_alloc(a, s.n + 1) : NULL;

    if (!p)
        return STR_NONE;
    memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

char *str_to_c(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static struct str str_vfmt(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    char *p;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again); /* sized just above */
    va_end(again);
    return p ? (struct str){ p, (size_t)n } : STR_NONE;
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
    struct str s;
    va_list ap;

    va_start(ap, fmt);
    s = str_vfmt(a, fmt, ap);
    va_end(ap);
    return s;
}

struct str str_size(struct arena *a, int64_t bytes)
{
    static const char *const units[] = { "", "K", "M", "G", "T" };
    size_t unit = 0;

    while (bytes && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    return str_fmt(a, "%lld%s", (long long)bytes, units[unit]);
}

struct str str_clean(struct arena *a, struct str s)
{
    char *copy = NULL;

    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = 0;

        n = utf8_decode(str_slice(s, i, s.n), &c);
        if (n && c)
            continue;
        if (!copy)
            copy = arena_copy(a, s.p, s.n);
        if (!copy)
            return STR_NONE;
        copy[i] = '?';
        n = 1;
    }
    return copy ? (struct str){ copy, s.n } : s;
}

#define STR_DISTANCE_MAX 64u

size_t str_distance(struct str a, struct str b, size_t max)
{
    size_t rows[3][STR_DISTANCE_MAX + 1];
    size_t *two = rows[0], *one = rows[1], *now = rows[2];

    if (a.n > STR_DISTANCE_MAX || b.n > STR_DISTANCE_MAX)
        return max + 1;
    for (size_t j = 0; j <= b.n; j++)
        one[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *spare = two;

        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t cost = a.p[i - 1] != b.p[j - 1], best = one[j - 1] + cost;

            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (one[j] + 1 < best)
                best = one[j] + 1;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
        two = one;
        one = now;
        now = spare;
    }
    return one[b.n] > max ? max + 1 : one[b.n];
}

void sb_init(struct sb *b, struct arena *a)
{
    *b = (struct sb){ .arena = a };
}

static char *sb_room(struct sb *b, size_t n)
{
    if (b->cap - b->n < n + 1) {
        size_t wanted = b->cap ? b->cap * 2 : 128;
        char *moved;

        while (wanted - b->n < n + 1)
            wanted *= 2;
        moved = arena_grow(b->arena, b->p, b->cap, wanted);
        if (!moved)
            return NULL;
        b->p = moved;
        b->cap = wanted;
    }
    return b->p + b->n;
}

void sb_add(struct sb *b, struct str s)
{
    char *at = sb_room(b, s.n);

    if (!at)
        return;
    if (s.n)
        memcpy(at, s.p, s.n);
    b->n += s.n;
    b->p[b->n] = 0;
}

void sb_add_c(struct sb *b, const char *text)
{
    sb_add(b, str_from_c(text));
}

void sb_add_char(struct sb *b, char c)
{
    sb_add(b, (struct str){ &c, 1 });
}

/* Mostly it fits: then it is written once. */
void sb_addf(struct sb *b, const char *fmt, ...)
{
    va_list ap, again;
    char *at = sb_room(b, SB_TRY_BYTES);
    int n;

    if (!at)
        return;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(at, b->cap - b->n, fmt, ap);
    if (n >= 0 && (size_t)n >= b->cap - b->n) {
        at = sb_room(b, (size_t)n);
        if (at)
            (void)vsnprintf(at, (size_t)n + 1, fmt, again); /* sized just above */
    }
    if (n >= 0 && at)
        b->n += (size_t)n;
    b->p[b->n] = 0; /* as it was, where it could not grow */
    va_end(again);
    va_end(ap);
}

struct str sb_str(struct sb *b)
{
    return b->p ? (struct str){ b->p, b->n } : S("");
}
