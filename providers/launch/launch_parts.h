/*
 * launch_parts: what the files of reeve-spawn share. SPDX-License-Identifier: Apache-2.0
 *
 * launch.c tells the story. libc alone; one thread; every process between two exec is short.
 */
#pragma once

#include "providers/launch/launch.h"

/* Say on the status pipe what could not be done, with errno, and end. */
_Noreturn void launch_fail(enum launch_step step);

/* Everything of `plan`, in a mount namespace that is ours alone. *ret_proc: /proc where maps can be written. */
void launch_view_make(struct launch *plan, int *ret_proc);
void launch_view_network(void); /* a network of its own has a loopback that is up */

/* Abstract sockets of others, which belong to the network, are out of reach where the kernel can do that: from 6.12 on. */
void launch_view_scope(void);

/* Far: by more than an eighth. Hopeless: eight times as much, or more than can be counted. */
enum launch_fill { LAUNCH_FITS, LAUNCH_OVER, LAUNCH_FAR_OVER, LAUNCH_HOPELESS };
/* How full its places are; `is_running`: with what its processes hold open and is not there any more. */
enum launch_fill launch_quota_look(const struct launch *plan, int is_running);
