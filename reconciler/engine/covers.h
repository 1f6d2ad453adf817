/*
 * covers: what isolated code of a repository must not see. SPDX-License-Identifier: Apache-2.0
 *
 * The state, the sockets, what providers and stores keep, keys, and the home of the daemon's user: it
 * has the same user there, so that only not being there keeps it away (decision 0010).
 *
 * Memory   the arena given; texts of the Daemon document are borrowed.
 */
#pragma once

#include "specs/value.h"

/* Absolute paths, each once. */
const struct value *covers_list(struct arena *a, const struct value *daemon, struct str state_dir);
