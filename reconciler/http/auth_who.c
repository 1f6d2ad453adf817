/* Who asks: by what the request shows, else by who is connected. SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "reconciler/http/auth_token.h"
#include "reconciler/http/session.h"

#define BEARER "bearer "

/* "Bearer TOKEN"; the word in any case of letters. */
static int who_bears(struct arena *a, const struct auth_world *w, struct str shown,
                     struct auth_actor *ret, struct err *err)
{
    size_t n = sizeof(BEARER) - 1;

    if (shown.n <= n || strncasecmp(shown.p, BEARER, n) != 0)
        return err_set(err, ERR_UNKNOWN_ACTOR, "the credential is not a bearer's");
    if (w->is_stale)
        return err_set(err, ERR_UNKNOWN_ACTOR, "no token is believed: the database is stale");
    return auth_token_check(a, w->db, w->now_ms, str_slice(shown, n, shown.n), ret, err);
}

static int who_signed_in(struct arena *a, const struct auth_world *w, const struct session *shown,
                         struct auth_actor *ret, struct err *err)
{
    struct rec_session row;

    if (w->is_stale)
        return err_set(err, ERR_UNKNOWN_ACTOR, "no session is believed: the database is stale");
    return session_check(a, w->db, w->daemon, w->now_ms, shown, &row, ret, err);
}

int auth_is_nobody(const struct http_exchange *x)
{
    return x->door != HTTP_DOOR_SOCKET && !value_get(x->headers, S("authorization")) &&
           !value_get(x->headers, S("cookie"));
}

int auth_who(struct arena *a, const struct auth_world *w, const struct http_exchange *x,
             struct auth_actor *ret, struct err *err)
{
    struct str shown = value_get_text(x->headers, S("authorization"), STR_NONE);
    struct session session;

    if (shown.p)
        return who_bears(a, w, shown, ret, err);
    if (session_shown(a, x, &session))
        return who_signed_in(a, w, &session, ret, err);
    if (x->door != HTTP_DOOR_SOCKET)
        return err_set(err, ERR_UNKNOWN_ACTOR, "no credential says who asks");
    return auth_identify(a, w->daemon, &x->peer, ret, err);
}
