/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/jwt.h"

#include "base/base64.h"
#include "base/hash.h"
#include "reconciler/http/jwt_key.h"
#include "specs/json_io.h"

#define PARTS 3

/* --- the set ------------------------------------------------------------------------------------- */

/* One for another algorithm, or to encrypt with, never checks a signature. */
static int can_sign(const struct value *key, struct str algorithm)
{
    struct str use = value_get_text(key, S("use"), S("sig"));
    struct str said = value_get_text(key, S("alg"), algorithm);
    struct str type = value_get_text(key, S("kty"), S(""));

    if (!str_eq_c(use, "sig") || !str_eq(said, algorithm))
        return 0;
    return str_eq_c(algorithm, "RS256")
               ? str_eq_c(type, "RSA")
               : str_eq_c(type, "EC") && str_eq_c(value_get_text(key, S("crv"), S("")), "P-256");
}

int jwt_keys_parse(struct arena *a, struct str text, struct jwt_keys *ret, struct err *err)
{
    const struct value *keys;
    struct value *set;

    if (json_parse_answer(a, text, JWT_SET_MAX, &set, err))
        return err_wrap(err, "key set of the provider");
    keys = value_get(set, S("keys"));
    if (!value_is(keys, VALUE_LIST))
        return err_set(err, ERR_INVALID, "the provider's key set has no 'keys'");
    if (value_count(keys) > JWT_KEYS_MAX)
        return err_set(err, ERR_LIMIT, "the provider has more than %d keys", JWT_KEYS_MAX);
    ret->list = keys;
    return 0;
}

/* By its id; a token without one has to be of the only key there is for its algorithm. */
static int find_key(const struct jwt_keys *keys, struct str algorithm, struct str id,
                    const struct value **ret, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < value_count(keys->list); i++) {
        const struct value *key = value_item(keys->list, i);

        if (!value_is(key, VALUE_MAP) || !can_sign(key, algorithm) ||
            (id.p && !str_eq(value_get_text(key, S("kid"), S("")), id)))
            continue;
        *ret = key;
        n++;
    }
    if (n == 1)
        return 0;
    return n ? err_set(err, ERR_REFUSED, "the token does not say which key signed it")
             : err_set(err, ERR_NOT_FOUND,
                       "the provider has no key by which the token says it is signed");
}

/* --- a token ------------------------------------------------------------------------------------- */

struct parts {
    struct str text, signature; /* what was signed, and by what */
    const struct value *header, *claims;
};

static int parse_part(struct arena *a, struct str text, const char *what, const struct value **ret,
                      struct err *err)
{
    struct value *v;
    struct str json;

    if (base64_url_decode(a, text, &json))
        return err_set(err, ERR_INVALID, "the %s of the token is no base64url", what);
    if (json_parse_answer(a, json, JWT_BYTES_MAX, &v, err))
        return err_set(err, ERR_INVALID, "the %s of the token is no JSON", what);
    if (!value_is(v, VALUE_MAP))
        return err_set(err, ERR_INVALID, "the %s of the token is no object", what);
    *ret = v;
    return 0;
}

