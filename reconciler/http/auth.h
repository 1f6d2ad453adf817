/*
 * auth: who asks, and what they may. SPDX-License-Identifier: Apache-2.0
 *
 * An actor is `local:NAME(uid)`, for root with the login uid where one is set. `auth.local` of the Daemon
 * document maps users and groups to roles, everybody else may look; without it the daemon's own uid and root
 * are admin. To override is a role of its own. A person who signed in is `person:NAME`, whose roles are those of
 * `auth.roles`. Who may be connected at all is admit.h's.
 *
 * Thread   not the loop's: names may be asked of a directory service.
 * Fails    ERR_NOMEM.
 */
#pragma once

#include "reconciler/http/server.h"
#include "state/db.h"

/* A set. */
enum auth_role {
    AUTH_VIEWER = 1,
    AUTH_OPERATOR = 2,  /* reconcile, cancel, undo, roll back, hold, resume, retry */
    AUTH_APPROVER = 4,  /* approve, reject */
    AUTH_ADMIN = 8,     /* all of these, and settle */
    AUTH_OVERRIDE = 16, /* let a plan run without the approvals it needs */
    AUTH_SCRAPE =
        32, /* of a token: numbers, health and what else is to be scraped, and nothing more */
};
#define AUTH_ALL (AUTH_VIEWER | AUTH_OPERATOR | AUTH_APPROVER | AUTH_ADMIN)

enum auth_kind {
    AUTH_LOCAL,  /* connected to the socket */
    AUTH_PERSON, /* signed in */
    AUTH_TOKEN,  /* a program: never approves */
};

/* Roles that somebody has in those environments. */
struct auth_grant {
    unsigned roles;
    struct str pattern; /* of their names; STR_NONE: everywhere */
};

struct auth_actor {
    enum auth_kind kind;
    struct str name; /* local:ann(1000), token:ci(0123456789abcdef) */
    unsigned roles;
    const struct value
        *scope; /* names and patterns of environments; NULL: all, and what is of none */
    const struct auth_grant
        *grants; /* where each role is theirs; none: all of them, within the scope */
    size_t n_grants;
    const struct value *principals; /* ["user:ann", "group:ops"] */
    struct str token;               /* its id; "" of who is no token */
    struct digest session;          /* of a person who signed in */
    int64_t until_ms;               /* what was shown is good until then; 0: it has no end */
    int is_noted;                   /* its last use, within the last minute */
    int may_break_glass;            /* a role that is lacking, in an emergency, with a reason */
};

struct auth_world {             /* what is known of who asks */
    const struct value *daemon; /* the normalised Daemon document */
    struct db *db;
    int64_t now_ms;
    int is_stale; /* the database is older than the world: its tokens may have been revoked since */
};

/* Nothing that came with the request says who asks. */
int auth_is_nobody(const struct http_exchange *x);
/* The one who decides it, of all others. ERR_UNKNOWN_ACTOR: nobody that we know; the sentence is one of few. */
int auth_who(struct arena *a, const struct auth_world *w, const struct http_exchange *x,
             struct auth_actor *ret, struct err *err);
/* Who is connected to the socket. */
int auth_identify(struct arena *a, const struct value *daemon, const struct http_peer *peer,
                  struct auth_actor *ret, struct err *err);
/* Whether one of the roles is the actor's there. `env` STR_NONE: what is of no one environment, for those alone whose
 * scope is everything. */
int auth_may(const struct auth_actor *actor, unsigned roles, struct str env);
/* To whom `map` ({role: [PRINCIPAL[@ENVIRONMENT]]}) gives which role where: roles, grants and scope by the actor's
 * principals; `roles` are theirs everywhere in any case. */
int auth_grant(struct arena *a, const struct value *map, unsigned roles, struct auth_actor *actor,
               struct err *err);
/* What the word of a role brings; 0: it is none. */
unsigned auth_roles_of(struct str word);
/* "operator or admin" */
const char *auth_role_names(unsigned roles);
