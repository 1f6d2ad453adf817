/*
 * loop_child: one child process in a session of its own, with pipes. SPDX-License-Identifier: Apache-2.0
 *
 * Its process group is its pid. It dies with the thread that started it; the loop's thread lives as long as
 * the process. Nothing but descriptors 0 to 2 and the environment given is inherited; signals are as after boot.
 *
 * Owns     the descriptors in struct loop_child, until the caller closes them; the caller reaps by pidfd.
 * Fails    ERR_NOT_FOUND, ERR_IO, ERR_NOMEM, ERR_FULL: nothing runs.
 */
#pragma once

#include <sys/types.h>

#include "reconciler/rt/wait.h"

enum loop_child_end { CHILD_IN, CHILD_OUT, CHILD_ERR, CHILD_EXIT, N_CHILD_ENDS };

struct loop_child {
    pid_t pid;
    int fds[N_CHILD_ENDS]; /* our ends, non-blocking; CHILD_EXIT is the pidfd */
};

int loop_child_start(const struct exec_request *in, struct loop_child *ret, struct err *err);
