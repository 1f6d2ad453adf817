/*
 * hash: SHA-256, HMAC-SHA-256 and the spellings of a digest. SPDX-License-Identifier: Apache-2.0
 *
 * Owns     a struct hash holds one libcrypto context from hash_init() to hash_end().
 * Thread   any.
 * Links    libcrypto.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_BASE32_CHARS 26 /* 130 bits: names, keys and labels */

/* All zero is "none". */
struct digest {
    uint8_t b[DIGEST_BYTES];
};

struct hash {
    void *ctx;
};

void hash_init(struct hash *h);
void hash_add(struct hash *h, const void *p, size_t n);
void hash_add_str(struct hash *h, struct str s);
void hash_add_lp(struct hash *h, struct str s); /* be32 length, then the bytes */
void hash_add_be64(struct hash *h, uint64_t value);
struct digest hash_end(struct hash *h); /* releases the context */

struct digest hash_bytes(struct str s);
struct digest hash_hmac(struct str key, struct str message);

int digest_is_none(const struct digest *d);
int digest_eq(const struct digest *a, const struct digest *b);
/* In a time that does not tell how much of them is alike: for what proves who somebody is. */
int digest_is_same(const struct digest *a, const struct digest *b);
struct str digest_hex(struct arena *a, const struct digest *d);
int digest_from_hex(struct str hex, struct digest *ret); /* 0, or -1 */
/* Lower-case RFC 4648 alphabet, the first 130 bits. */
struct str digest_base32(struct arena *a, const struct digest *d);
