/*
 * lives: how many lives an installation had, beside the database. SPDX-License-Identifier: Apache-2.0
 *
 * KEYS/lives has the number of the newest one that was begun here. The database has it, too, and so have the labels of what a
 * life made; where the database is lost and its last life made nothing, nobody else has. Who recovers begins above it, so that
 * no plan's id, no idempotency key and no route generation is given twice, and no other daemon counts as newer.
 *
 * Memory   the arena given.
 * Thread   any.
 * Fails    ERR_IO; ERR_FULL. A file that cannot be understood, or is of another installation, is none.
 */
#pragma once

#include "base/str.h"

/* *ret 0: it is not known. */
int lives_read(struct arena *a, const char *keys, struct str installation, int64_t *ret,
               struct err *err);
/* Durable before that life begins; never fewer than there were. */
int lives_keep(struct arena *a, const char *keys, struct str installation, int64_t epoch,
               struct err *err);
