/*
 * secret_key: keys of this installation that never lie in the database. SPDX-License-Identifier: Apache-2.0
 *
 * A key is 32 random bytes: in $CREDENTIALS_DIRECTORY/reeve.NAME where systemd gives it as a credential, else
 * in DIR/NAME, made at first use with mode 0600.
 *
 * Thread   any; one at a time for a key that may have to be made.
 * Fails    ERR_REFUSED: others can read it; ERR_CORRUPT: it is cut; ERR_LIMIT: too long; ERR_IO, ERR_FULL.
 */
#pragma once

#include <limits.h>

#include "base/err.h"

#define SECRET_KEY_BYTES 32u

/* Into `ret`, which the caller wipes. */
int secret_key_read(const char *dir, const char *name, char ret[SECRET_KEY_BYTES], struct err *err);
/* ERR_NOT_FOUND: there is none, and none is made. */
int secret_key_read_old(const char *dir, const char *name, char ret[SECRET_KEY_BYTES],
                        struct err *err);
/* The same places for a key of another form, which is never made here: its file, that nobody else can read. */
int secret_key_find(const char *dir, const char *name, char ret[PATH_MAX], struct err *err);
int secret_key_check(const char *path, struct err *err);
