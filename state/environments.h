/*
 * environments: which environments there are. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

/* Deleted ones keep their row; their names are free. */
int environments_by_uid(struct db *db, struct arena *a, struct str uid, struct rec_environment *ret,
                        struct err *err);
int environments_by_name(struct db *db, struct arena *a, struct str name,
                         struct rec_environment *ret, struct err *err);
int environments_list(struct db *db, struct arena *a, struct rec_environment **ret, size_t *ret_n,
                      struct err *err); /* by name, without the deleted */
