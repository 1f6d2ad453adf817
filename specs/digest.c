/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/digest.h"

#include "specs/json_io.h"

struct digest digest_value(struct arena *scratch, struct str type, const struct value *v)
{
    struct hash h;

    hash_init(&h);
    hash_add_str(&h, S("reeve/"));
    hash_add_str(&h, type);
    hash_add_str(&h, S("/1\n"));
    hash_add_str(&h, json_format(scratch, v));
    return hash_end(&h);
}
