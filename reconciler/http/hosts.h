/*
 * hosts: by which name a daemon is asked over TCP, and from whose page. SPDX-License-Identifier: Apache-2.0
 *
 * A page of somebody else's may point a name of its own at our address, or send what changes something from
 * the browser of a person who is signed in here. Neither is heard: Host is a name of `http.hosts`, and an
 * Origin is that same name. Without `http.hosts` the names are those of this machine.
 *
 * Thread   any.
 * Fails    ERR_REFUSED.
 */
#pragma once

#include "specs/value.h"

struct hosts_request {
    struct str method, host; /* as sent */
    struct str origin;       /* STR_NONE: none was sent */
    int is_tls;
};

/* Whether it names this machine by itself, whatever http.hosts says. */
int hosts_is_local(struct str host);
int hosts_check(const struct value *hosts, const struct hosts_request *in, struct err *err);
