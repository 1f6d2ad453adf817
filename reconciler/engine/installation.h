/*
 * installation: whose things are ours. SPDX-License-Identifier: Apache-2.0
 *
 * The id stands in KEYS/installation, and in the database: a new database finds what an older one owned by the
 * labels, which are made of it.
 *
 * Thread   any.
 * Fails    ERR_CORRUPT: the file holds no id; ERR_REFUSED: the database is another installation's; ERR_IO.
 */
#pragma once

#include "base/str.h"

/* STR_NONE: nothing was ever made here. */
int installation_read(struct arena *a, const char *keys, struct str *ret, struct err *err);
/* The database's own; the file is made where there is none. */
int installation_keep(struct arena *a, const char *keys, struct str of_database, struct err *err);
