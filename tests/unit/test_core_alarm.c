/* core: when something is in trouble, and when it is out of it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/alarm.h"

static const struct {
    const char *sentence;
    struct alarm_provider facts;
    int was, is;
} providers[] = {
    { "it answers", { 0, 1, 0 }, 0, 0 },
    { "a moment", { 1, 0, ALARM_PROVIDER_MS - 1 }, 0, 0 },
    { "a minute", { 1, 0, ALARM_PROVIDER_MS }, 0, 1 },
    { "one failure long ago, and nobody asked since", { 0, 0, 10 * ALARM_PROVIDER_MS }, 0, 0 },
    { "it is not known: it stays", { 0, 0, 0 }, 1, 1 },
    { "it answers again", { 0, 1, 0 }, 1, 0 },
};

static void test_providers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(providers); i++)
        if (alarm_provider(&providers[i].facts, providers[i].was) != providers[i].is)
            fail_msg("%s", providers[i].sentence);
}

static const struct {
    const char *sentence;
    struct alarm_disk facts;
    int was, is;
} disks[] = {
    { "half is free", { 500000, 1000000, 0 }, 0, 0 },
    { "little is free", { 90000, 1000000, 0 }, 0, 1 },
    { "a hair more", { 105000, 1000000, 0 }, 0, 0 },
    { "does not end it", { 105000, 1000000, 0 }, 1, 1 },
    { "this does", { 130000, 1000000, 0 }, 1, 0 },
    { "but not without the ballast", { 500000, 1000000, 1 }, 1, 1 },
    { "which was needed", { 500000, 1000000, 1 }, 0, 1 },
    { "a size that is none says nothing", { 0, 0, 0 }, 0, 0 },
};

static void test_disks(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(disks); i++)
        if (alarm_disk(&disks[i].facts, disks[i].was) != disks[i].is)
            fail_msg("%s", disks[i].sentence);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_providers),
                                        cmocka_unit_test(test_disks) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
