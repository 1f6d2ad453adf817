/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/oidc.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"
#include "reconciler/core/people.h"
#include "reconciler/http/oidc_provider.h"
#include "reconciler/http/session.h"

#define SEED_BYTES 32

/* --- what is derived of the cookie --------------------------------------------------------------- */

struct journey {
    struct str seed, path;
    struct str state, nonce, verifier;
};

static struct str derive(struct arena *a, const struct journey *j, const char *what)
{
    struct digest d = hash_hmac(j->seed, str_fmt(a, "reeve oidc %s %.*s", what, STR_ARG(j->path)));

    return base64_url_encode(a, (struct str){ (const char *)d.b, sizeof(d.b) });
}

static int journey_fill(struct arena *a, struct journey *j, struct err *err)
{
    j->state = derive(a, j, "state");
    j->nonce = derive(a, j, "nonce");
    j->verifier = derive(a, j, "verifier");
    return arena_status(a, err);
}

static struct str cookie_name(const struct login_call *c)
{
    return session_is_sealed(c->x) ? S("__Host-reeve-oidc") : S("reeve-oidc");
}

/* SameSite=Strict would not come back from the provider. */
static struct str cookie(const struct login_call *c, struct str value, int age_s)
{
    return str_fmt(c->a, "%.*s=%.*s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s",
                   STR_ARG(cookie_name(c)), STR_ARG(value), age_s,
                   session_is_sealed(c->x) ? "; Secure" : "");
}

/* --- where to ------------------------------------------------------------------------------------ */

int oidc_is_path(struct str path)
{
    if (!str_starts(path, S("/")) || path.n > OIDC_PATH_MAX || str_starts(path, S("//")))
        return 0;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= ' ' || path.p[i] > '~' ||
            str_find_char(S("\\\"'<>"), path.p[i]) != STR_NPOS)
            return 0;
    return 1;
}

struct str oidc_page(struct arena *a, struct str path)
{
    struct str rest = path, part;
    struct sb b;

