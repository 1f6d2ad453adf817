/*
 * normalise_daemon: the checks of a Daemon document that need more than one field. SPDX-License-Identifier: Apache-2.0
 *
 * The files of normalise_daemon() share this.
 */
#pragma once

#include "specs/normalise.h"

struct daemon_check {
    struct arena *a;
    struct spec_messages *m;
    const struct value *daemon; /* filled */
};

/* An error unless `name` (NULL: nothing) is a key of `in`. */
void normalise_daemon_check_named(const struct daemon_check *c, const struct value *name,
                                  const char *what, const struct value *in);

/* Providers that a rule, a copy or an anchor names: they are there, and their driver carries the kind. */
void normalise_daemon_check_providers(const struct daemon_check *c, const struct value *rule);
void normalise_daemon_check_stores_of_history(const struct daemon_check *c);
/* What goes in clear stays where it may go. */
void normalise_daemon_check_drains(const struct daemon_check *c);
/* {PROVIDER: DRIVER} of those that the rule names. */
struct value *normalise_daemon_drivers(struct arena *a, const struct value *daemon,
                                       const struct value *rule);
