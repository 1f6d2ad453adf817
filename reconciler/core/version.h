/*
 * version: which of two names of tags is the newer version. SPDX-License-Identifier: Apache-2.0
 *
 * What stands before the first digit does not count ("v1.2", "release-1.2"). Numbers are compared as numbers, part
 * by part, an absent one as 0; then a version is newer than one of it that something follows behind a "-" ("1.2-rc.1"),
 * and those are compared by their words and numbers. What is behind a "+" does not count. A name without any digit
 * is older than each version. Pure.
 */
#pragma once

#include "base/str.h"

/* Below 0: `a` is older; 0: the same version. */
int version_cmp(struct str a, struct str b);
