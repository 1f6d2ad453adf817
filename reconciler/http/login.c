/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/login.h"

#include <inttypes.h>

#include "base/guard.h"
#include "reconciler/core/lockout.h"
#include "reconciler/core/people.h"
#include "reconciler/http/password.h"
#include "reconciler/http/session.h"
#include "specs/json_io.h"

/* --- who it is ----------------------------------------------------------------------------------- */

static void add_roles(struct arena *a, struct value *map, unsigned roles)
{
    static const struct {
        const char *word;
        unsigned role;
    } rows[] = { { "viewer", AUTH_VIEWER },     { "operator", AUTH_OPERATOR },
                 { "approver", AUTH_APPROVER }, { "admin", AUTH_ADMIN },
                 { "override", AUTH_OVERRIDE }, { "scrape", AUTH_SCRAPE } };
    struct value *list = value_list(a);

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (roles & rows[i].role)
            value_add(a, list, value_text(a, str_from_c(rows[i].word)));
    value_set(a, map, S("roles"), list);
}

static struct value *who_answer(struct arena *a, const struct auth_actor *actor)
{
    static const char *const kinds[] = { "local", "person", "token" };
    struct value *map = value_map(a);

    value_set_text(a, map, S("actor"), actor->name);
    value_set_text(a, map, S("kind"), str_from_c(kinds[actor->kind]));
    add_roles(a, map, actor->roles);
    if (actor->principals)
        value_set(a, map, S("principals"), value_copy(a, actor->principals));
    if (actor->scope)
        value_set(a, map, S("environments"), value_copy(a, actor->scope));
    return map;
}

static void add_session(struct login_call *c, const struct session *s,
                        const struct rec_session *row)
{
    value_set_text(c->a, c->answer, S("csrf"), s->csrf);
    value_set_int(c->a, c->answer, S("until_ms"), session_until_ms(row, c->now_ms));
}

int login_me(struct login_call *c, struct err *err)
{
    struct rec_session row;
    struct auth_actor person;
    struct session s;

    c->answer = who_answer(c->a, c->actor);
    if (c->actor->kind != AUTH_PERSON)
        return arena_status(c->a, err);
    if (!session_shown(c->a, c->x, &s))
        return err_set(err, ERR_UNKNOWN_ACTOR, "nobody is signed in");
    if (session_check(c->a, c->db, c->daemon, c->now_ms, &s, &row, &person, err))
        return err->code;
    add_session(c, &s, &row);
    return arena_status(c->a, err);
}

/* The same for whoever asks: it says of nobody that they are there. */
int login_ways(struct login_call *c, struct err *err)
{
    const struct value *people = value_at(c->daemon, S("auth.people"));
    int by_password = 0;

    for (size_t i = 0; i < value_count(people); i++)
        by_password |= !value_get(people->u.map.entries[i].value, S("oidc"));
    c->answer = value_map(c->a);
    value_set(c->a, c->answer, S("password"), value_bool(c->a, by_password));
    value_set(c->a, c->answer, S("oidc"),
              value_bool(c->a, value_at(c->daemon, S("auth.oidc")) != NULL));
    return arena_status(c->a, err);
}

/* --- in ------------------------------------------------------------------------------------------ */

static int throttled(struct login_call *c, int64_t wait_ms, struct err *err)
{
    int64_t wait_s = (wait_ms + 999) / 1000;

    c->besides = value_map(c->a);
    value_set_int(c->a, c->besides, S("wait_ms"), wait_ms);
    c->headers = value_map(c->a);
    value_set_text(c->a, c->headers, S("Retry-After"), str_fmt(c->a, "%" PRId64, wait_s));
    return err_set(err, ERR_THROTTLED,
                   "too many failures: nobody is heard from there by that name for %" PRId64 " s",
                   wait_s);
}

int login_open(struct login_call *c, const struct login_as *as, struct err *err)
{
    struct signing in = {
        .verb = SIGNING_IN, .person = as->person, .place = c->x->address, .name_key = as->failures
    };
    struct auth_actor actor;
    struct session s;

    if (session_draw(c->a, &s, err))
        return err->code;
    in.actor = str_fmt(c->a, PEOPLE_ACTOR "%.*s", STR_ARG(as->person));
    in.session = (struct rec_session){ .hash = s.hash,
                                       .person = as->person,
                                       .issuer = as->issuer.p ? as->issuer : S(""),
                                       .subject = as->subject.p ? as->subject : S(""),
                                       .groups = as->groups ? json_format(c->a, as->groups) : S(""),
                                       .address = c->x->address,
                                       .made_ms = c->now_ms,
                                       .used_ms = c->now_ms };
    if (c->write(c->engine, &in, err))
        return in.ret_wait_ms ? throttled(c, in.ret_wait_ms, err) : err->code;
    if (session_check(c->a, c->db, c->daemon, c->now_ms, &s, &in.session, &actor, err))
        return err->code;
    c->answer = who_answer(c->a, &actor);
    add_session(c, &s, &in.session);
    c->headers = value_map(c->a);
    value_set_text(c->a, c->headers, S("Set-Cookie"),
                   session_cookie(c->a, &s, session_is_sealed(c->x)));
    return arena_status(c->a, err);
}

