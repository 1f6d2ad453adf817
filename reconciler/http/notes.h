/*
 * notes: what is to be written and nobody waits for. SPDX-License-Identifier: Apache-2.0
 *
 * Owns     the commands that are under way.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/command.h"

typedef void notes_command(struct engine *e, struct command_call *call, task_ended *ended,
                           void *ctx);

struct notes { /* the first two are the caller's to set */
    struct engine *engine;
    notes_command *command;
    size_t n_open;
    loop_fn *idle;
    void *ctx;
};

/* What `in` points to is copied: token's id, denied, denied_note, env and actor. Without memory it is not written. */
void notes_write(struct notes *n, const struct command *in);
/* `idle` is called once, when the last one was written; at once where none is. */
void notes_stop(struct notes *n, loop_fn *idle, void *ctx);
