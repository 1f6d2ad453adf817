/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/scope.h"

#include "specs/rule.h"

int scope_has(const struct value *scope, struct str env)
{
    int has = !scope;

    for (size_t i = 0; !has && i < value_count(scope); i++)
        has = value_is(value_item(scope, i), VALUE_TEXT) &&
              rule_name_matches(value_item(scope, i)->u.text, env);
    return has;
}
