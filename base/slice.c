/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

void slice_shorten(void)
{
    struct sched_attr attr = { .size = sizeof(attr) };

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) || attr.sched_policy != SCHED_NORMAL)
        return;
    attr.sched_runtime = SLICE_SHORT_NS;
    attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0); /* a wish */
}
