/* SPDX-License-Identifier: Apache-2.0 */
#include "state/schema.h"

/* The assembler reads the file; the build says where it lies and makes this object anew with it. */
__asm__(".pushsection .rodata\n"
        "schema_text: .incbin \"" REEVE_SCHEMA_SQL "\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char schema_text[] __attribute__((visibility("hidden")));

const char *schema_sql(void)
{
    return schema_text;
}
