/*
 * session: who signed in is known again by a cookie. SPDX-License-Identifier: Apache-2.0
 *
 * A cookie holds 256 random bits, of which the row has BLAKE2b-256 alone. It is HttpOnly and SameSite=Strict;
 * where a browser comes by TLS it is Secure and called `__Host-reeve`, which no neighbour of our host can set. What changes
 * something shows, besides, a token that is derived from the same bits: a page of another site can make a
 * browser send the cookie, but cannot read that.
 *
 * Thread   any, with a reader of its own.
 * Fails    ERR_UNKNOWN_ACTOR: it is over, or nobody's; as db.h.
 */
#pragma once

#include "reconciler/engine/signing.h"
#include "reconciler/http/auth.h"

#define SESSION_BYTES 32
#define SESSION_NOTE_MS ((int64_t)60 * 1000) /* its last use is written as often as that */
#define SESSION_CSRF_HEADER "x-csrf-token"

struct session {
    unsigned char secret[SESSION_BYTES];
    struct digest hash;
    struct str csrf;
};

/* Whether a browser comes by TLS: to us, or to what stands before us. In clear only this machine gets here, so a name
 * that is not this machine's own was asked for there. */
int session_is_sealed(const struct http_exchange *x);

int session_draw(struct arena *a, struct session *ret, struct err *err);
/* 1: the request shows one, of whatever worth. */
int session_shown(struct arena *a, const struct http_exchange *x, struct session *ret);
/* Of Set-Cookie. */
struct str session_cookie(struct arena *a, const struct session *s, int is_tls);
struct str session_cookie_end(struct arena *a, int is_tls);
/* Whether the request may change something: it shows the token. In constant time. */
int session_has_csrf(const struct session *s, const struct http_exchange *x);

/* Until when it is good as it is; 0: it is over. */
int64_t session_until_ms(const struct rec_session *row, int64_t now_ms);
/* The one who signed in, by what auth.people and auth.roles say now. */
int session_check(struct arena *a, struct db *db, const struct value *daemon, int64_t now_ms,
                  const struct session *shown, struct rec_session *ret_row, struct auth_actor *ret,
                  struct err *err);
/* A browser that this person signed in with before, by the password that has that hash: its id, or STR_NONE. Failures
 * there are counted apart: who guesses from the same address, which all have behind one proxy, locks them out of no
 * browser that they know. Another password makes all of them unknown. */
struct str session_known(struct arena *a, const struct http_exchange *x, struct str person,
                         struct str hash);
/* Of Set-Cookie; `id` STR_NONE: a new one. */
struct str session_known_cookie(struct arena *a, struct str id, struct str person, struct str hash,
                                int is_tls);
/* A cookie's value; STR_NONE: there is none, or it comes twice. */
struct str session_find_cookie(const struct http_exchange *x, struct str name);
