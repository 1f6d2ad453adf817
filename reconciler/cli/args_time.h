/*
 * args_time: times as people write them. SPDX-License-Identifier: Apache-2.0
 *
 * Fails    ERR_USAGE; args_time_length() -1.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Milliseconds of "250ms", "90s", "5m", "2h", "3d", "1w". */
int args_time_length(struct str text, int64_t *ret_ms);
/* Milliseconds since 1970 of "2024-11-20T10:37:11Z", "2024-11-20 10:37" (local time), "2024-11-20",
 * "-2h", "now". `sign` +1 reads "2h" as in two hours, -1 as two hours ago. */
int args_time(struct str text, int sign, int64_t now_ms, int64_t *ret, struct err *err);
