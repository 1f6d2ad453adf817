/*
 * secret_store: where secrets are read, and what names their values. SPDX-License-Identifier: Apache-2.0
 *
 * Stores of the Daemon document, by type:
 *
 *     env     the daemon's environment: path git_token is PREFIX + GIT_TOKEN
 *     file    a directory, one file a secret, its last line end dropped
 *     exec    a program of this machine: the path is its last argument, the value its output
 *     vault   a key-value store of version 2: path MOUNT/PATH; without a key, the value stands under `value`
 *     age     a file of the environment's commit, sealed with age
 *
 * With a key, what lies at the path of the first three is a JSON map of texts. Their version is "f:" and 16 hex
 * digits of HMAC-SHA-256(key, environment, name, value), the key being `fingerprint` (secret_key.h): they keep
 * one, an older one is gone. A vault counts: "v3-" and what tells it from that number of another place. Of age
 * it is the id of the blob. A generated secret is "g:1": made when it is given for the first time, and then read.
 *
 * A value is a struct secret: it has no printable form, is never part of a message and is wiped when freed.
 *
 * Thread   any but the loop's; the stores are asked on pool threads.
 * Fails    ERR_NOT_FOUND: not in the store; ERR_REFUSED: the version is gone, no permission, a path that leaves
 *          the store, a key file that others can read; ERR_UNREACHABLE: the store is not there, sealed, or does
 *          not answer; ERR_INVALID, ERR_LIMIT, ERR_IO.
 * Limits   SECRET_BYTES_MAX, SECRET_PATH_MAX.
 */
#pragma once

#include "base/map.h"
#include "specs/value.h"

#define SECRET_BYTES_MAX 65536u
#define SECRET_PATH_MAX 512u
#define SECRET_SHORT_BELOW 32u /* characters: such a value is told as a warning */
#define SECRET_FIRST_GENERATED "g:1"

struct loop;
struct secret;
struct secret_store;

struct secret_ref {
    struct str env;  /* name of the environment; "" for the daemon's own */
    struct str name; /* what the spec calls it */
    struct str store, path,
        key; /* store STR_NONE: the default; path STR_NONE: the name; key STR_NONE: all of it */
    struct str blob;  /* what stands at the path in the environment's commit; STR_NONE: nothing */
    int64_t generate; /* so many random bytes; 0: somebody else made it */
    struct str encoding;
    int may_make; /* it was never seen in its store, so it may be generated now */
};
/* From {store, path, key, generate, encoding}; NULL: all of it absent. */
struct secret_ref secret_store_ref(struct str env, struct str name, const struct value *lies);

struct secret_store_options {
    const struct value *daemon; /* normalised, borrowed */
    const char *dir, *keys;     /* var/, var/keys */
    const char *self;  /* the program that is its own git worker; NULL: age stores are not asked */
    struct loop *loop; /* NULL: vaults are not asked */
};
int secret_store_new(const struct secret_store_options *o, struct secret_store **ret,
                     struct err *err);
void secret_store_free(struct secret_store *s);

/* What is there now. The fingerprint is "" for one that will be generated when it is given. */
struct secret_pin {
    struct str version, fingerprint;
    int is_short;
};
int secret_store_pin(struct secret_store *s, const struct secret_ref *ref, struct arena *a,
                     struct secret_pin *ret, struct err *err);
/* The value of that version; STR_NONE: of the one that is there now. */
int secret_store_read(struct secret_store *s, const struct secret_ref *ref, struct str version,
                      struct secret **ret, struct err *err);
/* What is there now of the daemon's own one of that name. The second: into an arena that its owner wipes; STR_NONE for no name. */
int secret_store_read_own(struct secret_store *s, struct str name, struct secret **ret,
                          struct err *err);
int secret_store_copy_own(struct secret_store *s, struct str name, struct arena *a, struct str *ret,
                          struct err *err);

/* "f: .." of a value that is in no store: an output of a driver. */
int secret_store_fingerprint(struct secret_store *s, struct str env, struct str name,
                             struct str value, struct arena *a, struct str *ret, struct err *err);

struct secret_open {
    struct str env;             /* its name */
    const struct value *refs;   /* {NAME: {store, path, key ..}} */
    struct str ref;             /* "NAME@VERSION", as drivers are given it */
    const struct map *was_made; /* references that were generated before: never again; NULL: none */
};
/* Into an arena that its owner wipes. */
int secret_store_open(struct secret_store *s, struct arena *a, const struct secret_open *in,
                      struct str *ret, struct err *err);

struct str secret_reveal(const struct secret *secret); /* borrows; for the one that uses it */
void secret_free(struct secret *secret);               /* wipes; NULL is fine */
