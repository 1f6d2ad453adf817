/*
 * yaml_text: what libyaml does not look at. SPDX-License-Identifier: Apache-2.0
 *
 * libyaml counts in code points; this walks the bytes beside it, refuses what it would accept
 * (directives, UTF-16, NUL) or be slow on, and finds tabs between the events.
 *
 * Thread   one at a time.
 */
#pragma once

#include "specs/spec.h"

struct yaml_text {
    struct str bytes;      /* without a byte order mark */
    size_t at, index;      /* cursor: bytes, code points */
    uint32_t line, column; /* of the cursor, from 0 */
    int in_comment;
};

void yaml_text_init(struct yaml_text *t, struct str text); /* borrowed */
/* 0, or -1 after a message that the whole file cannot be read. */
int yaml_text_check(const struct yaml_text *t, const struct str *file, size_t limit_bytes,
                    struct spec_messages *m);
/* Line and column of a byte. */
struct value_place yaml_text_place(const struct yaml_text *t, const struct str *file,
                                   size_t offset);
int yaml_text_is_tab(const struct yaml_text *t, struct value_place place);
/* Move behind the event that spans these code points; 1 when a tab stands between the last event
 * and this one, outside comments. */
int yaml_text_tab_before(struct yaml_text *t, const struct str *file, size_t from, size_t to,
                         struct value_place *ret);
/* One line of a text, without its end; STR_NONE when there is none. */
struct str yaml_text_line(struct str text, uint32_t line);
