/*
 * secret_seal: the sealed set of a revision. SPDX-License-Identifier: Apache-2.0
 *
 * What the instances of a revision were given, one file a revision: DIR/ENVIRONMENT/DIGEST. Restarts and
 * rollbacks are served from it, whatever the store says by then.
 *
 *     "reeve sealed set 1\n", 8 bytes that name the key, 24 of nonce, ciphertext
 *
 * XChaCha20-Poly1305 by libsodium over be32 length and bytes of each reference and each value. Environment and
 * revision are authenticated with it, so a file that lies in the place of another is not taken for it. The
 * key is `sealed` (secret_key.h). What cannot be opened is never used.
 *
 * Memory   values live in the arena you pass, which you wipe.
 * Thread   any; the writers of one environment one at a time.
 * Fails    ERR_NOT_FOUND: there is none; ERR_REFUSED: sealed with another key; ERR_INVALID: cut, changed, or of
 *          another revision; ERR_LIMIT; ERR_IO, ERR_FULL.
 * Limits   SECRET_SEAL_BYTES_MAX a set.
 */
#pragma once

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

#define SECRET_SEAL_BYTES_MAX (16u << 20)

struct secret_seal { /* where: of one revision */
    const char *dir, *keys;
    struct str env; /* uid */
    struct digest revision;
};

/* "NAME@VERSION" -> struct str *: its value. */
int secret_seal_read(const struct secret_seal *at, struct arena *a, struct map *ret,
                     struct err *err);
/* Durable when it returns 0; what lay there and could not be opened is kept beside it as DIGEST.unreadable. */
int secret_seal_write(const struct secret_seal *at, const struct map *set, struct err *err);

/* Revisions of the environment that have one. */
struct secret_seals {
    VEC(struct digest) list;
};
int secret_seal_list(const struct secret_seal *at, struct arena *a, struct secret_seals *ret,
                     struct err *err);
/* Absent is success. */
int secret_seal_drop(const struct secret_seal *at, struct err *err);
