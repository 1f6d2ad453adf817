/*
 * secret_store: where secrets are read, and what names their values. SPDX-License-Identifier: Apache-2.0
 *
 * Stores of the Daemon document: `env` (the daemon's environment: path git_token is PREFIX + GIT_TOKEN) and
 * `file` (a directory, one file a secret, its last line end dropped). With a key, what lies at the path is a
 * JSON map of texts. A version is "f:" and 16 hex digits of HMAC-SHA-256(key, environment, name, value), the key
 * in KEYS/fingerprint, made at first use. These stores keep one version: an older one is gone.
 *
 * A value is a struct secret: it has no printable form, is never part of a message and is wiped when freed.
 *
 * Thread   any; the stores are asked on pool threads.
 * Fails    ERR_NOT_FOUND: not in the store; ERR_REFUSED: the version is gone, a path that leaves the store, a
 *          key file that others can read; ERR_UNREACHABLE: the store is not there; ERR_INVALID, ERR_LIMIT, ERR_IO.
 * Limits   SECRET_BYTES_MAX, SECRET_PATH_MAX.
 */
#pragma once

#include "specs/value.h"

#define SECRET_BYTES_MAX 65536u
#define SECRET_PATH_MAX 512u

struct secret;
struct secret_store;

struct secret_ref {
    struct str env;  /* name of the environment; "" for the daemon's own */
    struct str name; /* what the spec calls it */
    struct str store, path,
        key; /* store STR_NONE: the default; path STR_NONE: the name; key STR_NONE: all of it */
};

/* `daemon` is the normalised Daemon document, borrowed; `keys` the directory var/keys. */
int secret_store_new(const struct value *daemon, const char *keys, struct secret_store **ret,
                     struct err *err);
void secret_store_free(struct secret_store *s);

/* The version that is there now. */
int secret_store_version(struct secret_store *s, const struct secret_ref *ref, struct arena *a,
                         struct str *ret, struct err *err);
/* The value of that version; STR_NONE: of the one that is there now. */
int secret_store_read(struct secret_store *s, const struct secret_ref *ref, struct str version,
                      struct secret **ret, struct err *err);

/* From "NAME@VERSION", as drivers are given it, and `refs`, {NAME: {store, path, key}}: the value, in an arena
 * that its owner wipes. */
int secret_store_open(struct secret_store *s, struct arena *a, struct str env,
                      const struct value *refs, struct str ref, struct str *ret, struct err *err);

struct str secret_reveal(const struct secret *secret); /* borrows; for the one that uses it */
void secret_free(struct secret *secret);               /* wipes; NULL is fine */
