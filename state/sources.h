/*
 * sources: repositories and the heads of their branches. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

int sources_list(struct db *db, struct arena *a, struct rec_source **ret, size_t *ret_n,
                 struct err *err);
int sources_head(struct db *db, struct arena *a, struct str source, struct str branch,
                 struct rec_head *ret, struct err *err);
/* Those that are gone too. */
int sources_heads(struct db *db, struct arena *a, struct str source, struct rec_head **ret,
                  size_t *ret_n, struct err *err);
