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

#include "reconciler/engine/signing.h"
#include "reconciler/http/auth.h"

#define LOGIN_NAME_MAX 64u

struct engine;
struct loop;
struct secret_store;

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
    /* the answer */
    struct value *answer;  /* JSON; NULL: `page` */
    struct value *headers; /* {name: text} */
    struct str page;       /* HTML */
    struct value *besides; /* members that a refusal has */
};

typedef int login_fn(struct login_call *c, struct err *err);

login_fn login_in, login_out, login_me;
login_fn login_password, login_out_all; /* of a person, by an admin */

/* Somebody is who they say: a session for them, and its cookie. `subject` and `groups` of a provider, or "". */
int login_open(struct login_call *c, struct str person, struct str subject, struct str groups,
               const struct digest *failures, struct err *err);
