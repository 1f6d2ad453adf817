/*
 * jwt: an ID token of a provider, and whether it is to be believed. SPDX-License-Identifier: Apache-2.0
 *
 * What a provider sends is hostile until its signature holds. RS256 and ES256 alone, by a key of the provider's
 * set that is for that algorithm: a token cannot choose `none`, nor have its signature checked as an HMAC with
 * a public key. A header with `crit` is refused; a key that it brings along is not looked at.
 *
 * Memory   in the arena given.
 * Thread   any.
 * Fails    ERR_INVALID: no key set, no token; ERR_REFUSED: not believed; ERR_NOT_FOUND: no such key in the set,
 *          which the provider may have changed; ERR_LIMIT.
 * Limits   JWT_BYTES_MAX, JWT_KEYS_MAX, JWT_SET_MAX.
 */
#pragma once

#include "specs/value.h"

#define JWT_BYTES_MAX (16u << 10)
#define JWT_SET_MAX (64u << 10)
#define JWT_KEYS_MAX 32
#define JWT_LEEWAY_S 60   /* between two clocks */
#define JWT_AGE_MAX_S 600 /* since it was issued: we asked for it just now */

struct jwt_keys {
    const struct value *list; /* of the set; those that cannot sign are left out */
};

/* A JWKS. */
int jwt_keys_parse(struct arena *a, struct str text, struct jwt_keys *ret, struct err *err);

struct jwt_wanted {
    struct str issuer, client_id, nonce;
    struct str access_token; /* that came with it: at_hash is of it; "" where none did */
    int64_t now_s;
};

/* The claims of a token that is to be believed. */
int jwt_check(struct arena *a, struct str token, const struct jwt_keys *keys,
              const struct jwt_wanted *wanted, const struct value **ret_claims, struct err *err);
