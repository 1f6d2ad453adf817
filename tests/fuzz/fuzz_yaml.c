/* fuzz: any bytes are read as YAML or refused, with messages that can be shown. SPDX-License-Identifier: Apache-2.0
 *
 * The input is a golden case, of which every file is read; or, where it is none, one file. */
#include <stddef.h>
#include <stdint.h>

#include "specs/json_io.h"
#include "specs/yaml_read.h"
#include "tests/fuzz/fuzz.h"
#include "tests/golden/golden_case.h"

static void read_one(struct arena *a, const struct spec_file *file)
{
    struct value *documents = NULL;
    struct spec_messages m;
    struct spec_lines lines = { 0 };
    struct err err = ERR_INIT;
    struct sb b;

    spec_messages_init(&m, a);
    if (yaml_read(a, file, &documents, &m, &err))
        return;
    spec_messages_sort(&m);
    sb_init(&b, a);
    for (size_t i = 0; i < m.list.n; i++)
        spec_message_format(&b, &m.list.p[i], spec_line(&lines, file->text, m.list.p[i].place.line),
                            1);
    (void)json_format(a, documents); /* what was read can be written */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct spec_file whole = { S("app.yaml"), { (const char *)data, size } };
    struct golden_case c;
    struct arena a;

    arena_init(&a, 64u << 20);
    if (golden_case_parse(&a, whole.text, &c))
        read_one(&a, &whole);
    for (size_t i = 0; i < c.n_files; i++)
        read_one(&a, &c.files[i]);
    arena_fini(&a);
    return 0;
}
