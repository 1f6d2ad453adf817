/*
 * listen: the socket file, and addresses of TCP. SPDX-License-Identifier: Apache-2.0
 *
 * The file has mode 0660. What a dead daemon left is removed; a path of any length works, because the
 * socket is bound through its directory's descriptor.
 *
 * Thread   any.
 * Fails    ERR_LOCKED: somebody answers there; ERR_CONFLICT: it is not a socket; ERR_INVALID: no such address;
 *          ERR_IO.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define LISTEN_BACKLOG 128
#define LISTEN_TCP_BACKLOG 1024

int listen_open(const char *path, int *ret_fd, struct err *err);
/* PATH as one that fits into an address, good while *ret_dir is open. ERR_UNREACHABLE: no such directory. */
#define LISTEN_ADDRESS_BYTES 108
int listen_address(const char *path, char *ret, int *ret_dir, struct err *err);
/* Connect to it; ERR_UNREACHABLE. */
int listen_connect(const char *path, int *ret_fd, struct err *err);
/* HOST:PORT */
int listen_tcp(struct str address, int *ret_fd, struct err *err);

/* Of one that listens already: is it there? */
int listen_is_path(int fd, const char *path);
int listen_is_tcp(int fd, struct str address);
int listen_is_local(int fd); /* nobody but this machine gets to it */
