/* SPDX-License-Identifier: Apache-2.0 */
#include "state/lock.h"

#include "base/guard.h"
#include "base/sys.h"

int lock_take(const char *state_path, const char *holder, struct lock *ret, struct err *err)
{
    AUTO_ARENA struct arena a;
    char *path;

    arena_init(&a, 0);
    path = str_to_c(&a, str_fmt(&a, "%s.lock", state_path));
    if (arena_status(&a, err))
        return ERR_NOMEM;
    return sys_lock_file(path, str_from_c(holder), &ret->fd, err);
}

void lock_release(struct lock *l)
{
    if (l)
        guard_close(&l->fd);
}
