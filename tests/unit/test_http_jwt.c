/* http: an ID token is believed by its signature and by everything that it says, or not at all. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/http/jwt.h"
#include "specs/json_io.h"

#define NOW_S ((int64_t)1700000000)
#define RS "{\"alg\":\"RS256\",\"kid\":\"one\"}"
#define ES "{\"alg\":\"ES256\",\"kid\":\"curve\"}"
#define ACCESS_TOKEN S("an access token")

enum signer { ONE, TWO, WEAK, CURVE, N_SIGNERS };

struct fixture {
    struct arena arena;
    EVP_PKEY *keys[N_SIGNERS];
    struct jwt_keys set;
    struct err err;
};

/* --- keys ---------------------------------------------------------------------------------------- */

static struct str number_text(struct arena *a, EVP_PKEY *key, const char *name)
{
    char *bytes = arena_alloc(a, 1024);
    BIGNUM *n = NULL;
    int size;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    size = BN_bn2bin(n, (unsigned char *)bytes);
    BN_free(n);
    return base64_url_encode(a, (struct str){ bytes, (size_t)size });
}

static struct str rsa_text(struct fixture *f, enum signer who, const char *id, const char *more)
{
    return str_fmt(&f->arena, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"%s}", id,
                   number_text(&f->arena, f->keys[who], OSSL_PKEY_PARAM_RSA_N).p,
                   number_text(&f->arena, f->keys[who], OSSL_PKEY_PARAM_RSA_E).p, more);
}

static struct str curve_text(struct fixture *f, const char *id)
{
    unsigned char point[65];
    size_t n = 0;

    assert_int_equal(EVP_PKEY_get_octet_string_param(f->keys[CURVE],
                                                     OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                                     sizeof(point), &n),
                     1);
    assert_int_equal(n, sizeof(point));
    return str_fmt(&f->arena,
                   "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}",
                   id, base64_url_encode(&f->arena, (struct str){ (char *)&point[1], 32 }).p,
                   base64_url_encode(&f->arena, (struct str){ (char *)&point[33], 32 }).p);
}

static int given_keys(void **state)
{
    static struct fixture f;
    struct str set;

    arena_init(&f.arena, 0);
    f.keys[ONE] = EVP_RSA_gen(2048);
    f.keys[TWO] = EVP_RSA_gen(2048);
    f.keys[WEAK] = EVP_RSA_gen(1024);
    f.keys[CURVE] = EVP_EC_gen("P-256");
    set = str_fmt(
        &f.arena,
        "{\"keys\":[%s,%s,%s,%s,%s,{\"kty\":\"oct\",\"kid\":\"shared\",\"k\":\"AAAA\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"off\",\"x\":\"AAAA\",\"y\":\"AAAA\"},7]}",
        rsa_text(&f, ONE, "one", ",\"use\":\"sig\",\"alg\":\"RS256\"").p,
        rsa_text(&f, WEAK, "weak", "").p, rsa_text(&f, TWO, "sealing", ",\"use\":\"enc\"").p,
        rsa_text(&f, TWO, "other", ",\"alg\":\"PS256\"").p, curve_text(&f, "curve").p);
    assert_int_equal(jwt_keys_parse(&f.arena, set, &f.set, &f.err), 0);
    *state = &f;
    return 0;
}

static int free_keys(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_SIGNERS; i++)
        EVP_PKEY_free(f->keys[i]);
    arena_fini(&f->arena);
    return 0;
}

/* --- tokens -------------------------------------------------------------------------------------- */

static struct str sign(struct fixture *f, enum signer who, struct str text)
{
    unsigned char *bytes = arena_alloc(&f->arena, 1024);
    const unsigned char *der = bytes;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ECDSA_SIG *pair;
    size_t n = 1024;

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, f->keys[who]), 1);
    assert_int_equal(EVP_DigestSign(ctx, bytes, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    if (who != CURVE)
        return (struct str){ (char *)bytes, n };
    pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + 32, 32), 32);
    ECDSA_SIG_free(pair);
    return (struct str){ (char *)bytes, 64 };
}

