/*
 * git_dial: connections to one host, made by a process that reads nothing from them. SPDX-License-Identifier: Apache-2.0
 *
 * Its name is looked up once, by that process; all connections go to the addresses found then. Who asks for
 * them needs no right to open a socket, and gives it up before the first byte of a stranger is read.
 *
 * Owns     a child from git_dial_open() to git_dial_close(); it goes with its parent too.
 * Thread   one, and no other when it is opened: it forks.
 * Fails    ERR_UNREACHABLE; ERR_TIMEOUT.
 */
#pragma once

#include <sys/types.h>

#include "base/str.h"

struct git_dial {
    int fd;    /* to the child */
    pid_t pid; /* 0: none */
};

int git_dial_open(struct git_dial *d, struct str host, int port, struct err *err);
/* A socket that is connected, for the caller to close. */
int git_dial_connect(const struct git_dial *d, int64_t timeout_ms, int *ret_fd, struct err *err);
/* Also of one that was never opened: all zero. */
void git_dial_close(struct git_dial *d);
