/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/guard.h"

/* libcrypto fails here only when memory is gone; a digest that is not one must not go on. */
#define HASH_MUST(call) PRE((call) == 1)

void hash_init(struct hash *h)
{
    h->ctx = EVP_MD_CTX_new();
    PRE(h->ctx != NULL);
    HASH_MUST(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
}

void hash_add(struct hash *h, const void *p, size_t n)
{
    HASH_MUST(EVP_DigestUpdate(h->ctx, p, n));
}

void hash_add_str(struct hash *h, struct str s)
{
    hash_add(h, s.p, s.n);
}

void hash_add_lp(struct hash *h, struct str s)
{
    uint8_t be[4] = { (uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8),
                      (uint8_t)s.n };

    hash_add(h, be, sizeof(be));
    hash_add_str(h, s);
}

void hash_add_be64(struct hash *h, uint64_t value)
{
    uint8_t be[8];

    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)(value >> (56 - 8 * i));
    hash_add(h, be, sizeof(be));
}

struct digest hash_end(struct hash *h)
{
    struct digest d;

    HASH_MUST(EVP_DigestFinal_ex(h->ctx, d.b, NULL));
    EVP_MD_CTX_free(TAKE(h->ctx));
    return d;
}

struct digest hash_bytes(struct str s)
{
    struct hash h;

    hash_init(&h);
    hash_add_str(&h, s);
    return hash_end(&h);
}

struct digest hash_hmac(struct str key, struct str message)
{
    struct digest d;
    unsigned n = sizeof(d.b);

    PRE(HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)message.p, message.n, d.b,
             &n) != NULL);
    return d;
}

int digest_is_none(const struct digest *d)
{
    static const struct digest none;

    return digest_eq(d, &none);
}

int digest_eq(const struct digest *a, const struct digest *b)
{
    return !memcmp(a->b, b->b, sizeof(a->b));
}

int digest_is_same(const struct digest *a, const struct digest *b)
{
    return !CRYPTO_memcmp(a->b, b->b, sizeof(a->b));
}

struct str digest_hex(struct arena *a, const struct digest *d)
{
    static const char digits[] = "0123456789abcdef";
    char *p = arena_alloc(a, 2 * DIGEST_BYTES + 1);

    if (!p)
        return STR_NONE;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        p[2 * i] = digits[d->b[i] >> 4];
        p[2 * i + 1] = digits[d->b[i] & 15];
    }
    return (struct str){ p, 2 * DIGEST_BYTES };
}

static int digest_nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_from_hex(struct str hex, struct digest *ret)
{
    struct digest d;

    if (hex.n != 2 * DIGEST_BYTES)
        return -1;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = digest_nibble(hex.p[2 * i]), low = digest_nibble(hex.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        d.b[i] = (uint8_t)(high << 4 | low);
    }
    *ret = d;
    return 0;
}

struct str digest_base32(struct arena *a, const struct digest *d)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    char *p = arena_alloc(a, DIGEST_BASE32_CHARS + 1);

    if (!p)
        return STR_NONE;
    for (size_t i = 0; i < DIGEST_BASE32_CHARS; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)d->b[bit / 8] << 8 | d->b[bit / 8 + 1];

        p[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    return (struct str){ p, DIGEST_BASE32_CHARS };
}
