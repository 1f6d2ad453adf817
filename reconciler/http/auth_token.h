/*
 * auth_token: what a program shows in a person's stead. SPDX-License-Identifier: Apache-2.0
 *
 * A token is "rvt_ID_SECRET", 8 and 32 random bytes in hex. The id is public, it finds the row; of the secret
 * the row has BLAKE2b-256 alone. Whatever was shown, the same is read, hashed and compared, and in constant
 * time: an id that nobody has is compared with a digest that no secret has. Only who shows the secret hears
 * that the token was revoked or has expired.
 *
 * Thread   any, with a reader of its own.
 * Fails    ERR_UNKNOWN_ACTOR; ERR_USAGE, ERR_REFUSED of one that is to be made; as db.h.
 */
#pragma once

#include "reconciler/http/auth.h"
#include "state/db.h"

#define AUTH_TOKEN_BEGIN "rvt_"
#define AUTH_TOKEN_ID_BYTES 8
#define AUTH_TOKEN_SECRET_BYTES 32
/* "rvt_", the id, "_", the secret */
#define AUTH_TOKEN_CHARS (4 + 2 * AUTH_TOKEN_ID_BYTES + 1 + 2 * AUTH_TOKEN_SECRET_BYTES)
#define AUTH_TOKEN_PATTERNS_MAX 100

/* Of {name, roles, environments?, expires_ms?}; nobody gives a role that is not theirs. The text is shown once. */
int auth_token_make(struct arena *a, const struct auth_actor *by, const struct value *body,
                    int64_t now_ms, struct rec_token *ret, struct str *ret_text, struct err *err);
int auth_token_check(struct arena *a, struct db *db, int64_t now_ms, struct str text,
                     struct auth_actor *ret, struct err *err);