static int find_wait(struct login_call *c, const struct digest *key, int64_t *wait_ms,
                     struct err *err)
{
    struct rec_lockout row = { .hash = *key };
    int rc = db_get(c->db, c->a, REC_lockout, &row, err);
    struct lockout l = { row.n_failures, row.last_ms, row.until_ms };

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!rc && lockout_wait_ms(&l, c->now_ms) > *wait_ms)
        *wait_ms = lockout_wait_ms(&l, c->now_ms);
    return err->code = 0;
}

/* Who has a provider signs in there. */
static int has_password(const struct value *daemon, struct str name)
{
    const struct value *person = value_get(value_at(daemon, S("auth.people")), name);

    return person && !value_get(person, S("oidc"));
}

static int find_hash(struct login_call *c, struct str name, struct str *ret, struct err *err)
{
    struct rec_password row = { .person = name };
    int rc = db_get(c->db, c->a, REC_password, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    *ret = !rc && has_password(c->daemon, name) ? row.hash : STR_NONE;
    return err->code = 0;
}

/* A browser that is known has a count of its own, everybody else at an address one together. */
static void name_keys(struct login_call *c, struct str name, struct str known, struct signing *ret)
{
    ret->place = lockout_place(c->a, c->x->address);
    if (known.p) {
        ret->name_key = lockout_key(name, str_fmt(c->a, "browser %.*s", STR_ARG(known)));
        return;
    }
    ret->name_key = lockout_key(name, ret->place);
    ret->place_key = lockout_key(S(""), ret->place);
}

/* Counted before it is answered, so that many at once are not as many guesses. */
static int refuse(struct login_call *c, struct signing *in, struct str name, struct err *err)
{
    struct err refusal = *err;

    in->verb = SIGNING_REFUSED;
    in->person = value_get(value_at(c->daemon, S("auth.people")), name) ? name : S("");
    if (c->write(c->engine, in, err))
        return err->code;
    if (in->ret_wait_ms)
        return throttled(c, in->ret_wait_ms, err);
    *err = refusal;
    return err->code;
}

int login_in(struct login_call *c, struct err *err)
{
    struct str name = value_get_text(c->body, S("name"), S(""));
    struct signing in = { 0 };
    struct str hash, known;
    int64_t wait_ms = 0;
    int rc;

    if (!name.n || name.n > LOGIN_NAME_MAX)
        return err_set(err, ERR_USAGE, "a name has 1 to %u bytes", LOGIN_NAME_MAX);
    if (find_hash(c, name, &hash, err))
        return err->code;
    known = session_known(c->a, c->x, name, hash);
    name_keys(c, name, known, &in);
    if (find_wait(c, &in.name_key, &wait_ms, err) || find_wait(c, &in.place_key, &wait_ms, err))
        return err->code;
    if (wait_ms)
        return throttled(c, wait_ms, err);
    rc = password_check(hash, value_get_text(c->body, S("password"), S("")), err);
    if (rc == ERR_UNKNOWN_ACTOR)
        return refuse(c, &in, name, err);
    if (rc || login_open(c, &(struct login_as){ .person = name, .failures = in.name_key }, err))
        return err->code;
    c->cookie = session_known_cookie(c->a, known, name, hash, session_is_sealed(c->x));
    return arena_status(c->a, err);
}

/* --- out ----------------------------------------------------------------------------------------- */

int login_out(struct login_call *c, struct err *err)
{
    struct str name = c->actor->name;
    struct signing in = { .verb = SIGNING_OUT, .actor = name, .place = c->x->address };
    struct session s;

    if (c->actor->kind != AUTH_PERSON || !session_shown(c->a, c->x, &s))
        return err_set(err, ERR_USAGE, "%.*s did not sign in", STR_ARG(name));
    in.person = str_slice(name, sizeof(PEOPLE_ACTOR) - 1, name.n);
    in.session.hash = s.hash;
    if (c->write(c->engine, &in, err))
        return err->code;
    c->answer = value_map(c->a);
    value_set_text(c->a, c->answer, S("message"), S("signed out"));
    c->headers = value_map(c->a);
    value_set_text(c->a, c->headers, S("Set-Cookie"),
                   session_cookie_end(c->a, session_is_sealed(c->x)));
    return arena_status(c->a, err);
}

/* --- by an admin --------------------------------------------------------------------------------- */

static int change(struct login_call *c, struct signing *in, struct str message, struct err *err)
{
    in->actor = c->actor->name;
    in->person = c->param;
    if (c->write(c->engine, in, err))
        return err->code;
    c->answer = value_map(c->a);
    value_set_text(c->a, c->answer, S("person"), c->param);
    value_set_text(c->a, c->answer, S("message"), message);
    return arena_status(c->a, err);
}

int login_password(struct login_call *c, struct err *err)
{
    const struct value *person = value_get(value_at(c->daemon, S("auth.people")), c->param);
    struct signing in = { .verb = SIGNING_PASSWORD };

    if (!person)
        return err_set(err, ERR_NOT_FOUND, "auth.people has no '%.*s'", STR_ARG(c->param));
    if (value_get(person, S("oidc")))
        return err_set(err, ERR_CONFLICT, "%.*s signs in by auth.oidc", STR_ARG(c->param));
    if (password_hash(c->a, value_get_text(c->body, S("password"), S("")), &in.password, err))
        return err->code;
    return change(c, &in, S("the password is another one; their sessions are over"), err);
}

int login_out_all(struct login_call *c, struct err *err)
{
    struct signing in = { .verb = SIGNING_OUT_ALL };

    return change(c, &in, S("their sessions are over"), err);
}
