/*
 * base64: RFC 4648's two alphabets. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   results live in the arena given.
 * Thread   any.
 */
#pragma once

#include "base/str.h"

struct str base64_encode(struct arena *a, struct str bytes); /* with '=' to a multiple of four */
/* With or without '=' at its end; 0, or -1 where it is none. */
int base64_decode(struct arena *a, struct str text, struct str *ret);
/* The alphabet of URLs, '-' and '_', without '='. Decoding takes one spelling of each bytes and no other. */
struct str base64_url_encode(struct arena *a, struct str bytes);
int base64_url_decode(struct arena *a, struct str text, struct str *ret);
