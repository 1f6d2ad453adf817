/*
 * peer: the other daemon of a pair, and how it is asked. SPDX-License-Identifier: Apache-2.0
 *
 * An address is unix:PATH, http://HOST:PORT or https://HOST:PORT. What else it takes is in `peer` of the Daemon
 * document: a file with a token of the role viewer, the certificates that https is checked against.
 *
 * Memory   the arena given; a call and its arena live until its wait ended.
 * Thread   the loop's.
 * Fails    ERR_USAGE: no such kind of address; ERR_REFUSED: it does not let us; ERR_UNREACHABLE; ERR_IO.
 */
#pragma once

#include "reconciler/rt/wait.h"
#include "specs/value.h"

struct peer {
    struct str url; /* as it was given */
    const char *base, *unix_path, *ca_file;
    const char *headers[2]; /* the token's, and the end */
};

struct peer_call {
    struct http_request request;
    struct http_reply reply;
};

int peer_open(struct arena *a, const struct value *daemon, struct str url, struct peer *ret,
              struct err *err);
/* GET of its history; `query` begins with '?'. */
void peer_start(const struct peer *p, struct task *t, struct arena *a, struct str query,
                int64_t timeout_ms, struct peer_call *call);
/* Of a call that was answered: whether it was with what was asked for. */
int peer_judge(const struct peer *p, const struct peer_call *call, struct arena *a,
               struct err *err);

/* Whether the daemon at `url` has gone on with a newer life of this installation; *ret_why STR_NONE: it has not.
 * Blocks, for some seconds at most. ERR_UNREACHABLE, ERR_REFUSED: it is not known. */
int peer_fences(struct arena *a, const struct value *daemon, struct str url,
                struct str installation, int64_t epoch, struct str *ret_why, struct err *err);
