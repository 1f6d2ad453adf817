/*
 * git_net: what the transports of a fetch share: limits, credentials, and why they gave up. SPDX-License-Identifier: Apache-2.0
 *
 * libgit2 1.5 knows no deadlines and carries an error as text alone: `err` keeps the code.
 *
 * Thread   one.
 */
#pragma once

#include "reconciler/engine/git_dial.h"
#include "reconciler/engine/git_url.h"

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
    struct git_dial dial;                  /* https: who connects; fetch closes it */
    struct err err;                        /* code 0: no transport gave up */
};
