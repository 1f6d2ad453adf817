/* The process driver meets the rules of every driver. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/conform.h"
#include "tests/support/process_world.h"

/* Programs that say in their environment whose they are: one per living instance. */
static int count_programs(void *ctx, const char *owner)
{
    struct world *w = ctx;
    char home[128], path[300], text[4096];
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    (void)snprintf(home, sizeof(home), "HOME=%s/run/%s/home", w->dir, owner);
    while ((entry = readdir(proc))) {
        size_t got;
        FILE *f;

        if (atoi(entry->d_name) <= 0)
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
        f = fopen(path, "re");
        got = f ? fread(text, 1, sizeof(text), f) : 0;
        if (f)
            fclose(f);
        n += got && memmem(text, got, home, strlen(home)) != NULL;
    }
    closedir(proc);
    return n;
}

static int count_trees(void *ctx, const char *owner)
{
    (void)owner;
    return world_has(ctx, "artifacts/k");
}

static void test_conforms(void **state)
{
    struct world w;
    struct conform_type types[] = {
        { .type = "instance",
          .name = "api@s.1",
          .desired = "{\"command\":[\"sleep\",\"1000\"],\"port\":80}",
          .action = RV_CREATE,
          .count = count_programs,
          .ctx = &w },
        { .type = "release",
          .name = "api@r",
          .desired = "{\"command\":[\"true\"]}",
          .action = RV_RUN },
        { .type = "artifact",
          .name = "api@k",
          .desired = "{\"key\":\"k\",\"argv\":[\"cp\",\"in\",\"out\"]}",
          .action = RV_CREATE },
    };
    struct conform_subject subject = { .types = types, .n_types = N_ELEMENTS(types) };
    struct str report;
    size_t n;

    (void)state;
    world_init(&w, 8);
    world_write(&w, "exports/k/in", "x\n");
    subject.driver = w.driver;
    subject.config = w.config;
    subject.host = &w.t.host;
    n = conform_run(&subject, &w.t.arena, &report);
    if (n)
        print_error("%s", report.p);
    assert_int_equal(n, 0);
    assert_int_equal(count_trees(&w, ""), 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_conforms) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
