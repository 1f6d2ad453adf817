/*
 * json_io: JSON text to values and back. SPDX-License-Identifier: Apache-2.0
 *
 * json_format() is the canonical form that digests are made of: keys sorted bytewise, no spaces,
 * integers only, control characters as \u00xx, everything else as it is (UTF-8).
 *
 * Memory   in the arena given.
 * Fails    ERR_INVALID with line and column: not JSON, not UTF-8, duplicate keys, fractions;
 *          ERR_LIMIT over JSON_DEPTH_MAX or `limit_bytes`.
 */
#pragma once

#include "specs/value.h"

#define JSON_DEPTH_MAX 64

int json_parse(struct arena *a, struct str text, size_t limit_bytes, struct value **ret,
               struct err *err);
/* Of programs that are not ours: fractions become text. */
int json_parse_answer(struct arena *a, struct str text, size_t limit_bytes, struct value **ret,
                      struct err *err);
struct str json_format(struct arena *a, const struct value *v);
void json_write(struct sb *b, const struct value *v);
/* For people: the order as it is, two spaces a level, a line end. */
void json_write_lines(struct sb *b, const struct value *v);
void json_write_text(struct sb *b, struct str text); /* one quoted string */