/* A good one's claims; `name` is `json` instead, or left out where that is "". */
static struct str claims(struct fixture *f, const char *name, const char *json)
{
    struct str text = str_fmt(&f->arena,
                              "{\"iss\":\"https://login.test\",\"aud\":\"reeve\",\"sub\":\"ann\","
                              "\"nonce\":\"n-1\",\"iat\":%lld,\"exp\":%lld}",
                              (long long)NOW_S, (long long)NOW_S + 300);
    struct value *map, *v, *changed = value_map(&f->arena);

    assert_int_equal(json_parse(&f->arena, text, 4096, &map, &f->err), 0);
    for (size_t i = 0; i < value_count(map); i++)
        if (!name || !str_eq_c(map->u.map.entries[i].key, name))
            value_set(&f->arena, changed, map->u.map.entries[i].key, map->u.map.entries[i].value);
    if (name && *json) {
        assert_int_equal(json_parse_answer(&f->arena, str_from_c(json), 4096, &v, &f->err), 0);
        value_set(&f->arena, changed, str_from_c(name), v);
    }
    return json_format(&f->arena, changed);
}

static struct str joined(struct fixture *f, const char *header, struct str body)
{
    return str_fmt(&f->arena, "%s.%s", base64_url_encode(&f->arena, str_from_c(header)).p,
                   base64_url_encode(&f->arena, body).p);
}

static struct str token(struct fixture *f, const char *header, struct str body, enum signer who)
{
    struct str text = joined(f, header, body);

    return str_fmt(&f->arena, "%s.%s", text.p, base64_url_encode(&f->arena, sign(f, who, text)).p);
}

static int check(struct fixture *f, struct str text)
{
    const struct jwt_wanted wanted = { .issuer = S("https://login.test"),
                                       .client_id = S("reeve"),
                                       .nonce = S("n-1"),
                                       .access_token = ACCESS_TOKEN,
                                       .now_s = NOW_S };
    const struct value *said;

    f->err = (struct err)ERR_INIT;
    if (jwt_check(&f->arena, text, &f->set, &wanted, &said, &f->err))
        return f->err.code;
    assert_true(str_eq_c(value_get_text(said, S("sub"), S("")), "ann"));
    return 0;
}

static void expect(struct fixture *f, const char *what, struct str text, int code,
                   const char *sentence)
{
    int rc = check(f, text);

    if (rc != code || (rc && !strstr(f->err.text, sentence)))
        fail_msg("%s: %d '%s', and not %d '%s'", what, rc, rc ? f->err.text : "", code, sentence);
}

/* --- the tests ----------------------------------------------------------------------------------- */

static void test_a_good_one(void **state)
{
    struct fixture *f = *state;
    struct digest d = hash_bytes(ACCESS_TOKEN);
    struct str half = base64_url_encode(&f->arena, (struct str){ (char *)d.b, DIGEST_BYTES / 2 });

    expect(f, "RS256", token(f, RS, claims(f, NULL, ""), ONE), 0, "");
    expect(f, "ES256", token(f, ES, claims(f, NULL, ""), CURVE), 0, "");
    expect(f, "the only key of its kind",
           token(f, "{\"alg\":\"ES256\"}", claims(f, NULL, ""), CURVE), ERR_REFUSED,
           "does not say which key"); /* there are two */
    expect(f, "a list", token(f, RS, claims(f, "aud", "[\"reeve\"]"), ONE), 0, "");
    expect(f, "fractions", token(f, RS, claims(f, "auth_time", "1700000000.5"), ONE), 0, "");
    expect(f, "at_hash",
           token(f, RS, claims(f, "at_hash", str_fmt(&f->arena, "\"%s\"", half.p).p), ONE), 0, "");
}

