/*
 * secrets: versions of secrets, never their values. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

/* The newest version of one that is not gone: 1 row or none. */
int secrets_now_of(struct db *db, struct arena *a, struct str env, struct str name,
                   struct rec_secret_version **ret, size_t *ret_n, struct err *err);
