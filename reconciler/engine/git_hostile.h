/*
 * git_hostile: a commit whose trees say what they seem to say. SPDX-License-Identifier: Apache-2.0
 *
 * git moves any bytes between repositories, and libgit2 reads them: two entries of one name, "..",
 * ".GIT". One such entry anywhere refuses the commit. A tree that occurs more than once is read once.
 *
 * Fails    ERR_REFUSED with the place; ERR_LIMIT over GIT_HOSTILE_ENTRIES_MAX entries or
 *          GIT_ENTRY_DEPTH_MAX levels.
 */
#pragma once

#include "reconciler/engine/git_mirror.h"

#define GIT_HOSTILE_ENTRIES_MAX 200000u

/* `clean`: a tree that passed before, or NULL; what is the same there is not read again. */
int git_hostile_check(git_repository *repo, const git_oid *tree, const git_oid *clean,
                      struct err *err);
