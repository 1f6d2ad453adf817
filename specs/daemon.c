/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/rule.h"

const struct value *daemon_rule(const struct value *daemon, struct str source, struct str kind,
                                struct str name, size_t *ret_index)
{
    const struct value *rules = value_get(daemon, S("environments"));

    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value *rule = value_item(rules, i), *match = value_get(rule, S("match"));

        if (!str_eq(value_get_text(match, S("source"), STR_NONE), source) ||
            !str_eq(value_get_text(match, S("kind"), STR_NONE), kind) ||
            !rule_name_matches(value_get_text(match, S("name"), STR_NONE), name))
            continue;
        if (ret_index)
            *ret_index = i;
        return rule;
    }
    return NULL;
}
