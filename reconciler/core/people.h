/*
 * people: whose a name is. SPDX-License-Identifier: Apache-2.0
 *
 * `auth.people` of the Daemon document joins what one person is called: a local user, e-mail addresses of
 * commits, keys that sign. Pure.
 *
 * Memory   results borrow from `people`.
 */
#pragma once

#include "specs/value.h"

/* STR_NONE: nobody's. `people` may be NULL. */
struct str people_of_user(const struct value *people, struct str user);
struct str people_of_mail(const struct value *people, struct str mail); /* in any case of letters */
/* "local:ann(1000)": of the user in it. */
struct str people_of_actor(const struct value *people, struct str actor);
/* One file for ssh-keygen: a line for each key of the person, good for approvals alone. */
struct str people_signers(struct arena *a, const struct value *people, struct str name);

#define PEOPLE_SIGN_NAMESPACE "reeve-plan"
