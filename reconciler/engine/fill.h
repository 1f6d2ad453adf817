/*
 * fill: what is only known when an operation begins. SPDX-License-Identifier: Apache-2.0
 *
 * Outputs of other resources take the place of the references to them; secrets become the reference that host.secret() takes.
 *
 * Memory   the arena.
 * Thread   STATE.
 * Fails    as db.h; ERR_NOT_FOUND: there is no such output.
 */
#pragma once

#include "specs/value.h"
#include "state/db.h"

struct fill {
    struct db *db;
    struct arena *a;
    struct str env; /* uid */
};

/* Of "kind/name". */
int fill_output(const struct fill *f, struct str of, struct str key, const struct value **ret,
                struct err *err);
/* A copy with everything filled in. */
int fill_value(const struct fill *f, const struct value *v, struct value **ret, struct err *err);
