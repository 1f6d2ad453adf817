/*
 * share: a published part may stand in two trees. SPDX-License-Identifier: Apache-2.0
 *
 * Trees are only read behind the builder, so that what core makes of a spec need not copy it. The
 * result lives as long as the part it borrows.
 */
#pragma once

#include "specs/value.h"

static inline struct value *share_value(const struct value *v)
{
    union {
        const struct value *published;
        struct value *part;
    } u = { .published = v };

    return u.part;
}

/* The part stands in `map` under its name; absent stays absent. */
static inline void share_part(struct arena *a, struct value *map, struct str field,
                              const struct value *part)
{
    if (part)
        value_set(a, map, field, share_value(part));
}
