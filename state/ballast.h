/*
 * ballast: disk space kept for the worst day. SPDX-License-Identifier: Apache-2.0
 *
 * A file of BALLAST_BYTES, PATH.ballast, beside the state. When a write fails with ERR_FULL it is
 * removed, so that reverts, drains and their outcomes can still be written.
 *
 * Thread   any; not two at once.
 * Fails    ERR_FULL, ERR_IO.
 */
#pragma once

#include "base/err.h"

#define BALLAST_BYTES (4 << 20)

int ballast_make(const char *state_path,
                 struct err *err); /* whole or not at all; present is success */
int ballast_remove(const char *state_path, struct err *err); /* absent is success */
int ballast_is_there(const char *state_path);
