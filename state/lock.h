/*
 * lock: who may write the state. SPDX-License-Identifier: Apache-2.0
 *
 * flock on STATE.lock with the holder's name inside ("reeve serve, pid 41, host web1").
 */
#pragma once

#include "base/err.h"

struct lock {
    int fd;
};

/* ERR_LOCKED names the holder. */
int lock_take(const char *state_path, const char *holder, struct lock *ret, struct err *err);
void lock_release(struct lock *l); /* NULL and a released one are fine */