static void test_claims(void **state)
{
    static const struct {
        const char *name, *json, *sentence;
    } rows[] = {
        { "iss", "", "another issuer" },
        { "iss", "\"https://login.test/\"", "another issuer" },
        { "iss", "[\"https://login.test\"]", "another issuer" },
        { "aud", "", "somebody else" },
        { "aud", "\"another\"", "somebody else" },
        { "aud", "[]", "somebody else" },
        { "aud", "{\"reeve\":1}", "somebody else" },
        { "aud", "[\"reeve\",\"another\"]", "somebody else" }, /* without azp */
        { "azp", "\"another\"", "somebody else" },
        { "nonce", "", "another question" },
        { "nonce", "\"n-2\"", "another question" },
        { "nonce", "\"\"", "another question" },
        { "exp", "", "until when" },
        { "exp", "\"1800000000\"", "until when" },
        { "exp", "1699999939", "expired" },
        { "iat", "", "from when" },
        { "iat", "1700000061", "future" },
        { "iat", "1699999399", "another time" },
        { "nbf", "1700000061", "future" },
        { "nbf", "\"soon\"", "from when" },
        { "at_hash", "\"AAAAAAAAAAAAAAAAAAAAAA\"", "another access token" },
        { "at_hash", "7", "another access token" },
    };
    static const struct {
        const char *name, *json;
    } good[] = {
        { "exp", "1699999940" }, { "iat", "1700000060" }, { "iat", "1699999400" },
        { "nbf", "1700000060" }, { "azp", "\"reeve\"" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        expect(f, rows[i].name, token(f, RS, claims(f, rows[i].name, rows[i].json), ONE),
               ERR_REFUSED, rows[i].sentence);
    for (size_t i = 0; i < N_ELEMENTS(good); i++)
        expect(f, good[i].name, token(f, RS, claims(f, good[i].name, good[i].json), ONE), 0, "");
}

static void test_signatures(void **state)
{
    static const struct {
        const char *what, *header;
        enum signer who;
        int code;
        const char *sentence;
    } rows[] = {
        { "another key", RS, TWO, ERR_REFUSED, "not the provider's" },
        { "a key that is not there", "{\"alg\":\"RS256\",\"kid\":\"new\"}", ONE, ERR_NOT_FOUND,
          "no key" },
        { "none", "{\"alg\":\"none\",\"kid\":\"one\"}", ONE, ERR_REFUSED, "RS256 or ES256" },
        { "none in capitals", "{\"alg\":\"None\"}", ONE, ERR_REFUSED, "RS256 or ES256" },
        { "no algorithm", "{\"kid\":\"one\"}", ONE, ERR_REFUSED, "RS256 or ES256" },
        { "an HMAC", "{\"alg\":\"HS256\",\"kid\":\"shared\"}", ONE, ERR_REFUSED, "RS256 or ES256" },
        { "another digest", "{\"alg\":\"RS512\",\"kid\":\"one\"}", ONE, ERR_REFUSED,
          "RS256 or ES256" },
        { "an RSA key as a curve's", "{\"alg\":\"ES256\",\"kid\":\"one\"}", ONE, ERR_NOT_FOUND,
          "no key" },
        { "a curve's as RSA", "{\"alg\":\"RS256\",\"kid\":\"curve\"}", CURVE, ERR_NOT_FOUND,
          "no key" },
        { "a key that seals", "{\"alg\":\"RS256\",\"kid\":\"sealing\"}", TWO, ERR_NOT_FOUND,
          "no key" },
        { "a key of another algorithm", "{\"alg\":\"RS256\",\"kid\":\"other\"}", TWO, ERR_NOT_FOUND,
          "no key" },
        { "a weak key", "{\"alg\":\"RS256\",\"kid\":\"weak\"}", WEAK, ERR_INVALID,
          "2048 to 8192 bits" },
        { "no point", "{\"alg\":\"ES256\",\"kid\":\"off\"}", CURVE, ERR_INVALID,
          "no point of P-256" },
        { "its own key",
          "{\"alg\":\"RS256\",\"jwk\":{},\"jku\":\"https://evil.test\",\"kid\":\"one\"}", TWO,
          ERR_REFUSED, "not the provider's" },
        { "crit", "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"b64\"]}", ONE, ERR_REFUSED,
          "not understood" },
        { "an id that is no text", "{\"alg\":\"RS256\",\"kid\":1}", ONE, ERR_REFUSED, "which key" },
        { "twice the same", "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"one\"}", ONE,
          ERR_INVALID, "no JSON" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        expect(f, rows[i].what, token(f, rows[i].header, claims(f, NULL, ""), rows[i].who),
               rows[i].code, rows[i].sentence);
}

/* Without a signature, with the HMAC of a public key, with one of another text, cut, and made longer. */
static void test_what_is_no_token(void **state)
{
    struct fixture *f = *state;
    struct str body = claims(f, NULL, ""), good = token(f, RS, body, ONE), part;
    struct str none = joined(f, "{\"alg\":\"none\"}", body);
    struct str hs = joined(f, "{\"alg\":\"HS256\",\"kid\":\"one\"}", body);
    struct digest mac = hash_hmac(number_text(&f->arena, f->keys[ONE], OSSL_PKEY_PARAM_RSA_N), hs);
    struct str rest = good, big = { arena_alloc(&f->arena, JWT_BYTES_MAX + 1), JWT_BYTES_MAX + 1 };
    char *changed = str_to_c(&f->arena, good);

    expect(f, "no signature", str_fmt(&f->arena, "%s.", none.p), ERR_INVALID, "three parts");
    expect(f, "two parts", none, ERR_INVALID, "three parts");
    expect(f, "four parts", str_fmt(&f->arena, "%s.AAAA", good.p), ERR_INVALID, "three parts");
    expect(f, "one dot more", str_fmt(&f->arena, "%s.", good.p), ERR_INVALID, "three parts");
    expect(f, "nothing", S(""), ERR_INVALID, "three parts");
    expect(f, "an HMAC by the public key",
           str_fmt(&f->arena, "%s.%s", hs.p,
                   base64_url_encode(&f->arena, (struct str){ (char *)mac.b, sizeof(mac.b) }).p),
           ERR_REFUSED, "RS256 or ES256");
    (void)str_next(&rest, '.', &part);
    (void)str_next(&rest, '.', &part);
    expect(
        f, "of another text",
        str_fmt(&f->arena, "%s.%.*s", joined(f, RS, claims(f, "sub", "\"bob\"")).p, STR_ARG(rest)),
        ERR_REFUSED, "not the provider's");
    expect(f, "cut", str_slice(good, 0, good.n - 2), ERR_REFUSED, "not the provider's");
    expect(f, "an ES256 of no length", str_fmt(&f->arena, "%s.AAAA", joined(f, ES, body).p),
           ERR_REFUSED, "not the provider's");
    changed[4] = '+';
    expect(f, "no base64url", (struct str){ changed, good.n }, ERR_INVALID, "no base64url");
    expect(f, "a list", token(f, RS, S("[]"), ONE), ERR_INVALID, "no object");
    expect(f, "no JSON", token(f, RS, S("{"), ONE), ERR_INVALID, "no JSON");
    expect(f, "too long", big, ERR_LIMIT, "longer than");
}

static void test_sets(void **state)
{
    struct fixture *f = *state;
    struct jwt_keys keys;
    struct sb b;

    assert_int_equal(jwt_keys_parse(&f->arena, S("{}"), &keys, &f->err), ERR_INVALID);
    assert_int_equal(jwt_keys_parse(&f->arena, S("{\"keys\":{}}"), &keys, &f->err), ERR_INVALID);
    assert_int_equal(jwt_keys_parse(&f->arena, S("[]"), &keys, &f->err), ERR_INVALID);
    assert_int_equal(jwt_keys_parse(&f->arena, S("{"), &keys, &f->err), ERR_INVALID);
    sb_init(&b, &f->arena);
    sb_add_c(&b, "{\"keys\":[1");
    for (size_t i = 0; i < JWT_KEYS_MAX; i++)
        sb_add_c(&b, ",1");
    sb_add_c(&b, "]}");
    assert_int_equal(jwt_keys_parse(&f->arena, sb_str(&b), &keys, &f->err), ERR_LIMIT);
    /* Of the only key of its kind a token need not say the id. */
    assert_int_equal(jwt_keys_parse(&f->arena,
                                    str_fmt(&f->arena, "{\"keys\":[%s]}", curve_text(f, "curve").p),
                                    &keys, &f->err),
                     0);
    f->set = keys;
    expect(f, "the only one", token(f, "{\"alg\":\"ES256\"}", claims(f, NULL, ""), CURVE), 0, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one), cmocka_unit_test(test_claims),
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_what_is_no_token),
        cmocka_unit_test(test_sets), /* the last: it has another set */
    };

    return cmocka_run_group_tests_name("http jwt", tests, given_keys, free_keys);
}
