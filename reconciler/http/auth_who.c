/* Who asks: by what the request shows, else by who is connected. SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "base/guard.h"
#include "reconciler/http/auth_token.h"

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

int auth_is_nobody(const struct http_exchange *x)
{
    return x->door != HTTP_DOOR_SOCKET && !value_get(x->headers, S("authorization"));
}

int auth_who(struct arena *a, const struct auth_world *w, const struct http_exchange *x,
             struct auth_actor *ret, struct err *err)
{
    struct str shown = value_get_text(x->headers, S("authorization"), STR_NONE);

    if (shown.p)
        return who_bears(a, w, shown, ret, err);
    PRE(!auth_is_nobody(x));
    return auth_identify(a, w->daemon, &x->peer, ret, err);
}
