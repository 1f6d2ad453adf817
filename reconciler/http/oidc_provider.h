/*
 * oidc_provider: what the provider of `auth.oidc` says. SPDX-License-Identifier: Apache-2.0
 *
 * It is asked without following redirections, within OIDC_TIMEOUT_MS and OIDC_ANSWER_MAX. Its documents are
 * kept for OIDC_KEPT_MS; a key that is not among them makes them be asked for again. One that did not answer is
 * not asked for OIDC_DOWN_MS: nobody waits for it in a row.
 *
 * Owns     what it said last, under a lock.
 * Thread   POOL_SIGN.
 * Fails    ERR_UNREACHABLE, ERR_TIMEOUT: it does not answer, or not what it should; ERR_REFUSED: it does not
 *          take the code; ERR_CANCELLED; as secret_store.h.
 */
#pragma once

#include "reconciler/http/jwt.h"
#include "reconciler/http/login.h"

#define OIDC_KEPT_MS ((int64_t)10 * 60 * 1000)
#define OIDC_AGAIN_MS ((int64_t)5 * 1000) /* unknown keys make it ask as often as that */
#define OIDC_DOWN_MS ((int64_t)3 * 1000)
#define OIDC_ANSWER_MAX (64u << 10)
#define OIDC_TIMEOUT_MS 10000
#define OIDC_ACCESS_TOKEN_MAX 8192

struct oidc_provider;

struct oidc_provider *oidc_provider_new(void); /* NULL: out of memory */
void oidc_provider_free(struct oidc_provider *p);

/* A text of auth.oidc, which there is. */
struct str oidc_provider_config(const struct login_call *c, const char *name);

struct oidc_provider_urls {
    struct str authorization, token, keys;
    struct str userinfo; /* "": it has none */
    int says_issuer;     /* in what it sends the browser back with: RFC 9207 */
    int has_groups;      /* asked for by a scope of their own */
};
int oidc_provider_find(struct login_call *c, struct oidc_provider_urls *ret, struct err *err);

/* Its keys, not older than that. */
int oidc_provider_keys(struct login_call *c, struct str url, int64_t age_ms, struct jwt_keys *ret,
                       struct err *err);

struct oidc_provider_code {
    struct str code, verifier, here; /* here: where it sent the browser to */
};
/* What it gives for a code: {id_token, access_token}. */
int oidc_provider_exchange(struct login_call *c, struct str url,
                           const struct oidc_provider_code *code, const struct value **ret,
                           struct err *err);

/* What it says of whose access token this is, to be asked where an ID token says nothing of groups. */
int oidc_provider_ask_who(struct login_call *c, struct str url, struct str access_token,
                          const struct value **ret, struct err *err);

/* "NAME=TEXT" of a query or a form: RFC 3986, strictly. */
void oidc_provider_add(struct sb *b, const char *name, struct str text);
