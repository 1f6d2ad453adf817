/*
 * sets: the instances of a service at one revision. SPDX-License-Identifier: Apache-2.0
 *
 * One set of a service may be live and one previous: a savepoint that moves them writes the old previous
 * first, then the old live one, then the new.
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

int sets_get(struct db *db, struct arena *a, struct str env, struct str service,
             const struct digest *set_key, struct rec_set *ret, struct err *err);
/* Without those that are gone, by service and age. */
int sets_list(struct db *db, struct arena *a, struct str env, struct rec_set **ret, size_t *ret_n,
              struct err *err);

/* By ordinal. */
int sets_instances(struct db *db, struct arena *a, struct str env, struct str service,
                   const struct digest *set_key, struct rec_instance **ret, size_t *ret_n,
                   struct err *err);
int sets_instances_of_env(struct db *db, struct arena *a, struct str env, struct rec_instance **ret,
                          size_t *ret_n, struct err *err);
/* Of one generation, by route. */
int sets_routes(struct db *db, struct arena *a, struct str env, int64_t route_gen,
                struct rec_route **ret, size_t *ret_n, struct err *err);
