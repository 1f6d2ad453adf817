/* fuzz: specs from anywhere are read, checked and normalised without a fault. SPDX-License-Identifier: Apache-2.0
 *
 * The input is one file of a repository, or of the daemon where it begins with 'D'. */
#include <stddef.h>
#include <stdint.h>

#include "specs/json_io.h"
#include "specs/spec.h"
#include "tests/fuzz/fuzz.h"

static void read_one(struct arena *a, const struct bundle *b, const struct normalise_input *in,
                     struct spec_messages *m)
{
    struct err err = ERR_INIT;
    struct normalise_wants wants = { 0 };
    struct environment_spec spec = { 0 };

    if (!normalise_wants(a, b, in, &wants, m, &err) &&
        !normalise_environment(a, b, in, &spec, m, &err))
        for (size_t r = 0; r < spec.resources.n; r++)
            (void)json_format(a,
                              spec.resources.p[r].desired); /* the canonical form can be written */
}

static void read_environments(struct arena *a, const struct bundle *b, struct spec_messages *m)
{
    struct normalise_input in = { .branch = S("main"), .spec_path = S(".reeve") };

    for (size_t i = 0; i < b->environments.n; i++) {
        in.environment = b->environments.entries[i].key;
        read_one(a, b, &in, m);
    }
    for (size_t i = 0; i < b->previews.n; i++) {
        in.preview = b->previews.entries[i].key;
        in.number = i % 2 ? S("7") : STR_NONE;
        in.slug = S("a-branch");
        read_one(a, b, &in, m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum bundle_kind kind = size && data[0] == 'D' ? BUNDLE_DAEMON : BUNDLE_REPOSITORY;
    struct spec_file file = { S(".reeve/app.yaml"), { (const char *)data, size } };
    const struct value *daemon;
    struct spec_messages m;
    struct err err = ERR_INIT;
    struct bundle b;
    struct arena a;

    if (kind == BUNDLE_DAEMON)
        file.text = str_slice(file.text, 1, size);
    arena_init(&a, 64u << 20);
    spec_messages_init(&m, &a);
    if (!bundle_read(&a, kind, &file, 1, &b, &m, &err)) {
        if (kind == BUNDLE_DAEMON)
            (void)normalise_daemon(&a, &b, &daemon, &m, &err); /* messages are an answer */
        else
            read_environments(&a, &b, &m);
    }
    arena_fini(&a);
    return 0;
}
