/*
 * launch: what reeve-spawn is told, and how it says what went wrong. SPDX-License-Identifier: Apache-2.0
 *
 *     reeve-spawn run DIR PROGRAM ARGUMENT..   3 = status pipe; 4 = one struct launch; 5 = users (users.h), for LAUNCH_UID
 *
 * The program gets 0, 1 and 2 and a view of the machine of its own: nothing is writable but the
 * places that say so and a private /tmp, nothing of LAUNCH_COVER is there, no process but its own
 * has a number. What reeve-spawn stays for: its own end is the program's, the same exit status or
 * signal; when it dies, everything of the program dies.
 *
 * It enters `groups` first, so that whatever limits those have hold for all that it starts.
 *
 * Over max_places_bytes it may write nothing for ten seconds (EFBIG: SIGXFSZ is ignored), and is ended as by
 * SIGXFSZ when it has not made room by then, or is over by an eighth. While it is when it starts, it may read and
 * remove but write nothing; with eight times as much, or more than can be counted, it may only read.
 *
 * The status pipe is closed by a program that runs. Else it holds two ints: an enum launch_step and errno; after LAUNCH_FULL alone
 * the program runs.
 *
 * Limits   LAUNCH_PLACES_MAX places, LAUNCH_PATH_MAX bytes a path.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

#define LAUNCH_MAGIC 0x31707372u
#define LAUNCH_PLACES_MAX 48
#define LAUNCH_PATH_MAX 508
#define LAUNCH_GROUPS_MAX 3

enum launch_class { LAUNCH_NONE, LAUNCH_NAMESPACE, LAUNCH_UID, LAUNCH_N_CLASSES };
enum launch_how { LAUNCH_COVER, LAUNCH_READ, LAUNCH_WRITE };
enum launch_flag { LAUNCH_NO_NETWORK = 1 };
/* To its group: all that lives in there stops, goes on. SIGRTMIN and the next are its own. */
#define LAUNCH_SIGNAL_FREEZE (SIGRTMIN + 2)
#define LAUNCH_SIGNAL_THAW (SIGRTMIN + 3)

enum { LAUNCH_STATUS_FD = 3, LAUNCH_PLAN_FD, LAUNCH_USERS_FD };

struct launch_place {
    uint32_t how;
    char path[LAUNCH_PATH_MAX]; /* absolute; what is covered and does not exist is left out */
};

struct launch { /* of fixed size: nothing in it says how long it is */
    uint32_t magic, class, flags, n_places;
    uint32_t uid, n_groups; /* LAUNCH_UID: who the program is, as user and as group */
    uint64_t max_processes, max_file_bytes, max_memory_bytes; /* 0: no limit of its own */
    uint64_t tmp_bytes;                                       /* of its /tmp, which is memory */
    uint64_t max_places_bytes; /* of all that it may write together; over it, see above */
    struct launch_place places[LAUNCH_PLACES_MAX];
    char groups[LAUNCH_GROUPS_MAX][LAUNCH_PATH_MAX]; /* directories of control groups */
};

/* What could not be done. The first two are the program's own mistakes. */
/* clang-format off */
#define LAUNCH_STEPS(STEP)                                                                                            \
    STEP(LAUNCH_DIR, "working directory")                                                                             \
    STEP(LAUNCH_EXEC, "command")                                                                                      \
    STEP(LAUNCH_ORDERS, "isolation: the launcher was told nothing it understands")                                    \
    STEP(LAUNCH_NAMESPACES, "isolation: no user namespaces (sysctl kernel.unprivileged_userns_clone, "                \
                            "user.max_user_namespaces)")                                                              \
    STEP(LAUNCH_USERS, "isolation: the environment's user")                                                           \
    STEP(LAUNCH_VIEW, "isolation: the view of the machine")                                                           \
    STEP(LAUNCH_PROC, "isolation: a /proc of its own (is a part of /proc covered here, as in a container?)")          \
    STEP(LAUNCH_NESTED, "isolation: the second user namespace")                                                       \
    STEP(LAUNCH_LIMITS, "isolation: limits")                                                                          \
    STEP(LAUNCH_GROUP, "limits: its control group")                                                                   \
    STEP(LAUNCH_FULL, "its files are over the quota, so it may not write")
/* clang-format on */

#define LAUNCH_NAME(name, text) name,
enum launch_step { LAUNCH_OK, LAUNCH_STEPS(LAUNCH_NAME) LAUNCH_N_STEPS };
#undef LAUNCH_NAME
