/*
 * doctor_named: what the configuration names, looked at for the daemon. SPDX-License-Identifier: Apache-2.0
 *
 * The document itself, the directories that the daemon writes, what sources are read with, secrets of the daemon that
 * lie on this machine, the addresses it and its providers listen at, hooks, and where copies go. Nothing is made, no
 * source and no vault is asked.
 *
 * Call it as the user that the daemon becomes.
 *
 * Memory   texts live in the arena.
 * Thread   any.
 */
#pragma once

#include "reconciler/cli/doctor_look.h"

struct doctor_named {
    struct arena *arena;
    const struct value *daemon; /* normalised */
    const char *config_path;
    doctor_found *found;
    void *ctx;
};
void doctor_named_files(const struct doctor_named *n);
void doctor_named_sources(const struct doctor_named *n);
void doctor_named_secrets(const struct doctor_named *n);
/* While no daemon runs: it holds them. */
void doctor_named_doors(const struct doctor_named *n);
void doctor_named_ports(const struct doctor_named *n); /* the same */
void doctor_named_hooks(const struct doctor_named *n);
/* Of the database, and of the head of the history. */
void doctor_named_copies(const struct doctor_named *n);
