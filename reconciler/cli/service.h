/*
 * service: what the supervisor of the machine gives a daemon, and is told by it. SPDX-License-Identifier: Apache-2.0
 *
 * Sockets arrive by sd_listen_fds(3), each by the name of its door: `socket`, `api`, `hooks`. A program that
 * became this one (upgrade.h) gives its own in the same way, named `own.socket` and so on: they are ours to shut.
 * Without a supervisor all of this is nothing.
 *
 * Thread   the loop's; service_sockets() before there are others.
 * Fails    ERR_INVALID: a socket of a name that no door has, or that listens nowhere; ERR_IO.
 */
#pragma once

#include "reconciler/http/server.h"

struct service {
    struct loop *loop;
    struct loop_timer *alive; /* NULL: nobody waits for a sign of life */
    int64_t every_ms;
};

/* What was given, one for each door; fd -1: none. They are not given to anybody that we start. */
int service_sockets(struct http_given *ret, struct err *err);
/* The environment of a program that is to be given them: descriptors 3 and on, from here. */
int service_hand(const struct http_given *doors, struct err *err);

/* It serves; from now on it says in time that it still does. */
int service_ready(struct service *s, struct loop *loop, struct err *err);
void service_stopping(void);
/* Before the loop goes; it may begin again with another one. */
void service_fini(struct service *s);
