/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/json_io.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/guard.h"
#include "base/utf8.h"

#define JSON_SORT_ON_STACK 32u

static void json_guard_free(json_t **j)
{
    json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(json_guard_free)))

struct json_reader {
    struct arena *a;
    int takes_fractions; /* as the text that they are */
};

static int json_convert(const struct json_reader *r, json_t *j, unsigned depth, struct value **ret,
                        struct err *err);

static int json_convert_array(const struct json_reader *r, json_t *j, unsigned depth,
                              struct value *list, struct err *err)
{
    struct value *item;

    for (size_t i = 0; i < json_array_size(j); i++) {
        int rc = json_convert(r, json_array_get(j, i), depth, &item, err);

        if (rc)
            return rc;
        value_add(r->a, list, item);
    }
    return 0;
}

static int json_convert_object(const struct json_reader *r, json_t *j, unsigned depth,
                               struct value *map, struct err *err)
{
    for (void *at = json_object_iter(j); at; at = json_object_iter_next(j, at)) {
        struct str key = str_copy(r->a, str_from_c(json_object_iter_key(at)));
        struct value *item;
        int rc = json_convert(r, json_object_iter_value(at), depth, &item, err);

        if (rc)
            return rc;
        value_set(r->a, map, key, item);
    }
    return 0;
}

static int json_convert(const struct json_reader *r, json_t *j, unsigned depth, struct value **ret,
                        struct err *err)
{
    struct arena *a = r->a;

    if (depth > JSON_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "json: nested deeper than %d", JSON_DEPTH_MAX);
    switch (json_typeof(j)) {
    case JSON_NULL:
        *ret = value_null(a);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = value_bool(a, json_is_true(j));
        return 0;
    case JSON_INTEGER:
        *ret = value_int(a, json_integer_value(j));
        return 0;
    case JSON_STRING:
        *ret = value_text(a,
                          str_copy(a, (struct str){ json_string_value(j), json_string_length(j) }));
        return 0;
    case JSON_REAL:
        if (r->takes_fractions) {
            *ret = value_text(a, str_fmt(a, "%g", json_real_value(j)));
            return 0;
        }
        return err_set(err, ERR_INVALID, "json: %g is not an integer", json_real_value(j));
    case JSON_ARRAY:
        *ret = value_list(a);
        return json_convert_array(r, j, depth + 1, *ret, err);
    case JSON_OBJECT:
        *ret = value_map(a);
        return json_convert_object(r, j, depth + 1, *ret, err);
    }
    UNREACHABLE();
}

static int json_read(const struct json_reader *r, struct str text, size_t limit_bytes,
                     struct value **ret, struct err *err)
{
    json_error_t at = { 0 };
    AUTO_JSON json_t *j = NULL;
    struct value *v = NULL;
    int rc;

    if (text.n > limit_bytes)
        return err_set(err, ERR_LIMIT, "json: %zu bytes, at most %zu", text.n, limit_bytes);

    j = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (!j && json_error_code(&at) == json_error_stack_overflow)
        return err_set(err, ERR_LIMIT, "json: nested deeper than %d", JSON_DEPTH_MAX);
    if (!j)
        return err_set(err,
                       json_error_code(&at) == json_error_out_of_memory ? ERR_NOMEM : ERR_INVALID,
                       "json: line %d, column %d: %s", at.line, at.column, at.text);

    rc = json_convert(r, j, 0, &v, err);
    if (!rc)
        rc = arena_status(r->a, err);
    if (!rc)
        *ret = v;
    return rc;
}

int json_parse(struct arena *a, struct str text, size_t limit_bytes, struct value **ret,
               struct err *err)
{
    return json_read(&(struct json_reader){ .a = a }, text, limit_bytes, ret, err);
}

int json_parse_answer(struct arena *a, struct str text, size_t limit_bytes, struct value **ret,
                      struct err *err)
{
    return json_read(&(struct json_reader){ .a = a, .takes_fractions = 1 }, text, limit_bytes, ret,
                     err);
}

struct str json_format(struct arena *a, const struct value *v)
{
    struct sb b;

    sb_init(&b, a);
    json_write(&b, v);
    return sb_str(&b);
}

