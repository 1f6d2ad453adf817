/*
 * zones: the time zones of this machine, as its package tzdata brings them. SPDX-License-Identifier: Apache-2.0
 *
 * They lie below $TZDIR, else /usr/share/zoneinfo. UTC is not read.
 *
 * Memory   the arena given.
 * Thread   any.
 */
#pragma once

#include "base/map.h"
#include "base/tz.h"
#include "specs/value.h"

int zones_is_there(struct str name);
/* ERR_NOT_FOUND: it is not installed. */
int zones_read(struct arena *a, struct str name, struct tz *ret, struct err *err);
/* Those that a list of windows names; what is not installed is left out. */
int zones_add(struct arena *a, const struct value *windows, struct map *zones, struct err *err);
