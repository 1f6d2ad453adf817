/*
 * git_https: git's smart protocol over HTTPS by libcurl. SPDX-License-Identifier: Apache-2.0
 *
 * A stateless subtransport of libgit2: one GET lists the branches, one POST a turn negotiates and
 * brings the pack. Every wait ends at the fetch's deadline. Redirects are followed only while
 * listing and only on the same scheme, host and port. Credentials are sent by Basic authentication
 * and occur in no sentence.
 *
 * Thread   one.
 * Fails    into net->err: ERR_UNREACHABLE, ERR_REFUSED (401, 403, a redirect elsewhere), ERR_TIMEOUT,
 *          ERR_LIMIT.
 */
#pragma once

#include "reconciler/engine/git_net.h"

/* For the life of the process; `net` is borrowed. */
int git_https_register(struct git_net *net, struct err *err);
