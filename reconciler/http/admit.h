/*
 * admit: who may be connected at all. SPDX-License-Identifier: Apache-2.0
 *
 * Code of repositories runs under a uid of the daemon's `uids`, or under our own in another user or PID
 * namespace: it is no person, and its connection ends before it is heard.
 *
 * Thread   any.
 * Fails    ERR_REFUSED.
 */
#pragma once

#include "reconciler/http/server.h"

/* `daemon` is the normalised Daemon document. */
int admit_peer(const struct value *daemon, const struct http_peer *peer, struct err *err);
/* "60000-60999"; 0 where there is no such range. */
int admit_is_of_range(struct str range, uid_t uid);
