/*
 * resources: what there is, and what there was. SPDX-License-Identifier: Apache-2.0
 *
 * A row is valid from event valid_from until before event valid_to. A resource that is gone keeps a valid
 * row with status gone: its incarnation and turn go on. tx_put_resource() writes them.
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

int resources_now(struct db *db, struct arena *a, struct str env, struct str kind, struct str name,
                  struct rec_resource *ret, struct err *err);
/* Without those that are gone, by kind and name. */
int resources_list(struct db *db, struct arena *a, struct str env, struct rec_resource **ret,
                   size_t *ret_n, struct err *err);
