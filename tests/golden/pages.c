/*
 * pages: docs/rules.md, fields.md, routes.md, metrics.md, told.md and docs/man/ are what the tables say. SPDX-License-Identifier: Apache-2.0
 *
 *     pages [update]        compares; or writes them
 */
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/man.h"
#include "reconciler/core/metrics.h"
#include "reconciler/http/openapi.h"
#include "specs/notify_events.h"
#include "specs/policy_rules.h"

#define PAGE_BYTES_MAX (1u << 20)

static const struct page {
    const char *path;
    struct str (*make)(struct arena *a);
} pages[] = {
    { PAGES "/rules.md", policy_rules_page },    { PAGES "/fields.md", schema_page },
    { PAGES "/routes.md", openapi_page },        { PAGES "/metrics.md", metrics_page },
    { PAGES "/man/reeve.1.scd", man_reeve },     { PAGES "/man/reeve.yaml.5.scd", man_yaml },
    { PAGES "/man/reeve-spec.5.scd", man_spec }, { PAGES "/told.md", notify_events_page },
};

static int write_page(const char *path, struct str text)
{
    FILE *f = fopen(path, "w");
    int is_written = f && fwrite(text.p, 1, text.n, f) == text.n;

    if (f && fclose(f))
        is_written = 0;
    return is_written ? 0 : -1;
}

static int is_same(struct arena *a, const char *path, struct str wanted)
{
    struct err err = ERR_INIT;
    struct str text;

    return !sys_read_file(a, path, PAGE_BYTES_MAX, &text, &err) && str_eq(text, wanted);
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (size_t i = 0; i < N_ELEMENTS(pages); i++) {
        AUTO_ARENA struct arena a;
        struct str text;
        int is_good;

        arena_init(&a, 0);
        text = pages[i].make(&a);
        if (argc > 1 && !strcmp(argv[1], "update"))
            is_good = !write_page(pages[i].path, text);
        else
            is_good = is_same(&a, pages[i].path, text);
        (void)printf("%s: %s\n", pages[i].path,
                     is_good ? "as the table says" : "differs from the table: pages update");
        failed |= !is_good;
    }
    return failed;
}
