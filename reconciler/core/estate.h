/*
 * estate: a snapshot in order, found by name. SPDX-License-Identifier: Apache-2.0
 *
 * What the engine read comes in any order; plans are made of this, so that the same estate gives the
 * same bytes.
 *
 * Memory   the arena given; points into the snapshot.
 */
#pragma once

#include "reconciler/core/snapshot.h"

struct estate {
    const struct snapshot *s;
    const struct spec_resource **wanted;        /* by kind, name */
    const struct recorded **recorded;           /* by kind, name */
    const struct rec_set **sets;                /* by service, key */
    const struct observed_instance **instances; /* by service, key, ordinal */
    const struct spec_resource **renamed;       /* by kind, the name they had */
    size_t n_wanted, n_recorded, n_sets, n_instances, n_renamed;
};

int estate_make(struct arena *a, const struct snapshot *s, struct estate *ret, struct err *err);

const struct spec_resource *estate_find_wanted(const struct estate *e, struct str kind,
                                               struct str name);
const struct recorded *estate_find_recorded(const struct estate *e, struct str kind,
                                            struct str name);
/* What is recorded under the name that it had until now; NULL: nothing, or it had no other. */
const struct recorded *estate_find_was(const struct estate *e, const struct spec_resource *want);
/* By its own name, else by the one that it had. */
const struct recorded *estate_find_before(const struct estate *e, const struct spec_resource *want);
/* What has this name no more, because it has another from now on; NULL: nothing. */
const struct spec_resource *estate_find_renamed(const struct estate *e, struct str kind,
                                                struct str name);
/* All sets of a service, side by side. */
const struct rec_set **estate_sets_of(const struct estate *e, struct str service, size_t *ret_n);
/* Instances of a set whose place is not known to be empty. */
int64_t estate_count_instances(const struct estate *e, const struct rec_set *set);
