/*
 * guard: promises between our own functions, and owners that clean up. SPDX-License-Identifier: Apache-2.0
 *
 * PRE and POST are on in every build: a broken promise aborts, the supervisor restarts us, and
 * recovery looks at the world before anything is done.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline _Noreturn void guard_broken(const char *kind, const char *what, const char *file,
                                          int line)
{
    (void)fprintf(stderr, "%s:%d: broken %s: %s\n", file, line, kind, what);
    abort();
}

#define PRE(condition)                                                                             \
    ((condition) ? (void)0 : guard_broken("precondition", #condition, __FILE__, __LINE__))
#define POST(condition)                                                                            \
    ((condition) ? (void)0 : guard_broken("postcondition", #condition, __FILE__, __LINE__))
#define UNREACHABLE() guard_broken("promise", "this line is never reached", __FILE__, __LINE__)

#define container_of(ptr, type, member)                                                            \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member))) /* the member lies in a `type` */

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Read and null: ownership moves to the caller. */
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = (__typeof__(p))0;                                                                    \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

static inline void guard_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing was written through it that fsync did not cover */
    *fd = -1;
}
#define AUTO_CLOSE __attribute__((cleanup(guard_close)))