    sb_init(&b, a);
    sb_add_c(
        &b,
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0; url=");
    for (int i = 0; str_next(&rest, '&', &part); i++)
        sb_addf(&b, "%s%.*s", i ? "&amp;" : "", STR_ARG(part));
    sb_add_c(&b, "\"><title>Signed in</title><p>Signed in.</p>\n");
    return sb_str(&b);
}

/* Where the provider sends the browser back to. */
static struct str here(const struct login_call *c)
{
    return str_fmt(c->a, "%s://%.*s/api/v1/oidc/callback",
                   session_is_sealed(c->x) ? "https" : "http",
                   STR_ARG(value_get_text(c->x->headers, S("host"), S(""))));
}

/* --- to the provider ----------------------------------------------------------------------------- */

static struct str authorization_url(struct login_call *c, const struct oidc_provider_urls *urls,
                                    const struct journey *j)
{
    struct digest d = hash_bytes(j->verifier);
    struct sb b;

    sb_init(&b, c->a);
    sb_add(&b, urls->authorization);
    sb_add_c(&b, str_find_char(urls->authorization, '?') == STR_NPOS ? "?" : "&");
    sb_addf(&b, "response_type=code&scope=openid%%20profile%s&code_challenge_method=S256",
            urls->has_groups ? "%20groups" : "");
    oidc_provider_add(&b, "&client_id", oidc_provider_config(c, "client_id"));
    oidc_provider_add(&b, "&redirect_uri", here(c));
    oidc_provider_add(&b, "&state", j->state);
    oidc_provider_add(&b, "&nonce", j->nonce);
    oidc_provider_add(&b, "&code_challenge",
                      base64_url_encode(c->a, (struct str){ (const char *)d.b, sizeof(d.b) }));
    return sb_str(&b);
}

static int check_door(const struct login_call *c, struct err *err)
{
    if (!value_at(c->daemon, S("auth.oidc")))
        return err_set(err, ERR_NOT_FOUND, "nobody signs in by a provider: there is no auth.oidc");
    if (c->x->door != HTTP_DOOR_API)
        return err_set(err, ERR_USAGE, "a provider sends browsers back to `listen` alone");
    return 0;
}

int oidc_start(struct login_call *c, struct err *err)
{
    char seed[SEED_BYTES];
    struct journey j = { .seed = { seed, sizeof(seed) },
                         .path = value_get_text(c->query, S("return"), S("/")) };
    struct oidc_provider_urls urls;

    if (check_door(c, err))
        return err->code;
    if (!oidc_is_path(j.path))
        return err_set(err, ERR_USAGE, "'return' is no path of this server");
    sys_random(seed, sizeof(seed));
    if (journey_fill(c->a, &j, err) || oidc_provider_find(c, &urls, err))
        return err->code;
    c->status = 303;
    c->page = S("");
    c->headers = value_map(c->a);
    value_set_text(c->a, c->headers, S("Location"), authorization_url(c, &urls, &j));
    value_set_text(c->a, c->headers, S("Set-Cookie"),
                   cookie(c,
                          str_fmt(c->a, "%.*s.%.*s", STR_ARG(base64_url_encode(c->a, j.seed)),
                                  STR_ARG(base64_url_encode(c->a, j.path))),
                          OIDC_COOKIE_S));
    return arena_status(c->a, err);
}

/* --- and back ------------------------------------------------------------------------------------ */

static int find_journey(struct login_call *c, struct journey *ret, struct err *err)
{
    struct str text = session_find_cookie(c->x, cookie_name(c)), seed;
    struct str state = value_get_text(c->query, S("state"), S(""));

    if (!text.p || !str_next(&text, '.', &seed) || base64_url_decode(c->a, seed, &ret->seed) ||
        ret->seed.n != SEED_BYTES || base64_url_decode(c->a, text, &ret->path) ||
        !oidc_is_path(ret->path))
        return err_set(err, ERR_REFUSED, "this browser did not begin to sign in, or long ago");
    if (journey_fill(c->a, ret, err))
        return err->code;
    if (!str_eq(state, ret->state))
        return err_set(err, ERR_REFUSED,
                       "the answer belongs to another sign-in than this browser began");
    return 0;
}

/* A key that is not known may be a new one. */
static int believe(struct login_call *c, struct str keys_url, const struct jwt_wanted *wanted,
                   struct str token, const struct value **ret, struct err *err)
{
    static const int64_t ages_ms[] = { OIDC_KEPT_MS, OIDC_AGAIN_MS };
    struct jwt_keys keys;
    int rc = ERR_NOT_FOUND;

