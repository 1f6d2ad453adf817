/*
 * words: what may reach a runtime command, a map or the rendered file. SPDX-License-Identifier: Apache-2.0
 *
 * The runtime API splits at spaces and `;`, so text out of a spec is never pasted: it is one of
 * these words or it is refused before anything is sent. Pure.
 *
 * Limits   HAPROXY_WORD_MAX bytes a word.
 */
#pragma once

#include "base/str.h"

#define HAPROXY_WORD_MAX 4096
#define HAPROXY_NAME_MAX 64

int haproxy_word_is(struct str s);        /* [A-Za-z0-9._:/~-]+ */
int haproxy_environment_is(struct str s); /* [A-Za-z0-9._-]+: the maps separate by `:` */
int haproxy_host_is(struct str s);        /* labels of [a-z0-9-], no final dot */
int haproxy_path_is(struct str s);   /* normalised: /, no //, no dot segments, [A-Za-z0-9._~-] */
int haproxy_server_is(struct str s); /* IPv4:PORT */
int haproxy_bind_is(struct str s);   /* what `bind` takes: ADDRESS:PORT, `*` and [::1] too */

int haproxy_user_is(struct str s);         /* [A-Za-z0-9._-]+, at most HAPROXY_NAME_MAX */
int haproxy_header_is(struct str s);       /* [A-Za-z0-9-]+, at most HAPROXY_NAME_MAX */
int haproxy_header_value_is(struct str s); /* printable ASCII */
int haproxy_header_eq(struct str name, const char *lower); /* letters alike in both cases */

/* "21000-21255" and "21000": 0, or -1. */
int haproxy_range_parse(struct str s, int64_t *ret_first, int64_t *ret_last);

/* The key of a route in the maps: host and path with a final `/`, or `:PORT/` when host is "". */
struct str haproxy_route_key(struct arena *a, struct str host, struct str path, int64_t port);
