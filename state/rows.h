/*
 * rows: records as the JSON of event bodies. SPDX-License-Identifier: Apache-2.0
 *
 * A row is an object of its columns in table order, nulls left out, digests as hex. Because key
 * columns come first, the JSON of a key less its brace is a prefix of its row's.
 *
 * Memory   parsed rows borrow the text of the value.
 * Thread   any.
 * Fails    ERR_INVALID: text that is not UTF-8 or holds a NUL, which no event could carry;
 *          ERR_CORRUPT: a value that is not a row of the table.
 */
#pragma once

#include "specs/value.h"
#include "state/tables.h"

int rows_is_text(struct str text);
int rows_check(const struct table *t, const void *rec, struct err *err);
void rows_write(struct sb *b, const struct table *t, const void *rec);
void rows_write_key(struct sb *b, const struct table *t, const void *rec);
/* A column that the value lacks is null, "", 0 or the none digest: older events know fewer columns. */
int rows_parse(const struct table *t, const struct value *v, void *rec, struct err *err);
/* Keys alone. */
int rows_parse_key(const struct table *t, const struct value *v, void *rec, struct err *err);
/* The first column in which two records differ, or NULL. */
const struct table_column *rows_difference(const struct table *t, const void *a, const void *b);
int rows_compare_keys(const struct table *t, const void *a,
                      const void *b); /* as SQLite orders them */
/* The text of the record becomes the arena's own. */
void rows_own(const struct table *t, void *rec, struct arena *a);
