/*
 * peer_mark: what a takeover leaves for the daemon before it. SPDX-License-Identifier: Apache-2.0
 *
 * Where that one answered at a socket of this machine: SOCKET.taken beside it, with the life that goes on. It is durable
 * before that life begins. A daemon that finds one of a newer life than its own changes nothing, whatever else it
 * can reach.
 *
 * Memory   the arena given.
 * Thread   any.
 * Fails    ERR_CORRUPT: the file is no mark; ERR_NOT_FOUND: there is no such directory; ERR_IO.
 */
#pragma once

#include "base/str.h"

struct peer_mark {
    struct str installation;
    struct str by; /* where the daemon that took over answers: unix:PATH */
    int64_t epoch;
};

int peer_mark_write(struct arena *a, struct str socket, const struct peer_mark *mark,
                    struct err *err);
/* ret->epoch 0: there is none. */
int peer_mark_read(struct arena *a, struct str socket, struct peer_mark *ret, struct err *err);
