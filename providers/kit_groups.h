/*
 * kit_groups: control groups, in which what a program may use is kept. SPDX-License-Identifier: Apache-2.0
 *
 *     PARENT/<owner label>        its limits stand here
 *     PARENT/<owner label>/in     its processes are here
 *
 * one of these in each hierarchy that has a controller for us. Two levels, because whoever makes a
 * namespace of groups sees his own group as the root of all, and writes there what its owner may: what
 * limits him is above that, and out of sight.
 *
 *     {"cpus": {"path": PARENT, "version": 1}, "memory": .., "pids": ..}      what is absent is not kept
 *
 * Memory   the arena given.
 * Thread   any; one at a time for one owner.
 * Fails    ERR_IO: the kernel's word, with the file.
 */
#pragma once

#include "specs/value.h"

enum kit_group { KIT_GROUP_CPUS, KIT_GROUP_MEMORY, KIT_GROUP_PIDS, KIT_N_GROUPS };

struct kit_limits {
    int64_t of[KIT_N_GROUPS]; /* thousandths of a processor, bytes, processes; 0: no limit */
};

const char *kit_groups_word(enum kit_group group); /* cpus memory pids */

/* Make the groups of `owner`, or set the limits of those that are there; *ret lists their directories. */
int kit_groups_make(struct arena *a, const struct value *parents, struct str owner,
                    const struct kit_limits *limits, struct value **ret, struct err *err);

/* 1: a process still lives in one of them. What is gone already is as good. */
int kit_groups_remove(const struct value *dirs);

/* How long all that ever was in them ran, microseconds; -1: nobody counts it. */
int64_t kit_groups_used_us(struct arena *a, const struct value *dirs);

/* How many processes in them were ended for want of memory; 0 too where nobody counts. */
int64_t kit_groups_killed(struct arena *a, const struct value *dirs);
