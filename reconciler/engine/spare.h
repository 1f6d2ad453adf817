/*
 * spare: what was built for an environment and nobody needs any more. SPDX-License-Identifier: Apache-2.0
 *
 * Needed is an artifact that is named by a set that is not gone, by what is wanted or live, by one of the newest
 * SPARE_REVISIONS revisions, by a run of a job that has not ended, or by the assets of a service, which are of
 * versions that it had before. Where a document of these is not known, as after the database was lost, nothing is
 * spare.
 *
 * Memory   the arena given.
 * Thread   STATE.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/core/plan.h"
#include "state/db.h"

#define SPARE_REVISIONS 10 /* back to one of these nothing is built */

/* By name. `wanted` is needed too. */
int spare_find(struct arena *a, struct db *db, struct str env,
               const struct environment_spec *wanted, struct plan_spare **ret, size_t *ret_n,
               struct err *err);
/* Whether somebody needs it now; `key` is hex. */
int spare_is_needed(struct arena *a, struct db *db, struct str env, struct str key, int *ret,
                    struct err *err);
