/*
 * revisions: what environments were asked to be. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_NOT_FOUND.
 */
#pragma once

#include "state/db.h"

int revisions_by_digest(struct db *db, struct arena *a, struct str env, const struct digest *digest,
                        struct rec_revision *ret, struct err *err);
int revisions_by_n(struct db *db, struct arena *a, struct str env, int64_t n,
                   struct rec_revision *ret, struct err *err);
int revisions_next_n(struct db *db, struct arena *a, struct str env, int64_t *ret, struct err *err);
/* Newest first. */
int revisions_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                   struct rec_revision **ret, size_t *ret_n, struct err *err);
int revisions_proven(struct db *db, struct arena *a, struct str env, int64_t limit,
                     struct rec_revision **ret, size_t *ret_n, struct err *err);
/* Who asked for one, in the order in which we saw them. */
int revisions_commits(struct db *db, struct arena *a, struct str env, const struct digest *digest,
                      struct rec_revision_commit **ret, size_t *ret_n, struct err *err);
