/*
 * git_worker: one question about a repository, answered in a process of its own. SPDX-License-Identifier: Apache-2.0
 *
 * `reeve git-worker` reads one JSON request, {"op": "fetch", ...}, and writes one JSON answer: the
 * members that git_op.h lists, or {"error": {"code": "REFUSED", "text": "..."}}. Packs and trees are
 * parsed here alone; the daemon sets a deadline and limits and gives no environment. Credentials
 * arrive in the request, never as arguments.
 *
 * Limits   GIT_WORKER_REQUEST_MAX bytes in, GIT_WORKER_ANSWER_MAX bytes out.
 */
#pragma once

#include <stddef.h>

#define GIT_WORKER_REQUEST_MAX ((size_t)8 << 20)
#define GIT_WORKER_ANSWER_MAX ((size_t)96 << 20)

/* Exit status: 0 when an answer was written, an error included. */
int git_worker_main(int in_fd, int out_fd);
