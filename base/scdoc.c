/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scdoc.h"

void scdoc_text(struct sb *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        int begins = i == 0 || text.p[i - 1] == '\n';

        if (str_find_char(S("\\*_`+"), text.p[i]) != STR_NPOS ||
            (begins && str_find_char(S("#-.;|[]"), text.p[i]) != STR_NPOS))
            sb_add_char(b, '\\');
        sb_add_char(b, text.p[i]);
    }
}
