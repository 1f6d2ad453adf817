/* What control groups count, as the kernel's files tell it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/kit_groups.h"

struct groups_row {
    const char *sentence, *file, *text;
    int64_t used_us;
};

static const struct groups_row rows[] = {
    { "version 2 says microseconds", "cpu.stat",
      "usage_usec 12345\nuser_usec 12000\nsystem_usec 345\n", 12345 },
    { "wherever the line stands", "cpu.stat", "user_usec 12000\nusage_usec 7\n", 7 },
    { "version 1 says nanoseconds", "cpuacct.usage", "12345678\n", 12345 },
    { "its shares count nothing", "cpu.stat", "nr_periods 10\nnr_throttled 2\n", -1 },
    { "a number that is none", "cpu.stat", "usage_usec x\n", -1 },
    { "nobody counts", "pids.max", "64\n", -1 },
};

static void test_row(void **state)
{
    const struct groups_row *row = *state;
    char dir[] = "/tmp/reeve-groups.XXXXXX", path[128];
    AUTO_ARENA struct arena a;
    struct value *dirs;
    FILE *file;

    arena_init(&a, 0);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/%s", dir, row->file);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(row->text, file) >= 0);
    assert_int_equal(fclose(file), 0);

    dirs = value_list(&a);
    value_add(&a, dirs, value_text(&a, S("/tmp/reeve-groups-none")));
    assert_int_equal(kit_groups_used_us(&a, dirs), -1);
    value_add(&a, dirs, value_text(&a, str_from_c(dir)));
    assert_int_equal(kit_groups_used_us(&a, dirs), row->used_us);
    assert_int_equal(kit_groups_killed(&a, dirs), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows)];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].sentence,
                                        .test_func = test_row,
                                        .initial_state = (void *)(uintptr_t)&rows[i] };
    return _cmocka_run_group_tests("groups", tests, N_ELEMENTS(tests), NULL, NULL);
}
