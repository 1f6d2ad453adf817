/*
 * str: views of text, and a builder. SPDX-License-Identifier: Apache-2.0
 *
 * A struct str borrows; it is not NUL-terminated unless a comment says so. p NULL is "absent",
 * which differs from "" (p set, n 0). The builder writes into an arena and remembers failure.
 *
 * Thread   any.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct str {
    const char *p;
    size_t n;
};

#define S(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define S_INIT(literal)                                                                            \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    } /* in static tables */
#define STR_NONE ((struct str){ NULL, 0 })
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

struct str str_from_c(const char *text); /* NULL gives STR_NONE */
int str_eq(struct str a, struct str b);
int str_eq_c(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
int str_starts(struct str s, struct str prefix);
int str_ends(struct str s, struct str suffix);
struct str str_slice(struct str s, size_t from, size_t n); /* clamped */
struct str str_trim(struct str s);                         /* spaces, tabs, line ends */

#define STR_NPOS ((size_t)-1)
size_t str_find_char(struct str s, char c); /* index or STR_NPOS */
size_t str_find(struct str s, struct str needle);

/* Cut the text before the first `sep` off `*rest`; returns 0 when nothing is left. */
int str_next(struct str *rest, char sep, struct str *ret_part);

/* Strict decimal, no sign for u64; 0 on success, -1 otherwise. */
int str_to_i64(struct str s, int64_t *ret);

struct str str_copy(struct arena *a, struct str s);
char *str_to_c(struct arena *a, struct str s); /* NUL-terminated copy, NULL when memory ran out */
struct str str_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As specs write a size: 268435456 is "256M". */
struct str str_size(struct arena *a, int64_t bytes);

/* The same text where it is UTF-8 without NUL; else a copy in which every byte that is not becomes '?'. */
struct str str_clean(struct arena *a, struct str s);

/* Damerau-Levenshtein distance, at most `max` + 1: for "did you mean". */
size_t str_distance(struct str a, struct str b, size_t max);

struct sb {
    struct arena *arena;
    char *p;
    size_t n, cap;
};

void sb_init(struct sb *b, struct arena *a);
void sb_add(struct sb *b, struct str s);
void sb_add_c(struct sb *b, const char *text);
void sb_add_char(struct sb *b, char c);
void sb_addf(struct sb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str
sb_str(struct sb *b); /* NUL stands behind it; "" when memory ran out, see arena_status() */
