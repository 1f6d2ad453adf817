/*
 * offline: specs of a work tree, without a daemon. SPDX-License-Identifier: Apache-2.0
 *
 * Git's tree ids and the versions of secrets are not known here: a path that is there counts as one
 * that git knows, a secret as one that can be resolved.
 *
 * Fails    ERR_INVALID after every message was printed; ERR_NOT_FOUND; ERR_LIMIT.
 * Limits   OFFLINE_FILES_MAX files of OFFLINE_FILE_BYTES_MAX.
 */
#pragma once

#include "reconciler/cli/cli.h"

#define OFFLINE_FILES_MAX 10000
#define OFFLINE_FILE_BYTES_MAX (1u << 20)

/* `path`: a file, a directory of specs, or one that has them under .reeve/. */
int offline_validate(struct cli *c, const char *path, struct err *err);
/* The plan of a first deploy; with --recorded against what the state file remembers, with --config by the
 * daemon's rules. `env` STR_NONE: the only one there is. `ret_changes`: there is something to do. */
int offline_plan(struct cli *c, const char *path, struct str env, int *ret_changes,
                 struct err *err);
