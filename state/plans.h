/*
 * plans: plans, and who decided. SPDX-License-Identifier: Apache-2.0
 *
 * A plan is pending in the states open, waiting and approved; started is applying; the others are ends.
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND; ERR_CONFLICT: a prefix of several.
 */
#pragma once

#include "state/db.h"

#define PLANS_PREFIX_MIN 4 /* hex digits */

/* For what asks the table: the words of its index plans_standing, so that what is over is not walked through. */
#define PLANS_STANDING "state IN ('open', 'waiting', 'approved', 'rejected', 'applying')"
#define PLANS_UNFINISHED PLANS_STANDING " AND state <> 'rejected'"

int plans_by_id(struct db *db, struct arena *a, const struct digest *id, struct rec_plan *ret,
                struct err *err);
int plans_by_prefix(struct db *db, struct arena *a, struct str hex, struct rec_plan *ret,
                    struct err *err);
int plans_applying(struct db *db, struct arena *a, struct str env, struct rec_plan *ret,
                   struct err *err);
/* Newest first. env STR_NONE: of all. */
int plans_list(struct db *db, struct arena *a, struct str env, int64_t limit, struct rec_plan **ret,
               size_t *ret_n, struct err *err);
int plans_decisions(struct db *db, struct arena *a, const struct digest *plan,
                    struct rec_decision **ret, size_t *ret_n, struct err *err);
