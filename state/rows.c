/* SPDX-License-Identifier: Apache-2.0 */
#include "state/rows.h"

#include <string.h>

#include "base/guard.h"
#include "base/utf8.h"
#include "specs/json_io.h"

int rows_is_text(struct str text)
{
    uint32_t c;

    while (text.n && text.p[0]) {
        size_t len = (unsigned char)text.p[0] < 0x80 ? 1 : utf8_decode(text, &c);

        if (!len)
            return 0;
        text.p += len;
        text.n -= len;
    }
    return !text.n;
}

int rows_check(const struct table *t, const void *rec, struct err *err)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];

        if ((c->type == TABLE_TEXT || c->type == TABLE_TEXT_NULL) &&
            !rows_is_text(tables_text(rec, c)))
            return err_set(err, ERR_INVALID, "table '%s': column '%.*s' is not UTF-8 text", t->name,
                           STR_ARG(c->name));
    }
    return 0;
}

static void rows_write_int(struct sb *b, int64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    sb_add(b, (struct str){ digits + at, sizeof(digits) - at });
}

static void rows_write_digest(struct sb *b, const struct digest *d)
{
    static const char hex[] = "0123456789abcdef";
    char text[2 * DIGEST_BYTES + 2];

    text[0] = text[sizeof(text) - 1] = '"';
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        text[2 * i + 1] = hex[d->b[i] >> 4];
        text[2 * i + 2] = hex[d->b[i] & 15];
    }
    sb_add(b, (struct str){ text, sizeof(text) });
}

static void rows_write_columns(struct sb *b, const struct table *t, const void *rec, size_t n)
{
    char before = '{';

    for (size_t i = 0; i < n; i++) {
        const struct table_column *c = &t->columns[i];

        if (tables_is_null(rec, c))
            continue;
        sb_add(b, (struct str){ (char[]){ before, '"' }, 2 });
        sb_add(b, c->name);
        sb_add(b, S("\":"));
        before = ',';
        if (c->type == TABLE_TEXT || c->type == TABLE_TEXT_NULL)
            json_write_text(b, tables_text(rec, c));
        else if (c->type == TABLE_INT || c->type == TABLE_INT_NULL)
            rows_write_int(b, tables_int(rec, c));
        else
            rows_write_digest(b, tables_digest(rec, c));
    }
    sb_add_char(b, '}');
}

void rows_write(struct sb *b, const struct table *t, const void *rec)
{
    rows_write_columns(b, t, rec, t->n_columns);
}

void rows_write_key(struct sb *b, const struct table *t, const void *rec)
{
    rows_write_columns(b, t, rec, t->n_keys);
}

/* 0, or -1 when the value is not of the column's type. */
static int rows_parse_column(const struct table_column *c, const struct value *v, void *rec)
{
    void *at = (char *)rec + c->offset;

    if (!v && tables_may_be_null(c)) {
        tables_set_null(rec, c);
        return 0;
    }
    switch (c->type) {
    case TABLE_TEXT:
    case TABLE_TEXT_NULL:
        *(struct str *)at = v ? v->u.text : S("");
        return v && v->kind != VALUE_TEXT ? -1 : 0;
    case TABLE_INT:
    case TABLE_INT_NULL:
        *(int64_t *)at = v ? v->u.number : 0;
        return v && v->kind != VALUE_INT ? -1 : 0;
    case TABLE_DIGEST:
    case TABLE_DIGEST_NULL:
        *(struct digest *)at = (struct digest){ 0 };
        return v && (v->kind != VALUE_TEXT || digest_from_hex(v->u.text, at)) ? -1 : 0;
    }
    UNREACHABLE();
}

static int rows_parse_columns(const struct table *t, const struct value *v, size_t n, void *rec,
                              struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct table_column *c = &t->columns[i];

        if (rows_parse_column(c, value_get(v, c->name), rec))
            return err_set(err, ERR_CORRUPT, "table '%s': column '%.*s' cannot hold its value",
                           t->name, STR_ARG(c->name));
    }
    return 0;
}

int rows_parse(const struct table *t, const struct value *v, void *rec, struct err *err)
{
    return rows_parse_columns(t, v, t->n_columns, rec, err);
}

int rows_parse_key(const struct table *t, const struct value *v, void *rec, struct err *err)
{
    return rows_parse_columns(t, v, t->n_keys, rec, err);
}

static int rows_compare_column(const struct table_column *c, const void *a, const void *b)
{
    switch (c->type) {
    case TABLE_TEXT:
    case TABLE_TEXT_NULL:
        return str_cmp(tables_text(a, c), tables_text(b, c));
    case TABLE_INT:
    case TABLE_INT_NULL:
        return (tables_int(a, c) > tables_int(b, c)) - (tables_int(a, c) < tables_int(b, c));
    case TABLE_DIGEST:
    case TABLE_DIGEST_NULL:
        return memcmp(tables_digest(a, c)->b, tables_digest(b, c)->b, DIGEST_BYTES);
    }
    UNREACHABLE();
}

const struct table_column *rows_difference(const struct table *t, const void *a, const void *b)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];

        if (tables_is_null(a, c) != tables_is_null(b, c) || rows_compare_column(c, a, b))
            return c;
    }
    return NULL;
}

int rows_compare_keys(const struct table *t, const void *a, const void *b)
{
    int order = 0;

    for (size_t i = 0; i < t->n_keys && !order; i++)
        order = rows_compare_column(&t->columns[i], a, b);
    return order;
}

void rows_own(const struct table *t, void *rec, struct arena *a)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];
        struct str *text = (struct str *)(void *)((char *)rec + c->offset);

        if (c->type == TABLE_TEXT || c->type == TABLE_TEXT_NULL)
            *text = str_copy(a, *text);
    }
}
