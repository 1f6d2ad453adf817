/*
 * drain_file: how far the two files of an instance's output were read. SPDX-License-Identifier: Apache-2.0
 *
 * A keeper writes `log`, which becomes `log.1` by rename when it is full; together they are one text. A position is a file, by
 * its inode and the time when it was made (numbers of inodes come again), and an offset in it. What a position names and is
 * not there any more was removed before it was read: how many lines is known as far as they were counted. When the instance is
 * deleted `log` goes to another directory, by rename as well (providers/process/gone.c).
 *
 * Memory   what is read lives in the arena given.
 * Thread   any, one at a time; the keeper writes meanwhile.
 * Limits   DRAIN_READ_MAX bytes at once; of a line that is longer the first of them.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

#define DRAIN_READ_MAX 65536u

struct drain_place {
    const char *run,
        *gone; /* directories; either may not be there. Without `run` nobody writes any more */
};

struct drain_at {
    uint64_t inode; /* 0: before the first byte that is kept */
    int64_t birth_ns, offset;
    int skips; /* in a line whose begin was enough: up to its end nothing is read */
};

struct drain_mark {
    struct drain_at at, seen; /* read, and counted, up to here */
    int64_t waiting;          /* lines between them */
    int64_t
        lost; /* lines that went before they were read, at least; who tells of them sets it to 0 */
};

/* Count what came since, and see whether what was not read is still there. 1: there is something to read. */
int drain_file_look(const struct drain_place *p, struct drain_mark *m);

struct drain_read {
    struct str text; /* whole lines, unless `is_part`; the last one of all may have no end */
    int is_part;     /* the begin of a line that is too long */
    int64_t time_ms; /* when it was written, at the latest */
    struct drain_at files[2];
    size_t n_first;   /* bytes of the text that are of files[0]; the rest is of files[1] */
    int was_skipping; /* what stands before the first line end is the rest of a line that was cut */
};
/* From `at` on. Where nobody writes any more what has no line end is a line, too. */
void drain_file_read(const struct drain_place *p, const struct drain_at *at, struct arena *a,
                     struct drain_read *ret);
/* The position behind the text. */
struct drain_at drain_file_after(const struct drain_read *r);
