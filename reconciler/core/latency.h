/*
 * latency: how long answers took, as drivers count it. SPDX-License-Identifier: Apache-2.0
 *
 * A list of steps [over_ms, up_to_ms, n]: n answers took longer than over_ms and at most up_to_ms; the last
 * step has no end, 0. Sorted by over_ms. Pure.
 */
#pragma once

#include "specs/value.h"

/* What was counted since `base`; NULL: since ever. */
struct value *latency_since(struct arena *a, const struct value *now, const struct value *base);
int64_t latency_count(const struct value *steps);

struct latency_step {
    int64_t over_ms, up_to_ms;
};
/* The step within which this share (basis points) of the answers came; {-1, -1} of none. */
struct latency_step latency_share(const struct value *steps, int64_t share);
