/*
 * notify_link: where the page shows what a message is about. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Memory: the arena given.
 */
#pragma once

#include "specs/value.h"

/* Of the Daemon document: `http.url`, else what `tls`, `listen` and `http.hosts` say; "": nobody can say where it is. */
struct str notify_link_base(struct arena *a, const struct value *daemon);
/* To the plan, else to the environment; "" where there is neither, or no base. */
struct str notify_link_to(struct arena *a, struct str base, const struct value *says);
