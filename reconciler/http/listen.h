/*
 * listen: the socket file. SPDX-License-Identifier: Apache-2.0
 *
 * Mode 0660. What a dead daemon left is removed; a path of any length works, because the socket is
 * bound through its directory's descriptor.
 *
 * Thread   any.
 * Fails    ERR_LOCKED: somebody answers there; ERR_CONFLICT: it is not a socket; ERR_IO.
 */
#pragma once

#include "base/err.h"

#define LISTEN_BACKLOG 128

int listen_open(const char *path, int *ret_fd, struct err *err);
/* PATH as one that fits into an address, good while *ret_dir is open. ERR_UNREACHABLE: no such directory. */
#define LISTEN_ADDRESS_BYTES 108
int listen_address(const char *path, char *ret, int *ret_dir, struct err *err);
/* Connect to it; ERR_UNREACHABLE. */
int listen_connect(const char *path, int *ret_fd, struct err *err);
