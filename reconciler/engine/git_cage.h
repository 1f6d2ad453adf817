/*
 * git_cage: no network and no other program from here on. SPDX-License-Identifier: Apache-2.0
 *
 * The worker reads bytes that anybody may have written. Whatever they make of it, it opens no socket, starts
 * no program, and touches no other process; what is open stays open. A program that it starts before, which
 * has to reach a host, keeps that much and is shut off from this machine's sockets: the daemon's is one.
 *
 * Thread   of the whole process, for good; no new privileges must have been given up before.
 * Fails    ERR_IO where the kernel has no seccomp filters.
 */
#pragma once

#include "base/err.h"

enum git_cage {
    GIT_CAGE_HOSTS, /* sockets to hosts and programs are left */
    GIT_CAGE_SHUT,
};

int git_cage_close(enum git_cage cage, struct err *err);
