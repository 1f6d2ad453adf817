/*
 * spawn: start a program that inherits nothing it was not given. SPDX-License-Identifier: Apache-2.0
 *
 * What a host's exec and spawn are made of: explicit argument vector and environment, only the named
 * descriptors (as 3, 4, ...), default signals, every other descriptor closed, a process group or a
 * session of its own. Nothing between fork and exec allocates, so a process with threads may call it.
 *
 * Memory   what spawn_run() reads lives in the arena you pass.
 * Thread   any. `death_signal` follows the thread that called, not the process (prctl(2)).
 * Fails    ERR_NOT_FOUND: the program or its directory does not exist; ERR_TIMEOUT; ERR_CANCELLED;
 *          ERR_INVALID: a NUL in a text; ERR_REFUSED: a user was asked for; ERR_IO.
 * Limits   SPAWN_ARGS_MAX arguments, as many variables, SPAWN_FDS_MAX descriptors.
 */
#pragma once

#include <sys/types.h>

#include "base/str.h"
#include "providers/api/driver.h"

#define SPAWN_ARGS_MAX 4096
#define SPAWN_FDS_MAX 16

struct spawn_options {
    int in_fd, out_fd, err_fd; /* 0, 1, 2 of the program; -1: /dev/null */
    int death_signal;          /* sent to it when we die; 0: none */
};

/* A child in a process group of its own; the caller waits for it. in->input is not used. */
int spawn_child(const struct rv_exec *in, const struct spawn_options *options, pid_t *ret_pid,
                struct err *err);

/* In a session of its own and nobody's child: it outlives us. Its 0, 1 and 2 are /dev/null. */
int spawn_detached(const struct rv_exec *in, pid_t *ret_pid, struct err *err);

struct spawn_limits {
    size_t out_max, err_max;     /* what is over is dropped: the end of out, the beginning of err */
    int (*cancelled)(void *ctx); /* asked about ten times a second; NULL: never */
    void *ctx;
};

/* Run to its end, input on 0. After in->timeout_ms (0: none), or cancelled, its group is killed. */
int spawn_run(const struct rv_exec *in, const struct spawn_limits *limits, struct arena *a,
              struct rv_exit *ret, struct err *err);
