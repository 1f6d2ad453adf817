/*
 * logs: the newest lines that instances wrote. SPDX-License-Identifier: Apache-2.0
 *
 * Read from the keepers' files, where the process driver's directory of the Daemon document says. Of what the
 * environment's sealed sets hold, whole values (secret_hide.h) are not shown.
 *
 * Memory   in the view's arena.
 * Of instances that are gone the newest part is kept for a while (providers/process/gone.c). It is shown as long as every secret
 * that its set was given stands in a sealed set: what is not known any more cannot be hidden.
 *
 * Fails    ERR_NOT_FOUND; a log that is not there is an empty one.
 * Limits   LOGS_BYTES_MAX an instance, 32 instances.
 */
#pragma once

#include "reconciler/engine/view.h"

#define LOGS_BYTES_MAX (256u << 10)

struct logs_ask {
    struct str service; /* STR_NONE: all of them */
    struct str after;   /* `tag` of the answer before; STR_NONE: none */
    size_t n_lines;     /* of each */
    int is_gone;        /* of instances that are gone, in the place of the others */
};

/* {"instances": [{"name", "status", "lines": [..]}], "tag"}, and "same" where `after` is that tag. */
int logs_read(const struct view *v, const struct value *daemon, struct str env,
              const struct logs_ask *ask, struct value **ret, struct err *err);
/* Something was written since. */
int logs_is_news(const struct value *logs);
