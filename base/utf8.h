/*
 * utf8: characters of text that came from outside. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. One table says what nobody should be shown as it is: what moves a cursor, turns a line around or
 * cannot be seen.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* The code point that `s` begins with, and its bytes; 0 when they are not UTF-8. */
size_t utf8_decode(struct str s, uint32_t *ret);
/* Cut off what a text that was cut ends with: the beginning of a character. */
void utf8_trim(char *text);
/* C0, C1, DEL, bidi, zero-width and the like. */
int utf8_is_unseen(uint32_t c);
