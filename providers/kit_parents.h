/*
 * kit_parents: the control groups that this process may make others in. SPDX-License-Identifier: Apache-2.0
 *
 * Below the group that it is in itself, so that whatever holds the daemon holds all that it starts. Each
 * controller is in one hierarchy: one of version 1 that has it, else that of version 2, where whoever has
 * children may have no processes: we go into a child of our own then.
 *
 * Memory   the arena given.
 * Thread   before any other.
 */
#pragma once

#include <sys/types.h>

#include "providers/kit_groups.h"

struct kit_parents {
    struct value *kept;   /* as kit_groups_make() takes it */
    struct value *unkept; /* {word: why} of the others */
};

/* Where /proc/self/mountinfo and /proc/self/cgroup say that we are: {word: {path, version}}. Pure. */
struct value *kit_parents_find(struct arena *a, struct str mountinfo, struct str own);

/* Make NAME below each, and give it to the user; what cannot be is in `unkept`. */
int kit_parents_open(struct arena *a, struct str name, uid_t uid, gid_t gid,
                     struct kit_parents *ret, struct err *err);
/* Whether that can be: the same answer, and nothing of it is left: what was there before is as it was. */
int kit_parents_try(struct arena *a, struct str name, uid_t uid, gid_t gid, struct kit_parents *ret,
                    struct err *err);
