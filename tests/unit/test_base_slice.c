/* base: short slices are this thread's alone. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/slice.h"

static struct sched_attr when_asked(void)
{
    struct sched_attr attr = { .size = sizeof(attr) };

    assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
    return attr;
}

static void test_slices_are_short_and_the_share_stays(void **state)
{
    const struct sched_attr before = when_asked();
    struct sched_attr after;
    int status;
    pid_t pid;

    (void)state;
    slice_shorten();
    after = when_asked();
    assert_int_equal(after.sched_policy, before.sched_policy);
    assert_int_equal(after.sched_nice, before.sched_nice);
    if (!before.sched_runtime) { /* before Linux 6.12 nobody has a say in it */
        (void)printf("skipped: this kernel has no slices to ask for\n");
        skip();
    }
    assert_int_equal(after.sched_runtime, SLICE_SHORT_NS);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        _exit(when_asked().sched_runtime != before.sched_runtime);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_are_short_and_the_share_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
