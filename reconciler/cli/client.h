/*
 * client: requests to the daemon over its unix socket, or by a URL. SPDX-License-Identifier: Apache-2.0
 *
 * Owns     one libcurl handle, whose connection is kept.
 * Memory   answers live in the arena given.
 * Thread   one.
 * A certificate is checked, no redirection is followed, no proxy is asked, and a token goes to nobody in the clear but to
 * this machine.
 *
 * Fails    ERR_UNREACHABLE: nobody answers, or none of ours; ERR_USAGE: no such URL; else the code that the daemon's
 *          problem+json names.
 * Limits   CLIENT_ANSWER_MAX.
 */
#pragma once

#include "specs/value.h"

#define CLIENT_ANSWER_MAX (64u << 20)

struct client;

struct client_place {
    const char *socket;     /* its path; NULL: */
    const char *url;        /* http://HOST:PORT, https://HOST:PORT */
    const char *token, *ca; /* of a URL; NULL: none; whom the machine trusts */
};

/* `place` is copied. */
int client_new(const struct client_place *place, struct client **ret, struct err *err);
void client_free(struct client *client); /* NULL is fine */

/* `target` is path and query, encoded; `body` NULL for GET. timeout_ms 0: 60 s. */
int client_call(struct client *client, struct arena *a, const char *method, struct str target,
                const struct value *body, int64_t timeout_ms, struct value **ret, struct err *err);
/* What the daemon said when it refused the last call, with the members that such an answer has; NULL: it did not. */
const struct value *client_refusal(const struct client *client);
/* "/path?name=value" with everything but unreserved characters encoded. */
struct str client_target(struct arena *a, struct str path, const struct value *query);
