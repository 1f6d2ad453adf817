/*
 * people: whose a name is. SPDX-License-Identifier: Apache-2.0
 *
 * `auth.people` of the Daemon document joins what one person is called: a local user, what the identity
 * provider says, e-mail addresses of commits, keys that sign. Pure.
 *
 * Memory   results borrow from `people`.
 */
#pragma once

#include "specs/value.h"

/* STR_NONE: nobody's. `people` may be NULL. */
struct str people_of_user(const struct value *people, struct str user);
struct str people_of_mail(const struct value *people, struct str mail); /* in any case of letters */
struct str people_of_subject(const struct value *people, struct str subject); /* of auth.oidc */
/* Who signed in is called "person:NAME", and "person:oidc:SUBJECT" where nobody has that subject. */
#define PEOPLE_ACTOR "person:"
#define PEOPLE_STRANGER "oidc:"
/* "local:ann(1000)": of the user in it; "person:ann". */
struct str people_of_actor(const struct value *people, struct str actor);
/* "SHA256:.." of a public key, as ssh-keygen shows it; STR_NONE: it is none. */
struct str people_fingerprint(struct arena *a, struct str key);
/* Who signed a commit: by the key's fingerprint, else by what the list of signers calls them. */
struct str people_of_signer(struct arena *a, const struct value *people, struct str fingerprint,
                            struct str name);
/* One file for ssh-keygen: a line for each key of the person, good for this namespace alone. */
struct str people_signers(struct arena *a, const struct value *people, struct str name,
                          const char *scope);

#define PEOPLE_SIGN_NAMESPACE "reeve-plan"
#define PEOPLE_BUNDLE_NAMESPACE "reeve-bundle"

/* What a person who signed in can be called by: the local user, the name unless it is another one's local user,
 * and the groups that the provider says. */
struct value *people_principals(struct arena *a, const struct value *people, struct str person,
                                const struct value *groups);
