/*
 * generation: the routes that a switch brings in. SPDX-License-Identifier: Apache-2.0
 *
 * The routes stand once in the plan, as they are wanted and as they were; a switch names its members
 * alone. What its generation holds is made when it begins, of the plan and of the switches that were done
 * until then: a place is wanted from the switch of its group on and what it was before, so that no
 * group is given routes by the switch of another. Places of no group are wanted from the first switch on.
 *
 * A switch with a share moves nothing: places stay as they were, with a share of their requests for the set that is
 * wanted there. A place that was not there before leads to that set alone.
 *
 * Memory   the arena given; points into the plan.
 * Fails    ERR_CORRUPT: the item makes no generation, or no switch stands behind it; ERR_NOMEM.
 */
#pragma once

#include "reconciler/core/plan.h"

struct generation_route {
    const struct plan_route *route;
    struct str set; /* key of the set that serves it; STR_NONE: of whatever is live */
    struct generation_share {
        struct str service, set; /* who gets a share; STR_NONE: nobody */
        int64_t of_10000;
    } share;
};

struct generation {
    struct generation_route *p;
    size_t n, cap;
};

/* A switch that was done, into `last` (one a group; NULL: none); in order of items. Any other item changes nothing. */
void generation_note(const struct plan *p, size_t item, const struct plan_item **last);

/* What the routes item at `item` is to make. */
int generation_make(struct arena *a, const struct plan *p, size_t item,
                    const struct plan_item *const *last, struct generation *ret, struct err *err);
