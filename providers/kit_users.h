/*
 * kit_users: an environment's own uid, for drivers. SPDX-License-Identifier: Apache-2.0
 *
 * A descriptor of "users" (launch/users.h) is asked for where `grant` listens, or taken from a process
 * that lives in one; with it reeve-users does what the daemon's user cannot do alone.
 *
 * Owns     the descriptors returned are the caller's to close.
 * Fails    ERR_REFUSED: not a uid that may be had, or nobody grants any; ERR_IO.
 */
#pragma once

#include <sys/types.h>

#include "base/vec.h"
#include "providers/kit.h"
#include "providers/launch/users.h"

/* `grant` 0: the daemon was not started as root. */
int kit_users_ask(int grant, uint32_t uid, int *ret_fd, struct err *err);
/* Of a process that was started in some. */
int kit_users_of(pid_t pid, int *ret_fd, struct err *err);

/* Run reeve-users beside `keeper` with `words`; dir -1: none. 0, or what it did not do. */
int kit_users_run(const struct rv_host *h, struct arena *a, struct str keeper,
                  const struct str *words, size_t n, int users, int dir, struct err *err);
