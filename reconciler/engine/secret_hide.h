/*
 * secret_hide: a text without the values that somebody was given. SPDX-License-Identifier: Apache-2.0
 *
 * Words, which people read, lose every run of SECRET_HIDE_RUN bytes that they share with a value or with a
 * spelling of it: JSON, percent, hex, base64 within a longer text. So does one that was cut, or that stands on
 * several lines. A shorter value is hidden where it stands whole.
 *
 * Fields, which programs read, lose whole values (or lines of one) of SECRET_HIDE_WHOLE bytes and more: an address or a "1" that
 * somebody keeps as a secret is no reason to lose the name of what was made.
 *
 * Memory   the result is the text itself where nothing was hidden, else lives in `a`.
 * Thread   any. Pure.
 */
#pragma once

#include "base/str.h"

#define SECRET_HIDE_RUN 8u
#define SECRET_HIDE_WHOLE 12u

struct str secret_hide_words(const struct str *values, size_t n, struct arena *a, struct str text);
struct str secret_hide_field(const struct str *values, size_t n, struct arena *a, struct str text);
