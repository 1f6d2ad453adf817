/*
 * git_cage: no network and no other program from here on. SPDX-License-Identifier: Apache-2.0
 *
 * The worker reads bytes that anybody may have written. Whatever they make of it, it opens no socket, starts
 * no program, and touches no other process; what is open stays open.
 *
 * Thread   of the whole process, for good; no new privileges must have been given up before.
 * Fails    ERR_IO where the kernel has no seccomp filters.
 */
#pragma once

#include "base/err.h"

int git_cage_close(struct err *err);
