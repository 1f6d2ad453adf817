/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/memory.h"

#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int memory_shut(struct err *err)
{
    struct rlimit core;

    /* What we start inherits keys too: none, where the kernel gives us an empty ring. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (getrlimit(RLIMIT_CORE, &core))
        return err_sys(err, "limit of core files");
    core.rlim_cur = core.rlim_max = core.rlim_max ? 1 : 0;
    if (setrlimit(RLIMIT_CORE, &core))
        return err_sys(err, "limit core files");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(err, "give up core files");
#endif
    return 0;
}
