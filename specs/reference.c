/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/reference.h"

enum reference reference_of(const struct value *v)
{
    struct str output = value_get_text(v, S("output"), S(""));

    if (!value_is(v, VALUE_MAP))
        return REFERENCE_NONE;
    if (str_find_char(output, '/') != STR_NPOS && value_is(value_get(v, S("key")), VALUE_TEXT))
        return REFERENCE_OUTPUT;
    if (value_is(value_get(v, S("join")), VALUE_LIST))
        return REFERENCE_JOIN;
    if (value_is(value_get(v, S("secret")), VALUE_TEXT) &&
        value_is(value_get(v, S("version")), VALUE_TEXT))
        return REFERENCE_SECRET;
    return REFERENCE_NONE;
}
