/*
 * login: people sign in, are told who they are, and sign out. SPDX-License-Identifier: Apache-2.0
 *
 * Whatever was wrong, the answer and the work are the same: nobody learns whether a person exists. Who failed
 * too often is told how long nobody is heard, also when nobody has that name.
 *
 * Memory   answers live in the arena of the call.
 * Thread   POOL_SIGN, with a reader of its own.
 * Fails    ERR_UNKNOWN_ACTOR: not that name and password; ERR_THROTTLED: too many failures; ERR_BUSY;
 *          ERR_NOT_FOUND, ERR_CONFLICT, ERR_INVALID of a password that is to be set; as signing.h, db.h.
 */
#pragma once

#include <stdatomic.h>

#include "reconciler/engine/signing.h"
#include "reconciler/http/auth.h"

#define LOGIN_NAME_MAX 64u

struct engine;
struct oidc_provider;

typedef int login_write(struct engine *e, struct signing *in, struct err *err);

struct login_call {
    struct arena *a;
    struct db *db;
    const struct value *daemon, *query, *body;
    struct str param;
    const struct http_exchange *x;
    const struct auth_actor *actor; /* NULL: nobody yet */
    int64_t now_ms;
    struct engine *engine;
    login_write *write; /* signing_write() */
    struct oidc_provider *provider;
    const atomic_int *stop; /* not zero: nobody waits for the answer */
    /* the answer */
    int status;            /* 0: 200 */
    struct value *answer;  /* JSON; NULL: `page` */
    struct value *headers; /* {name: text} */
    struct str cookie;     /* one more Set-Cookie; "": none */
    struct str page;       /* HTML */
    struct value *besides; /* members that a refusal has */
};

typedef int login_fn(struct login_call *c, struct err *err);

login_fn login_in, login_out, login_me, login_ways;
login_fn login_password, login_out_all; /* of a person, by an admin */

struct login_as {
    struct str person;
    struct str issuer, subject; /* of the provider; "": by password */
    const struct value *groups; /* that it says; NULL: none */
    struct digest failures;     /* that are forgotten; none: none */
};
/* Somebody is who they say: a session for them, and its cookie. */
int login_open(struct login_call *c, const struct login_as *as, struct err *err);
