/*
 * logs: the newest lines that instances wrote. SPDX-License-Identifier: Apache-2.0
 *
 * Read from the keepers' files, where the process driver's directory of the Daemon document says. Of what the
 * environment's sealed sets hold, whole values (secret_hide.h) are not shown.
 *
 * Memory   in the view's arena.
 * Fails    ERR_NOT_FOUND; a log that is not there is an empty one.
 * Limits   LOGS_BYTES_MAX an instance, 32 instances.
 */
#pragma once

#include "reconciler/engine/view.h"

#define LOGS_BYTES_MAX (256u << 10)

/* {"instances": [{"name", "status", "lines": [..]}]}; `service` STR_NONE: all of them. */
int logs_read(const struct view *v, const struct value *daemon, struct str env, struct str service,
              size_t n_lines, struct value **ret, struct err *err);
