/* fuzz: a stored plan that was tampered with is refused, never trusted. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "reconciler/core/plan.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;
    struct plan plan;
    struct arena a;

    arena_init(&a, 64u << 20);
    if (!plan_parse(&a, (struct str){ (const char *)data, size }, &plan, &err))
        (void)plan_format(&a, &plan); /* what was read can be written */
    arena_fini(&a);
    return 0;
}
