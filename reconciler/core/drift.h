/*
 * drift: what is remembered of fields that are not as they were asked for. SPDX-License-Identifier: Apache-2.0
 *
 * The memory of an object is a map {PATH: {"is": WORD, "seen": DIGEST, "at_ms": N}}:
 *
 *     found     it differs, and is made so again by a plan
 *     repaired  it was; when it differs again soon after, it is
 *     unstable  told once, not fought, until something else is asked for
 *     reported  it differs, and was told
 *
 * Memory   the arena given.
 */
#pragma once

#include "reconciler/core/object.h"

#define DRIFT_SOON_MS (10 * 60 * 1000)

int drift_is_unstable(const struct value *memory, struct str path);

struct drift_look {
    const struct value *type, *modes;
    const struct value *wanted; /* as it was recorded */
    const struct value *seen;
    const struct value *memory;
    int64_t now_ms;
};
struct drift_news {
    const struct value *memory;
    struct str reported, unstable; /* paths that are told now, "a, b"; "" for none */
};
/* After a look at it. */
struct drift_news drift_judge(struct arena *a, const struct drift_look *look);
/* After it was made as it is wanted: what differs all the same is unstable from the start. */
struct drift_news drift_applied(struct arena *a, const struct drift_look *look);
