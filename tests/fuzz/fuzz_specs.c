/* fuzz: specs from anywhere are read, checked and normalised under any rule without a fault. SPDX-License-Identifier: Apache-2.0
 *
 * The input is a golden case: files of a repository, and with them the daemon's document, trees and secrets. */
#include <stddef.h>
#include <stdint.h>

#include "specs/json_io.h"
#include "specs/spec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/golden/golden_case.h"

struct given {
    struct arena *a;
    const struct golden_case *c;
    struct bundle bundle;
    const struct value *daemon;
    struct spec_messages m;
};

static void normalise_one(struct given *g, struct normalise_input in, struct str kind)
{
    struct normalise_wants wants = { 0 };
    struct environment_spec spec = { 0 };
    struct err err = ERR_INIT;

    in.branch = S("main");
    in.spec_path = S(".reeve");
    in.trees = g->c->has_trees ? &g->c->trees : NULL;
    in.secrets = g->c->has_secrets ? &g->c->secrets : NULL;
    in.outputs = &g->c->outputs;
    if (in.preview.p && normalise_preview_name(g->a, &g->bundle, &in, &in.environment, &g->m, &err))
        return;
    in.rule = daemon_rule(g->daemon, S("acme"), kind, in.environment, NULL);
    if (normalise_wants(g->a, &g->bundle, &in, &wants, &g->m, &err) ||
        normalise_environment(g->a, &g->bundle, &in, &spec, &g->m, &err))
        return;
    for (size_t r = 0; r < spec.resources.n; r++)
        (void)json_format(g->a,
                          spec.resources.p[r].desired); /* the canonical form can be written */
}

static void normalise_all(struct given *g)
{
    for (size_t i = 0; i < g->bundle.environments.n; i++) {
        struct str name = g->bundle.environments.entries[i].key;

        normalise_one(g, (struct normalise_input){ .environment = name }, S("environment"));
    }
    for (size_t i = 0; i < g->bundle.previews.n; i++) {
        struct normalise_input in = { .preview = g->bundle.previews.entries[i].key,
                                      .number = i % 2 ? S("7") : STR_NONE,
                                      .slug = S("feature-x") };

        normalise_one(g, in, S("preview"));
    }
}

static void read_daemon(struct given *g)
{
    struct value *drivers = value_list(g->a);
    struct bundle bundle;
    struct err err = ERR_INIT;

    if (!g->c->daemon.path.p ||
        bundle_read(g->a, BUNDLE_DAEMON, &g->c->daemon, 1, &bundle, &g->m, &err) ||
        normalise_daemon(g->a, &bundle, &g->daemon, &g->m, &err))
        return;
    value_add(g->a, drivers, value_text(g->a, S("process")));
    if (g->daemon)
        daemon_uncarried(g->daemon, drivers, DAEMON_SERVED, &g->m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct golden_case c;
    struct given g = { .c = &c };
    struct err err = ERR_INIT;
    struct arena a;
    struct sb b;

    arena_init(&a, 64u << 20);
    g.a = &a;
    spec_messages_init(&g.m, &a);
    (void)golden_case_parse(&a, (struct str){ (const char *)data, size }, &c); /* what it has */
    if (!bundle_read(&a, BUNDLE_REPOSITORY, c.files, c.n_files, &g.bundle, &g.m, &err)) {
        read_daemon(&g);
        normalise_all(&g);
    }
    spec_messages_sort(&g.m);
    sb_init(&b, &a);
    for (size_t i = 0; i < g.m.list.n; i++)
        spec_message_format(&b, &g.m.list.p[i], STR_NONE, 0);
    arena_fini(&a);
    return 0;
}
