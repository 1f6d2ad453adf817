/* core/version: which of two tags is the newer version. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/version.h"

/* Each is older than the next, but for those that begin with "=": they are the same version. */
static const char *const order[] = {
    "nightly",
    "v0.9",
    "v1.0-alpha",
    "v1.0-alpha.1",
    "v1.0-alpha.beta",
    "v1.0-beta",
    "1.0-rc.2",
    "v1.0-rc.10",
    "v1.0",
    "=1.0.0",
    "=release-1",
    "=v1.0+build7",
    "v1.0.1",
    "v1.2",
    "v1.10",
    "v2",
    "v2.0.0.1",
    "v10",
    "=v010",
    "v2024.11.20",
    "v99999999999999999999",
    "v100000000000000000000",
};

static void test_versions_follow_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(order); i++)
        for (size_t j = 0; j < N_ELEMENTS(order); j++) {
            struct str a = str_from_c(order[i]), b = str_from_c(order[j]);
            size_t from = i < j ? i : j, to = i < j ? j : i, n_steps = 0;
            int wanted, is;

            for (size_t k = from + 1; k <= to; k++)
                n_steps += order[k][0] != '=';
            wanted = !n_steps ? 0 : i < j ? -1 : 1;
            is = version_cmp(a.p[0] == '=' ? str_slice(a, 1, a.n) : a,
                             b.p[0] == '=' ? str_slice(b, 1, b.n) : b);
            is = (is > 0) - (is < 0);
            if (is != wanted)
                fail_msg("%s and %s: %d", order[i], order[j], is);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_follow_each_other),
    };

    return cmocka_run_group_tests_name("core version", tests, NULL, NULL);
}
