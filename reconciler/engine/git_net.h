/*
 * git_net: a remote that is spoken to: limits, credentials, and why its transport gave up. SPDX-License-Identifier: Apache-2.0
 *
 * libgit2 1.5 knows no deadlines and carries an error as text alone: `err` keeps the code.
 *
 * Thread   one.
 * Fails    ERR_UNREACHABLE, ERR_TIMEOUT; ERR_REFUSED credentials, a host key, a scheme; ERR_LIMIT; ERR_FULL.
 */
#pragma once

#include "reconciler/engine/git_dial.h"
#include "reconciler/engine/git_mirror.h"
#include "reconciler/engine/git_url.h"
#include "specs/value.h"

#define GIT_NET_LISTING_MAX ((int64_t)64 << 20) /* bytes of a remote's list of branches */

struct git_net {
    struct git_url url;
    const char *username, *password; /* https; NULL: none */
    const char *ca_file;             /* https; NULL: the system's */
    const char *ssh;                 /* the program */
    const char *known_hosts, *key_file;
    int64_t deadline_ms; /* monotonic: the whole fetch */
    int64_t connect_timeout_ms;
    int64_t low_speed_bytes, low_speed_ms; /* fewer bytes in a second, for so long */
    int64_t max_bytes, mirror_bytes;       /* of the mirror: at most, and before */
    struct git_dial dial;                  /* https: who connects; the owner closes it */
    struct err err;                        /* code 0: no transport gave up */
};

/* Members of a request: url, credentials, ca_file, known_hosts, key_file, ssh, timeout_ms, connect_timeout_ms,
 * low_speed_bytes, low_speed_ms, max_bytes. */
int git_net_read(struct arena *a, const struct value *in, struct git_net *ret, struct err *err);
/* Connected, to fetch or to push, for a mirror whose lock is held. From here on there is no other network and no other
 * program. */
int git_net_connect(struct git_net *net, const char *mirror, git_repository *repo,
                    git_direction direction, git_remote **ret, struct err *err);
/* A callback of libgit2, with the struct git_net. */
int git_net_on_progress(const git_indexer_progress *stats, void *ctx);
/* libgit2's failure in our words: a transport's own reason wins. */
int git_net_fail(struct git_net *net, const char *what, struct err *err);
