/*
 * stale: is the database as new as the world? SPDX-License-Identifier: Apache-2.0
 *
 * Every effect was written before it was done, so a thing that carries our label and stands in no row was made
 * after this database was last written: it is an older one, put back, or another one.
 *
 * Thread   the connection's.
 */
#pragma once

#include "reconciler/engine/world.h"
#include "state/db.h"

/* Of meta, with an owner label behind it: a takeover found such a thing, of which no event tells (takeover.h). */
#define STALE_STRANGE "strange/"

/* Whether a row stands for it. */
int stale_knows(struct arena *a, struct db *db, const struct owned *o, int *ret, struct err *err);
/* Why it is older; STR_NONE: it is not. */
int stale_judge(struct arena *a, struct db *db, const struct world *world, struct str *ret_why,
                struct err *err);
/* The daemon's lives so far, 0 when none is written. */
int stale_epoch(struct arena *a, struct db *db, int64_t *ret, struct err *err);
