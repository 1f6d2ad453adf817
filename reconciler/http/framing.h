/*
 * framing: where a request ends, and what its words are. SPDX-License-Identifier: Apache-2.0
 *
 * Two readers of one byte stream must agree where a request ends: a proxy in front of us is another one.
 *
 * Thread   any.
 * Fails    ERR_USAGE; ERR_UNSUPPORTED: a coding that nobody knows; ERR_LIMIT.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct framing { /* what the headers say; zero at first */
    int n_lengths, n_encodings, n_hosts, is_chunked, is_coded, is_odd;
    int64_t length;
};

void framing_see(struct framing *f, struct str name, struct str value);
#define FRAMING_ANY_SIZE ((size_t)INT64_MAX)
int framing_check(const struct framing *f, size_t body_max, struct err *err);
int framing_is_token(struct str word);
/* %XX in place, but %00, which stays as it is; the new length. */
size_t framing_unescape(char *text);
