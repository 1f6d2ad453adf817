/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/session.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/base64.h"
#include "base/sys.h"
#include "reconciler/core/people.h"
#include "reconciler/http/hosts.h"
#include "specs/json_io.h"

#define GROUPS_BYTES_MAX (64u << 10)

static const unsigned char csrf_key[crypto_generichash_KEYBYTES] = "reeve csrf token";

int session_is_sealed(const struct http_exchange *x)
{
    struct str host = value_get_text(x->headers, S("host"), S(""));

    return x->is_tls || (x->door == HTTP_DOOR_API && host.n && !hosts_is_local(host));
}

static struct str cookie_name(int is_tls)
{
    return is_tls ? S("__Host-reeve") : S("reeve");
}

/* What follows from the secret. */
static int session_derive(struct arena *a, struct session *s, struct err *err)
{
    unsigned char csrf[SESSION_BYTES];

    _Static_assert(sizeof(s->hash.b) == crypto_generichash_BYTES, "BLAKE2b-256 is a digest");
    (void)crypto_generichash(s->hash.b, sizeof(s->hash.b), s->secret, sizeof(s->secret), NULL,
                             0); /* these fail for sizes alone, which are constants */
    (void)crypto_generichash(csrf, sizeof(csrf), s->secret, sizeof(s->secret), csrf_key,
                             sizeof(csrf_key));
    s->csrf = base64_url_encode(a, (struct str){ (const char *)csrf, sizeof(csrf) });
    return arena_status(a, err);
}

int session_draw(struct arena *a, struct session *ret, struct err *err)
{
    sys_random(ret->secret, sizeof(ret->secret));
    return session_derive(a, ret, err);
}

struct str session_find_cookie(const struct http_exchange *x, struct str name)
{
    struct str rest = value_get_text(x->headers, S("cookie"), S("")), part, key;
    struct str found = STR_NONE;

    while (str_next(&rest, ';', &part)) {
        part = str_trim(part);
        if (!str_next(&part, '=', &key) || !str_eq(key, name))
            continue;
        if (found.p)
            return STR_NONE;
        found = part;
    }
    return found;
}

int session_shown(struct arena *a, const struct http_exchange *x, struct session *ret)
{
    struct str text = session_find_cookie(x, cookie_name(session_is_sealed(x))), secret;
    struct err err = ERR_INIT;

    if (!text.p)
        return 0;
    memset(ret->secret, 0, sizeof(ret->secret));
    if (!base64_url_decode(a, text, &secret) && secret.n == sizeof(ret->secret))
        memcpy(ret->secret, secret.p, secret.n);
    return !session_derive(a, ret, &err);
}

static struct str cookie(struct arena *a, int is_tls, struct str value, int64_t age_s)
{
    return str_fmt(a, "%.*s=%.*s; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
                   STR_ARG(cookie_name(is_tls)), STR_ARG(value), age_s, is_tls ? "; Secure" : "");
}

struct str session_cookie(struct arena *a, const struct session *s, int is_tls)
{
    const struct str secret = { (const char *)s->secret, sizeof(s->secret) };

    return cookie(a, is_tls, base64_url_encode(a, secret), SIGNING_MAX_MS / 1000);
}

struct str session_cookie_end(struct arena *a, int is_tls)
{
    return cookie(a, is_tls, S(""), 0);
}

int session_has_csrf(const struct session *s, const struct http_exchange *x)
{
    struct str shown = value_get_text(x->headers, S(SESSION_CSRF_HEADER), S(""));

    return shown.n == s->csrf.n && !sodium_memcmp(shown.p, s->csrf.p, shown.n);
}

int64_t session_until_ms(const struct rec_session *row, int64_t now_ms)
{
    int64_t end_ms = row->made_ms + SIGNING_MAX_MS, idle_ms = row->used_ms + SIGNING_IDLE_MS;
    int64_t until_ms = end_ms < idle_ms ? end_ms : idle_ms;

    return now_ms < until_ms ? until_ms : 0;
}

static int find_groups(struct arena *a, const struct rec_session *row, struct value **ret,
                       struct err *err)
{
    *ret = NULL;
    return row->groups.n ? json_parse(a, row->groups, GROUPS_BYTES_MAX, ret, err) : 0;
}

/* Somebody who is no longer in auth.people, or another one by now, is nobody; so is who came by another provider. */
static int is_still_who(const struct value *daemon, const struct rec_session *row)
{
    const struct value *people = value_at(daemon, S("auth.people"));
    struct str person = people_of_subject(people, row->subject);

    if (!row->subject.n)
        return value_get(people, row->person) != NULL;
    if (!str_eq(value_get_text(value_at(daemon, S("auth.oidc")), S("issuer"), S("")), row->issuer))
        return 0;
    return person.p ? str_eq(person, row->person)
                    : str_starts(row->person, S(PEOPLE_STRANGER)) &&
                          str_eq(str_slice(row->person, sizeof(PEOPLE_STRANGER) - 1, row->person.n),
                                 row->subject);
}

int session_check(struct arena *a, struct db *db, const struct value *daemon, int64_t now_ms,
                  const struct session *shown, struct rec_session *ret_row, struct auth_actor *ret,
                  struct err *err)
{
    const struct value *people = value_at(daemon, S("auth.people"));
    struct rec_session row = { .hash = shown->hash };
    struct value *groups;
    int rc = db_get(db, a, REC_session, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc || !session_until_ms(&row, now_ms) || !is_still_who(daemon, &row))
        return err_set(err, ERR_UNKNOWN_ACTOR, "nobody is signed in by that: it is over");
    rc = find_groups(a, &row, &groups, err);
    if (rc)
        return rc;
    *ret = (struct auth_actor){ .kind = AUTH_PERSON, .session = shown->hash };
    ret->until_ms = session_until_ms(&row, now_ms);
    ret->is_noted = now_ms >= row.used_ms && now_ms - row.used_ms < SESSION_NOTE_MS;
    ret->name = str_fmt(a, PEOPLE_ACTOR "%.*s", STR_ARG(row.person));
    ret->principals = people_principals(a, people, row.person, groups);
    *ret_row = row;
    return auth_grant(a, value_at(daemon, S("auth.roles")), 0, ret, err);
}
