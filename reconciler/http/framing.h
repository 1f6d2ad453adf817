/*
 * framing: where a request ends, and what its words are. SPDX-License-Identifier: Apache-2.0
 *
 * Two readers of one byte stream must agree where a request ends; libmicrohttpd 0.9.75 takes two lengths, and
 * a decoded NUL would end a word early.
 *
 * Thread   any.
 * Fails    ERR_USAGE, ERR_LIMIT.
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
int framing_check(const struct framing *f, size_t body_max, struct err *err);
/* %XX in place, but %00, which stays as it is; the new length. */
size_t framing_unescape(char *text);
