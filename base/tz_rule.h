/*
 * tz_rule: the footer of a TZif file, as of the variable TZ of POSIX. SPDX-License-Identifier: Apache-2.0
 *
 * "CET-1CEST,M3.5.0,M10.5.0/3": the standard offset, that of summer time, and the days on which it begins and ends.
 * Hours of a change may be from -167 to 167. A part of tz. Pure.
 */
#pragma once

#include "base/tz.h"

/* 0 with the members of the rule set, or -1. */
int tz_rule_parse(struct str text, struct tz *ret);

/* With has_rule: the offset at that second, and the second of the next change (TZ_NEVER: there is none). */
int32_t tz_rule_offset_s(const struct tz *tz, int64_t time_s);
int64_t tz_rule_change_after_s(const struct tz *tz, int64_t time_s);