static int parse_token(struct arena *a, struct str token, struct parts *ret, struct err *err)
{
    struct str rest = token, part[PARTS];

    if (token.n > JWT_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the token is longer than %u bytes", JWT_BYTES_MAX);
    for (size_t i = 0; i < PARTS; i++)
        if (!str_next(&rest, '.', &part[i]))
            return err_set(err, ERR_INVALID, "the token has not three parts");
    if (rest.n || str_ends(token, S(".")))
        return err_set(err, ERR_INVALID, "the token has not three parts");
    if (parse_part(a, part[0], "header", &ret->header, err) ||
        parse_part(a, part[1], "body", &ret->claims, err))
        return err->code;
    if (base64_url_decode(a, part[2], &ret->signature))
        return err_set(err, ERR_INVALID, "the signature of the token is no base64url");
    ret->text = str_slice(token, 0, part[0].n + 1 + part[1].n);
    return 0;
}

static int member(struct arena *a, const struct value *key, struct str name, struct str *ret,
                  struct err *err)
{
    if (base64_url_decode(a, value_get_text(key, name, S("")), ret) || !ret->n)
        return err_set(err, ERR_INVALID, "a key of the provider has no '%.*s'", STR_ARG(name));
    return 0;
}

static int check_signature(struct arena *a, const struct parts *p, const struct jwt_keys *keys,
                           struct err *err)
{
    struct str algorithm = value_get_text(p->header, S("alg"), S(""));
    const struct value *said = value_get(p->header, S("kid")), *key = NULL;
    struct str id = value_get_text(p->header, S("kid"), STR_NONE), one, other;

    if (value_get(p->header, S("crit")))
        return err_set(err, ERR_REFUSED, "the token asks for what is not understood");
    if (!str_eq_c(algorithm, "RS256") && !str_eq_c(algorithm, "ES256"))
        return err_set(err, ERR_REFUSED, "the token is not signed by RS256 or ES256");
    if (said && !id.p)
        return err_set(err, ERR_REFUSED, "the token does not say which key signed it");
    if (find_key(keys, algorithm, id, &key, err))
        return err->code;
    if (str_eq_c(algorithm, "RS256"))
        return member(a, key, S("n"), &one, err) || member(a, key, S("e"), &other, err)
                   ? err->code
                   : jwt_key_rs256(one, other, p->text, p->signature, err);
    return member(a, key, S("x"), &one, err) || member(a, key, S("y"), &other, err)
               ? err->code
               : jwt_key_es256(one, other, p->text, p->signature, err);
}

/* --- what it says -------------------------------------------------------------------------------- */

static int is_for_us(const struct value *claims, struct str client_id)
{
    const struct value *audience = value_get(claims, S("aud"));
    struct str party = value_get_text(claims, S("azp"), STR_NONE);
    size_t n_ours = 0;

    if (value_is(audience, VALUE_TEXT))
        return str_eq(audience->u.text, client_id) && (!party.p || str_eq(party, client_id));
    for (size_t i = 0; i < value_count(audience); i++)
        n_ours += value_is(value_item(audience, i), VALUE_TEXT) &&
                  str_eq(value_item(audience, i)->u.text, client_id);
    if (!n_ours || (party.p && !str_eq(party, client_id)))
        return 0;
    return value_count(audience) == 1 || party.p; /* of several, it says which one asked */
}

static int check_times(const struct value *claims, int64_t now_s, struct err *err)
{
    int64_t end_s = value_get_int(claims, S("exp"), 0),
            begin_s = value_get_int(claims, S("iat"), 0);
    const struct value *not_before = value_get(claims, S("nbf"));

    if (end_s <= 0 || begin_s <= 0 || (not_before && !value_is(not_before, VALUE_INT)))
        return err_set(err, ERR_REFUSED,
                       "the token does not say from when and until when it is good");
    if (end_s < now_s - JWT_LEEWAY_S)
        return err_set(err, ERR_REFUSED, "the token has expired");
    if (begin_s > now_s + JWT_LEEWAY_S ||
        value_get_int(claims, S("nbf"), begin_s) > now_s + JWT_LEEWAY_S)
        return err_set(err, ERR_REFUSED, "the token is from the future: compare the clocks");
    if (begin_s < now_s - JWT_AGE_MAX_S)
        return err_set(err, ERR_REFUSED, "the token is of another time: compare the clocks");
    return 0;
}

/* The left half of the digest of the access token. */
static int has_at_hash(struct arena *a, const struct value *claims, struct str access_token)
{
    const struct value *said = value_get(claims, S("at_hash"));
    struct digest d = hash_bytes(access_token);

    if (!said || !access_token.n)
        return 1;
    return value_is(said, VALUE_TEXT) &&
           str_eq(said->u.text,
                  base64_url_encode(a, (struct str){ (const char *)d.b, DIGEST_BYTES / 2 }));
}

static int check_claims(struct arena *a, const struct value *claims, const struct jwt_wanted *w,
                        struct err *err)
{
    if (!str_eq(value_get_text(claims, S("iss"), S("")), w->issuer))
        return err_set(err, ERR_REFUSED, "the token is of another issuer");
    if (!is_for_us(claims, w->client_id))
        return err_set(err, ERR_REFUSED, "the token is for somebody else");
    if (check_times(claims, w->now_s, err))
        return err->code;
    if (!w->nonce.n || !str_eq(value_get_text(claims, S("nonce"), S("")), w->nonce))
        return err_set(err, ERR_REFUSED, "the token answers another question");
    if (!has_at_hash(a, claims, w->access_token))
        return err_set(err, ERR_REFUSED, "the token came with another access token");
    return 0;
}

int jwt_check(struct arena *a, struct str token, const struct jwt_keys *keys,
              const struct jwt_wanted *wanted, const struct value **ret_claims, struct err *err)
{
    struct parts p;

    if (parse_token(a, token, &p, err) || check_signature(a, &p, keys, err) ||
        check_claims(a, p.claims, wanted, err))
        return err->code;
    *ret_claims = p.claims;
    return 0;
}
