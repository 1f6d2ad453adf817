/*
 * auth: who is on the other end of the socket, and what they may. SPDX-License-Identifier: Apache-2.0
 *
 * An actor is `local:NAME(uid)`, for root with the login uid where one is set. The daemon's own uid and root
 * are admin, `auth.local` of the Daemon document maps users and groups to roles, everybody else may look.
 * Who lives in another user or PID namespace under our own uid is code we started, not a person.
 *
 * Thread   not the loop's: names may be asked of a directory service.
 * Fails    ERR_REFUSED.
 */
#pragma once

#include "reconciler/http/server.h"

/* A set. */
enum auth_role {
    AUTH_VIEWER = 1,
    AUTH_OPERATOR = 2, /* reconcile, cancel, undo, roll back, hold, resume, retry */
    AUTH_APPROVER = 4, /* approve, reject */
    AUTH_ADMIN = 8,    /* all of it, and settle */
};
#define AUTH_ALL (AUTH_VIEWER | AUTH_OPERATOR | AUTH_APPROVER | AUTH_ADMIN)

struct auth_actor {
    struct str name; /* local:ann(1000) */
    unsigned roles;
    const struct value *principals; /* ["user:ann", "group:ops"] */
};

/* `daemon` is the normalised Daemon document. */
int auth_identify(struct arena *a, const struct value *daemon, const struct http_peer *peer,
                  struct auth_actor *ret, struct err *err);
/* Of the process that asks, when no daemon stands between. */
int auth_identify_self(struct arena *a, const struct value *daemon, struct auth_actor *ret,
                       struct err *err);
/* "operator or admin" */
const char *auth_role_names(unsigned roles);
