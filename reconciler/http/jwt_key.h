/*
 * jwt_key: signatures of RFC 7518 by libcrypto. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   any.
 * Fails    ERR_INVALID: no key, or one that is too weak; ERR_REFUSED: it did not sign that.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define JWT_KEY_RSA_MIN_BITS 2048
#define JWT_KEY_RSA_MAX_BITS 8192

/* `n` and `e`, big endian. */
int jwt_key_rs256(struct str n, struct str e, struct str text, struct str signature,
                  struct err *err);
/* `x` and `y` of a point of P-256; the signature is r and s, 32 bytes each. */
int jwt_key_es256(struct str x, struct str y, struct str text, struct str signature,
                  struct err *err);
