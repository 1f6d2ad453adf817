/*
 * keeper_proc: the processes of one keeper, as /proc shows them. SPDX-License-Identifier: Apache-2.0
 *
 * A process belongs to a keeper when it is in the keeper's session or descends from it: the keeper
 * leads a session and inherits orphans, so what it started cannot leave while it lives.
 *
 * Memory   results live in the arena you pass.
 * Thread   any. What was read may be over when it is returned.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct keeper_proc {
    pid_t pid, parent, session;
    char state;
    unsigned long long start; /* clock ticks since boot */
    unsigned long long own,
        ended; /* ticks that it ran, and that children did which it waited for */
};

struct keeper_procs {
    VEC(struct keeper_proc) list;
};

struct keeper_inodes {
    VEC(unsigned long) list;
};

/* 0, or -1: no such process. */
int keeper_proc_read(pid_t pid, struct keeper_proc *ret);
/* Everything that belongs to `keeper`, zombies and the keeper itself aside. */
void keeper_proc_family(struct arena *a, pid_t keeper, struct keeper_procs *ret);
/* How long all of that and what it waited for ran, microseconds; less than before when one is just ending.
 * -1: there is no such keeper. */
int64_t keeper_proc_used_us(struct arena *a, pid_t keeper);
/* Does one of them hold a listening TCP socket on `port`? */
int keeper_proc_listens(struct arena *a, const struct keeper_procs *procs, unsigned port);
/* The listening TCP sockets on `port`, whoever has them. */
void keeper_proc_sockets(struct arena *a, unsigned port, struct keeper_inodes *ret);
