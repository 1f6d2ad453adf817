/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/jwt_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/guard.h"

#define COORDINATE 32u

static const unsigned char *bytes(struct str s)
{
    return (const unsigned char *)s.p;
}

/* --- keys ---------------------------------------------------------------------------------------- */

static EVP_PKEY *key_make(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = build ? OSSL_PARAM_BLD_to_param(build) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *key_rsa(struct str n, struct str e)
{
    BIGNUM *modulus = BN_bin2bn(bytes(n), (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn(bytes(e), (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (modulus && exponent && build &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = key_make("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(exponent);
    BN_free(modulus);
    return key;
}

/* libcrypto refuses a point that is not on the curve. */
static EVP_PKEY *key_ec(struct str x, struct str y)
{
    unsigned char point[1 + 2 * COORDINATE] = { 4 }; /* uncompressed */
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    memcpy(&point[1], x.p, COORDINATE);
    memcpy(&point[1 + COORDINATE], y.p, COORDINATE);
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        key = key_make("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* --- signatures ---------------------------------------------------------------------------------- */

static int key_verify(EVP_PKEY *key, struct str text, const unsigned char *signature, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int is_signed = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                    EVP_DigestVerify(ctx, signature, n, bytes(text), text.n) == 1;

    EVP_MD_CTX_free(ctx);
    return is_signed;
}

static int key_judge(EVP_PKEY *key, int is_signed, struct err *err)
{
    EVP_PKEY_free(key);
    ERR_clear_error(); /* of this thread: the next to use it would take it for its own */
    return is_signed ? 0 : err_set(err, ERR_REFUSED, "the signature is not the provider's");
}

int jwt_key_rs256(struct str n, struct str e, struct str text, struct str signature,
                  struct err *err)
{
    EVP_PKEY *key = NULL;
    int bits;

    if (n.n <= JWT_KEY_RSA_MAX_BITS / 8 && e.n <= sizeof(uint64_t))
        key = key_rsa(n, e);
    bits = key ? EVP_PKEY_get_bits(key) : 0;
    if (bits < JWT_KEY_RSA_MIN_BITS || bits > JWT_KEY_RSA_MAX_BITS) {
        EVP_PKEY_free(key);
        return err_set(err, ERR_INVALID, "a key of the provider is no RSA key of %d to %d bits",
                       JWT_KEY_RSA_MIN_BITS, JWT_KEY_RSA_MAX_BITS);
    }
    return key_judge(key, key_verify(key, text, bytes(signature), signature.n), err);
}

/* As libcrypto wants a signature. */
static int der_of(struct str signature, unsigned char **ret)
{
    BIGNUM *r = BN_bin2bn(bytes(signature), COORDINATE, NULL);
    BIGNUM *s = BN_bin2bn(bytes(signature) + COORDINATE, COORDINATE, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    int n = 0;

    if (r && s && pair && ECDSA_SIG_set0(pair, r, s) == 1) { /* they are the pair's now */
        r = s = NULL;
        n = i2d_ECDSA_SIG(pair, ret);
    }
    ECDSA_SIG_free(pair);
    BN_free(r);
    BN_free(s);
    return n;
}

int jwt_key_es256(struct str x, struct str y, struct str text, struct str signature,
                  struct err *err)
{
    EVP_PKEY *key = x.n == COORDINATE && y.n == COORDINATE ? key_ec(x, y) : NULL;
    unsigned char *der = NULL;
    int n, is_signed;

    if (!key)
        return err_set(err, ERR_INVALID, "a key of the provider is no point of P-256");
    n = signature.n == (size_t)2 * COORDINATE ? der_of(signature, &der) : 0;
    is_signed = n > 0 && key_verify(key, text, der, (size_t)n);
    OPENSSL_free(der);
    return key_judge(key, is_signed, err);
}