    for (size_t i = 0; rc == ERR_NOT_FOUND && i < N_ELEMENTS(ages_ms); i++) {
        if (oidc_provider_keys(c, keys_url, ages_ms[i], &keys, err))
            return err->code;
        rc = jwt_check(c->a, token, &keys, wanted, ret, err);
    }
    if (!rc || rc == ERR_NOMEM)
        return rc;
    err->code = ERR_REFUSED; /* whatever is wrong with it */
    return err->code;
}

static int is_word(const struct value *v, size_t max)
{
    if (!value_is(v, VALUE_TEXT))
        return 0;
    for (size_t i = 0; i < v->u.text.n; i++)
        if (v->u.text.p[i] <= ' ' || v->u.text.p[i] > '~')
            return 0;
    return v->u.text.n > 0 && v->u.text.n <= max;
}

static int compare_groups(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* One, or a list; what can be no name of a group is left out. In one order: another one is no change. */
static struct value *groups_of(struct login_call *c, const struct value *claims)
{
    const struct value *said = value_get(claims, oidc_provider_config(c, "groups_claim"));
    struct value *list = value_list(c->a);
    struct str groups[OIDC_GROUPS_MAX];
    size_t n = 0;

    if (is_word(said, OIDC_GROUP_BYTES_MAX))
        groups[n++] = said->u.text;
    for (size_t i = 0; value_is(said, VALUE_LIST) && i < value_count(said) && n < OIDC_GROUPS_MAX;
         i++)
        if (is_word(value_item(said, i), OIDC_GROUP_BYTES_MAX))
            groups[n++] = value_item(said, i)->u.text;
    qsort(groups, n, sizeof(groups[0]), compare_groups);
    for (size_t i = 0; i < n; i++)
        if (!i || !str_eq(groups[i - 1], groups[i]))
            value_add(c->a, list, value_text(c->a, groups[i]));
    return list;
}

/* Where the ID token does not say, the provider is asked; what it says of somebody else is no answer. */
static int find_groups(struct login_call *c, const struct oidc_provider_urls *urls,
                       struct str access_token, const struct value *claims,
                       const struct value **ret, struct err *err)
{
    const struct value *said = claims;

    if (!value_get(claims, oidc_provider_config(c, "groups_claim")) && urls->userinfo.n &&
        oidc_provider_ask_who(c, urls->userinfo, access_token, &said, err))
        return err->code;
    if (!str_eq(value_get_text(said, S("sub"), S("")), value_get_text(claims, S("sub"), S(""))))
        return err_set(err, ERR_REFUSED, "the identity provider speaks of somebody else");
    *ret = groups_of(c, said);
    return 0;
}

static int enter(struct login_call *c, const struct journey *j, const struct value *claims,
                 const struct value *groups, struct err *err)
{
    struct login_as as = { .issuer = oidc_provider_config(c, "issuer"),
                           .subject = value_get_text(claims, S("sub"), S("")),
                           .groups = groups };

    if (!is_word(value_get(claims, S("sub")), OIDC_SUBJECT_MAX))
        return err_set(err, ERR_REFUSED, "the token does not say whose it is");
    as.person = people_of_subject(value_at(c->daemon, S("auth.people")), as.subject);
    if (!as.person.p)
        as.person = str_fmt(c->a, PEOPLE_STRANGER "%.*s", STR_ARG(as.subject));
    if (login_open(c, &as, err))
        return err->code;
    c->answer = NULL;
    c->cookie = cookie(c, S(""), 0);
    /* From our own page: a cookie that is SameSite=Strict does not follow a redirection from elsewhere. */
    c->page = oidc_page(c->a, j->path);
    return arena_status(c->a, err);
}

static int enter_by_code(struct login_call *c, const struct journey *j,
                         const struct oidc_provider_urls *urls, struct err *err)
{
    const struct oidc_provider_code code = { .code = value_get_text(c->query, S("code"), S("")),
                                             .verifier = j->verifier,
                                             .here = here(c) };
    struct jwt_wanted wanted = { .issuer = oidc_provider_config(c, "issuer"),
                                 .client_id = oidc_provider_config(c, "client_id"),
                                 .nonce = j->nonce,
                                 .now_s = c->now_ms / 1000 };
    const struct value *tokens, *claims, *groups = NULL;

    if (oidc_provider_exchange(c, urls->token, &code, &tokens, err))
        return err->code;
    wanted.access_token = value_get_text(tokens, S("access_token"), S(""));
    if (believe(c, urls->keys, &wanted, value_get_text(tokens, S("id_token"), S("")), &claims, err))
        return err->code;
    if (find_groups(c, urls, wanted.access_token, claims, &groups, err))
        return err->code;
    return enter(c, j, claims, groups, err);
}

int oidc_callback(struct login_call *c, struct err *err)
{
    struct str issuer = value_get_text(c->query, S("iss"), STR_NONE);
    struct oidc_provider_urls urls;
    struct journey j;

    if (check_door(c, err) || find_journey(c, &j, err))
        return err->code;
    if (issuer.p && !str_eq(issuer, oidc_provider_config(c, "issuer")))
        return err_set(err, ERR_REFUSED, "the answer is of another issuer");
    if (!value_get(c->query, S("code")))
        return err_set(err, ERR_REFUSED, "the identity provider did not let them in");
    if (oidc_provider_find(c, &urls, err))
        return err->code;
    if (urls.says_issuer && !issuer.p)
        return err_set(err, ERR_REFUSED, "the answer does not say of which issuer it is");
    return enter_by_code(c, &j, &urls, err);
}
