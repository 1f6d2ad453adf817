/*
 * users: what reeve-users does for class uid, and how it is asked. SPDX-License-Identifier: Apache-2.0
 *
 *     reeve-users grant UID GID FROM TO     3 = requests: one struct users_ask, and a socket to answer on
 *     reeve-users own UID GID               3 = users; 4 = a directory, which becomes theirs with all that is in it
 *     reeve-users give UID GID              the same of what is in it: the directory stays as it is
 *     reeve-users remove UID                3 = users; 4 = a directory, which UID makes empty
 *     reeve-users holds INODE.. -- PID..    3 = users; status 0: one of the processes has one of the sockets
 *
 * "Users" is a user namespace in which the daemon's uid and an environment's are somebody. To make one
 * needs CAP_SETUID, which `grant` alone keeps when the daemon drops it, for the uids FROM to TO; to enter one
 * needs nothing but to be the daemon's user, so that a keeper that has one starts its program again
 * without asking anybody.
 *
 * The answer is a byte with the descriptor, or the end of the socket: refused.
 */
#pragma once

#include <stdint.h>

#define USERS_MAGIC 0x73757372u
enum { USERS_FD = 3, USERS_DIR_FD };
#define USERS_TOO_DEEP 3 /* status of `own` and `give` */

struct users_ask {
    uint32_t magic, uid;
};

/* What the files of reeve-users share. A directory becomes `uid`'s, with all that is in it: only while no
 * foreign code can change it. 0, -1 or -USERS_TOO_DEEP. */
int users_tree_own(int dir, uint32_t uid, uint32_t gid);
int users_tree_give(int dir, uint32_t uid, uint32_t gid); /* without the directory itself */
/* Empty a directory, however deep; nothing is followed, and no other file system entered. */
int users_tree_remove(int dir);
/* Does one of the processes hold one of the sockets? */
int users_holds(char **inodes, char **pids);
