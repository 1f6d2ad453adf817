/*
 * freeze: times in which no commit is applied. SPDX-License-Identifier: Apache-2.0
 *
 * A list of {days, from, to, tz}: from `from` to `to`, minutes of a day that begins on one of `days`; where
 * `to` is not after `from` it is of the day after. Days are those of UTC, the one time zone of this version.
 *
 * Pure.
 */
#pragma once

#include "specs/value.h"

/* 1 and when it ends, where `now_ms` lies in one of them. */
int freeze_is_on(const struct value *list, int64_t now_ms, int64_t *ret_end_ms);
