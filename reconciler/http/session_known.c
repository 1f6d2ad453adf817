/* Browsers that somebody has signed in with. SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/sys.h"
#include "reconciler/http/session.h"

#define ID_BYTES 16
#define ID_CHARS 22 /* of them, in base64url */
#define COOKIE_DAYS 365

static struct str cookie_name(int is_tls)
{
    return is_tls ? S("__Host-reeve-known") : S("reeve-known");
}

/* Who does not know the hash, which nobody is told, makes none. */
static struct str mac_of(struct arena *a, struct str id, struct str person, struct str hash)
{
    struct digest d = hash_hmac(
        hash, str_fmt(a, "reeve browser %.*s %.*s", STR_ARG(id), STR_ARG(person)));

    return base64_url_encode(a, (struct str){ (const char *)d.b, sizeof(d.b) });
}

struct str session_known(struct arena *a, const struct http_exchange *x, struct str person,
                         struct str hash)
{
    struct str mac = session_find_cookie(x, cookie_name(session_is_sealed(x))), id, want;

    if (!hash.n || !mac.p || !str_next(&mac, '.', &id) || id.n != ID_CHARS)
        return STR_NONE;
    want = mac_of(a, id, person, hash);
    return want.n && mac.n == want.n && !sodium_memcmp(mac.p, want.p, want.n) ? id : STR_NONE;
}

struct str session_known_cookie(struct arena *a, struct str id, struct str person, struct str hash,
                                int is_tls)
{
    char bytes[ID_BYTES];

    if (!id.p) {
        sys_random(bytes, sizeof(bytes));
        id = base64_url_encode(a, (struct str){ bytes, sizeof(bytes) });
    }
    return str_fmt(a, "%.*s=%.*s.%.*s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s",
                   STR_ARG(cookie_name(is_tls)), STR_ARG(id), STR_ARG(mac_of(a, id, person, hash)),
                   COOKIE_DAYS * 24 * 3600, is_tls ? "; Secure" : "");
}
