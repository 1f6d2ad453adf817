/*
 * access: whether an actor may make a call. SPDX-License-Identifier: Apache-2.0
 *
 * A call is about the environment in its path, about that of its plan or operation, or about no one
 * environment. What lies outside of an actor's scope is answered as what does not exist: with the same words,
 * whichever of both it is. A token does nothing that is a person's.
 *
 * Memory   results live in the arena given.
 * Thread   any, with a reader of its own.
 * Fails    ERR_NOT_FOUND: out of scope, or not there; ERR_REFUSED; as db.h.
 */
#pragma once

#include "reconciler/http/routes.h"

/* `ret_env`: the name of the environment that it is about, also when it is refused; "" for none or unknown. */
int access_check(struct arena *a, struct db *db, const struct auth_actor *actor,
                 const struct route_call *call, struct str *ret_env, struct err *err);
/* Of engine_live_view(), what such an actor may see. */
struct value *access_live(struct arena *a, const struct auth_actor *actor, struct value *live);
/* The body asks for what is for emergencies. */
int access_breaks_glass(const struct route_call *call);
