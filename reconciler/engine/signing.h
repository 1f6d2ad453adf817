/*
 * signing: what is written when people sign in and out. SPDX-License-Identifier: Apache-2.0
 *
 * Passwords, sessions and lock-outs are tables that no event carries; that somebody came, was refused, was
 * locked out or got another password is an event without them. A name that nobody has writes no event. Who came for
 * the first time, and whose groups are others than the provider said before, is one of its own.
 *
 * Thread   any but the loop's and STATE: it waits for the writer.
 * Fails    ERR_REFUSED: the database is older than the world; ERR_THROTTLED: nobody is heard; as tx.h.
 * Limits   SIGNING_SESSIONS_MAX of a person, SIGNING_LOCKOUTS_MAX; the oldest go.
 */
#pragma once

#include "state/records.h"

#define SIGNING_IDLE_MS ((int64_t)60 * 60 * 1000)     /* of a session, without a request */
#define SIGNING_MAX_MS ((int64_t)12 * 60 * 60 * 1000) /* whatever was asked */
#define SIGNING_SESSIONS_MAX 20
#define SIGNING_LOCKOUTS_MAX 10000

enum signing_verb {
    SIGNING_IN, /* session; name_key, whose failures are forgotten: unless nobody is heard there by now */
    SIGNING_REFUSED, /* another failure: person ("" of nobody), name_key, place_key (or none), place */
    SIGNING_OUT,     /* session's hash */
    SIGNING_OUT_ALL,  /* person */
    SIGNING_PASSWORD, /* person, password; their sessions end, their failures are forgotten */
    SIGNING_USED,     /* session's hash; without an event */
    N_SIGNING_VERBS
};

struct signing {
    enum signing_verb verb;
    struct str actor; /* who does it: person:ann, or who changes a password */
    struct str person;
    struct rec_session session;
    struct str password; /* its hash */
    struct digest name_key, place_key;
    struct str place;
    int64_t ret_wait_ms; /* how long nobody is heard now; 0: they are */
};

struct engine;
int signing_write(struct engine *e, struct signing *in, struct err *err);
/* The value of a secret of the daemon's own, into an arena that its owner wipes. */
int signing_secret(struct engine *e, struct str name, struct arena *a, struct str *ret,
                   struct err *err);
