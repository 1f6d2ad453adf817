/* Where the control groups of this process are, as the kernel's two files tell it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/kit_parents.h"
#include "specs/json_io.h"

#define V1(name) "30 20 0:30 / /sys/fs/cgroup/" name " rw - cgroup cgroup rw," name "\n"
#define V2 "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

struct parents_row {
    const char *sentence, *mounts, *own, *want;
};

static const struct parents_row rows[] = {
    { "nothing is mounted", "30 20 0:3 / / rw - ext4 /dev/vda rw\n", "0::/\n", "{}" },
    { "each in a hierarchy of version 1", V1("memory") V1("cpu") V1("pids"),
      "9:pids:/\n4:memory:/a/b\n1:cpu:/\n0::/\n",
      "{\"cpus\":{\"path\":\"/sys/fs/cgroup/cpu\",\"version\":1},"
      "\"memory\":{\"path\":\"/sys/fs/cgroup/memory/a/b\",\"version\":1},"
      "\"pids\":{\"path\":\"/sys/fs/cgroup/pids\",\"version\":1}}" },
    { "two controllers in one", "30 20 0:30 / /c rw - cgroup cgroup rw,cpu,cpuacct\n",
      "1:cpu,cpuacct:/x\n", "{\"cpus\":{\"path\":\"/c/x\",\"version\":1}}" },
    { "version 2 has all", V2, "0::/system.slice/reeve.service\n",
      "{\"cpus\":{\"path\":\"/sys/fs/cgroup/system.slice/reeve.service\",\"version\":2},"
      "\"memory\":{\"path\":\"/sys/fs/cgroup/system.slice/reeve.service\",\"version\":2},"
      "\"pids\":{\"path\":\"/sys/fs/cgroup/system.slice/reeve.service\",\"version\":2}}" },
    { "version 2 has what version 1 has not", V2 V1("memory") V1("cpu"),
      "4:memory:/\n1:cpu:/\n0::/z\n",
      "{\"cpus\":{\"path\":\"/sys/fs/cgroup/cpu\",\"version\":1},"
      "\"memory\":{\"path\":\"/sys/fs/cgroup/memory\",\"version\":1},"
      "\"pids\":{\"path\":\"/sys/fs/cgroup/z\",\"version\":2}}" },
    { "a container is shown its own part",
      "30 20 0:30 /docker/4711 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "4:memory:/docker/4711/x\n",
      "{\"memory\":{\"path\":\"/sys/fs/cgroup/memory/x\",\"version\":1}}" },
    { "and is in the middle of it",
      "30 20 0:30 /docker/4711 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "4:memory:/docker/4711\n",
      "{\"memory\":{\"path\":\"/sys/fs/cgroup/memory\",\"version\":1}}" },
    { "or is shown another's",
      "30 20 0:30 /docker/47 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "4:memory:/docker/4711\n", "{}" },
    { "we are outside of what is shown", V1("memory"), "4:memory:/../other\n", "{}" },
    { "a name alone is no controller", "30 20 0:30 / /s rw - cgroup cgroup rw,name=memory\n",
      "4:name=memory:/\n", "{}" },
    { "lines that are none", "30 20\n\n- cgroup\n", ":\n4\n4:memory\n", "{}" },
};

static void test_row(void **state)
{
    const struct parents_row *row = *state;
    AUTO_ARENA struct arena a;
    struct str json;

    arena_init(&a, 0);
    json = json_format(&a, kit_parents_find(&a, str_from_c(row->mounts), str_from_c(row->own)));
    assert_string_equal(str_to_c(&a, json), row->want);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows)];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].sentence,
                                        .test_func = test_row,
                                        .initial_state = (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
