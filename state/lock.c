/* SPDX-License-Identifier: Apache-2.0 */
#include "state/lock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"

#define LOCK_DEAD_MS 1000 /* a child of a killed holder has it until it is another program */
#define LOCK_LOOK_MS 10

/* "... pid 41 ...": that process is gone. */
static int holder_is_dead(const char *said)
{
    const char *word = strstr(said, ", pid ");
    long pid = word ? strtol(word + 6, NULL, 10) : 0;

    return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

int lock_take(const char *state_path, const char *holder, struct lock *ret, struct err *err)
{
    AUTO_ARENA struct arena a;
    int64_t end_ms = sys_mono_ms() + LOCK_DEAD_MS;
    char *path;
    int rc;

    arena_init(&a, 0);
    path = str_to_c(&a, str_fmt(&a, "%s.lock", state_path));
    if (arena_status(&a, err))
        return ERR_NOMEM;
    while ((rc = sys_lock_file(path, str_from_c(holder), &ret->fd, err)) == ERR_LOCKED &&
           holder_is_dead(err->text) && sys_mono_ms() < end_ms)
        (void)poll(NULL, 0, LOCK_LOOK_MS);
    return rc;
}

void lock_release(struct lock *l)
{
    if (l)
        guard_close(&l->fd);
}
