/*
 * time_stamp: what an authority says of when a text was there (RFC 3161). SPDX-License-Identifier: Apache-2.0
 *
 * A request holds SHA-256 of the text and a nonce, and asks for the signer's certificate. A time stamp, a token, is
 * believed where its signature leads to one of the certificates given and to no other, its signer is one for time stamps
 * alone and was good at the time that it tells, and what it is of is the text.
 *
 * Pure: certificates are given as text (PEM), tokens as bytes (DER).
 *
 * Memory   the arena given.
 * Thread   any.
 * Fails    ERR_REFUSED: the authority gives none; ERR_CONFLICT: it is not one that is believed, or of something else;
 *          ERR_USAGE: no certificates; ERR_NOMEM.
 * Limits   TIME_STAMP_BYTES_MAX.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define TIME_STAMP_BYTES_MAX (64u << 10) /* of an answer, a token or a file of certificates */
#define TIME_STAMP_NONCE_BYTES 16

struct time_stamp {
    struct str token;
    int64_t at_ms;
};

int time_stamp_ask(struct arena *a, struct str text, const uint8_t nonce[TIME_STAMP_NONCE_BYTES],
                   struct str *ret_request, struct err *err);
/* What came as an answer to that request. */
int time_stamp_take(struct arena *a, struct str authority, struct str request, struct str answer,
                    struct time_stamp *ret, struct err *err);
/* A token that was kept. */
int time_stamp_check(struct arena *a, struct str authority, struct str text, struct str token,
                     struct time_stamp *ret, struct err *err);
/* That the file holds certificates. */
int time_stamp_check_authority(struct str authority, struct err *err);
