/*
 * git_ssh: git's smart protocol through OpenSSH's client. SPDX-License-Identifier: Apache-2.0
 *
 * One ssh process a fetch, without configuration, agent or environment, with the host keys of one
 * file only. What it says on standard error becomes the sentence.
 *
 * Owns     the child: closed, waited for, killed when it does not go.
 * Thread   one.
 * Fails    into net->err: ERR_UNREACHABLE, ERR_REFUSED (host key, login), ERR_TIMEOUT, ERR_LIMIT.
 */
#pragma once

#include "reconciler/engine/git_net.h"

/* For the life of the process; `net` is borrowed. */
int git_ssh_register(struct git_net *net, struct err *err);
