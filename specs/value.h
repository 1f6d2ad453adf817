/*
 * value: an immutable tree of what was written, with the place of each part. SPDX-License-Identifier: Apache-2.0
 *
 * Kinds are those of our canonical JSON: null, bool, integer, text, list, map. There are no
 * fractions: percentages are basis points, cpus are thousandths, times are milliseconds.
 * Constructors and setters pass NULL through, so a chain is checked once with arena_status().
 *
 * Memory   everything lives in the arena given; a published tree never changes.
 * Thread   any, once published.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_TEXT, VALUE_LIST, VALUE_MAP };

/* Where it was written: 1-based, columns in code points. line 0: nowhere (a default, a computed value). */
struct value_place {
    const struct str *file; /* as long as the value; NULL: none. See value_file() */
    uint32_t line, column;
};

struct value;

struct value_entry {
    struct str key;
    struct value_place key_place;
    struct value *value;
};

struct value {
    enum value_kind kind;
    int plain; /* text written without quotes: the schema decides what it means */
    struct value_place place;
    union {
        int truth;
        int64_t number;
        struct str text;
        struct {
            struct value **items;
            uint32_t n, cap;
        } list;
        struct {
            struct value_entry *entries; /* in the order written */
            uint32_t *slots;             /* index for large maps, twice `cap`; internal */
            uint32_t n, cap;
        } map;
    } u;
};

struct str value_file(struct value_place place); /* STR_NONE: nowhere */
struct value_place value_place_copy(struct arena *a, struct value_place place); /* its file too */

struct value *value_null(struct arena *a);
struct value *value_bool(struct arena *a, int truth);
struct value *value_int(struct arena *a, int64_t number);
struct value *value_text(struct arena *a, struct str text); /* borrows the text */
struct value *value_list(struct arena *a);
struct value *value_map(struct arena *a);

/* Append to a list; add or replace in a map (key borrowed). A NULL v or container does nothing. */
void value_add(struct arena *a, struct value *list, struct value *v);
void value_set(struct arena *a, struct value *map, struct str key, struct value *v);
void value_set_placed(struct arena *a, struct value *map, struct str key,
                      struct value_place key_place, struct value *v);
/* Shorthand for the commonest case. */
void value_set_text(struct arena *a, struct value *map, struct str key, struct str text);
void value_set_int(struct arena *a, struct value *map, struct str key, int64_t number);

/* Readers accept NULL and the wrong kind: they answer NULL, the default, or 0 elements. */
const struct value *value_get(const struct value *map, struct str key);
const struct value_entry *value_entry(const struct value *map, struct str key);
/* A dotted path of map keys: "healthcheck.readiness.interval_ms". */
const struct value *value_at(const struct value *v, struct str path);
struct str value_get_text(const struct value *map, struct str key, struct str otherwise);
int64_t value_get_int(const struct value *map, struct str key, int64_t otherwise);
int value_get_bool(const struct value *map, struct str key, int otherwise);
int value_is(const struct value *v, enum value_kind kind);
size_t value_count(const struct value *v); /* items of a list, entries of a map, else 0 */
const struct value *value_item(const struct value *list, size_t i);

struct value *value_copy(struct arena *a, const struct value *v); /* deep, text and places too */
/* Deep, but content only: no places, as in a canonical form that outlives its documents. */
struct value *value_copy_content(struct arena *a, const struct value *v);
int value_eq(const struct value *a, const struct value *b); /* content only, key order ignored */
/* `over` on top of `base`: maps merge by key, everything else is replaced whole. Places are kept. */
struct value *value_merge(struct arena *a, const struct value *base, const struct value *over);
