/*
 * frontend: the constant rules, from a request to its backend. SPDX-License-Identifier: Apache-2.0
 *
 * What a request asks for is brought into its plain form, one key is made of it, and what that leads to
 * (maps.h) decides where it goes and what it has to show before (rules.h). Pure.
 */
#pragma once

#include "providers/haproxy/conf.h"

#define HAPROXY_LUA_FILE "headers.lua"
#define HAPROXY_KEYS_FILE "keys.map" /* what passes are signed with, in base64; written once */
#define HAPROXY_PASS_COOKIE                                                                        \
    "__Host-reeve-pass"        /* a browser sends it back to this host alone, over TLS */
#define HAPROXY_GUESSES_MAX 10 /* wrong passwords of one client for one list .. */
#define HAPROXY_GUESSES_S 30   /* .. within so many seconds */

/* What HAPROXY_LUA_FILE holds: headers whose names are not known to the constant rules. */
extern const char haproxy_frontend_lua[];

void haproxy_frontend_render(struct sb *b, const struct haproxy_conf *conf);