static int json_compare_entries(const void *a, const void *b)
{
    return str_cmp((*(const struct value_entry *const *)a)->key,
                   (*(const struct value_entry *const *)b)->key);
}

/* Keys mostly stand in order already, or nearly so. */
static void json_sort_few(const struct value_entry **entries, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct value_entry *entry = entries[i];
        size_t at = i;

        for (; at && str_cmp(entries[at - 1]->key, entry->key) > 0; at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

static void json_write_map(struct sb *b, const struct value *map)
{
    const struct value_entry *on_stack[JSON_SORT_ON_STACK], **sorted = on_stack;
    size_t n = value_count(map);

    if (n > JSON_SORT_ON_STACK)
        sorted = arena_new_n(b->arena, const struct value_entry *, n);
    if (!sorted)
        return; /* the arena remembers */
    for (size_t i = 0; i < n; i++)
        sorted[i] = &map->u.map.entries[i];
    if (n > JSON_SORT_ON_STACK)
        qsort(sorted, n, sizeof(const struct value_entry *), json_compare_entries);
    else
        json_sort_few(sorted, n);

    sb_add_char(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            sb_add_char(b, ',');
        json_write_text(b, sorted[i]->key);
        sb_add_char(b, ':');
        json_write(b, sorted[i]->value);
    }
    sb_add_char(b, '}');
}

static void json_write_list(struct sb *b, const struct value *list)
{
    sb_add_char(b, '[');
    for (size_t i = 0; i < value_count(list); i++) {
        if (i)
            sb_add_char(b, ',');
        json_write(b, value_item(list, i));
    }
    sb_add_char(b, ']');
}

static void json_write_int(struct sb *b, int64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0)
        digits[--at] = '-';
    sb_add(b, (struct str){ digits + at, sizeof(digits) - at });
}

void json_write(struct sb *b, const struct value *v)
{
    if (!v) {
        sb_add(b, S("null"));
        return;
    }
    switch (v->kind) {
    case VALUE_NULL:
        sb_add(b, S("null"));
        break;
    case VALUE_BOOL:
        sb_add(b, v->u.truth ? S("true") : S("false"));
        break;
    case VALUE_INT:
        json_write_int(b, v->u.number);
        break;
    case VALUE_TEXT:
        json_write_text(b, v->u.text);
        break;
    case VALUE_LIST:
        json_write_list(b, v);
        break;
    case VALUE_MAP:
        json_write_map(b, v);
        break;
    }
}

static void json_write_level(struct sb *b, const struct value *v, int level)
{
    int is_map = value_is(v, VALUE_MAP);

    if (!value_count(v)) {
        json_write(b, v);
        return;
    }
    sb_add_char(b, is_map ? '{' : '[');
    for (size_t i = 0; i < value_count(v); i++) {
        sb_addf(b, "%s\n%*s", i ? "," : "", 2 * (level + 1), "");
        if (is_map) {
            json_write_text(b, v->u.map.entries[i].key);
            sb_add(b, S(": "));
        }
        json_write_level(b, is_map ? v->u.map.entries[i].value : value_item(v, i), level + 1);
    }
    sb_addf(b, "\n%*s%c", 2 * level, "", is_map ? '}' : ']');
}

void json_write_lines(struct sb *b, const struct value *v)
{
    json_write_level(b, v, 0);
    sb_add_char(b, '\n');
}

/* What is no UTF-8 is U+FFFD for each byte: whoever reads it would refuse all of it. */
void json_write_text(struct sb *b, struct str text)
{
    size_t from = 0;

    sb_add_char(b, '"');
    for (size_t i = 0, n; i < text.n; i += n) {
        unsigned char c = (unsigned char)text.p[i];
        uint32_t ignored;

        n = c < 0x80 ? 1 : utf8_decode(str_slice(text, i, text.n), &ignored);
        if (n && c >= 0x20 && c != '"' && c != '\\')
            continue;
        sb_add(b, str_slice(text, from, i - from));
        if (!n)
            sb_add(b, S("\xef\xbf\xbd"));
        else if (c < 0x20)
            sb_addf(b, "\\u%04x", c);
        else
            sb_addf(b, "\\%c", c);
        n = 1;
        from = i + 1;
    }
    sb_add(b, str_slice(text, from, text.n));
    sb_add_char(b, '"');
}
