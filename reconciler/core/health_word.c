/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/health_word.h"

#include "specs/json_io.h"

#define HEALTH_WORD_SHOWN 60

static struct str word_of(struct arena *a, const struct value *v)
{
    if (value_is(v, VALUE_TEXT))
        return v->u.text;
    if (value_is(v, VALUE_BOOL))
        return v->u.truth ? S("true") : S("false");
    if (value_is(v, VALUE_INT))
        return str_fmt(a, "%lld", (long long)v->u.number);
    return STR_NONE;
}

static int has_word(const struct value *list, struct str word)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(value_item(list, i)->u.text, word))
            return 1;
    return 0;
}

enum health_word health_word_judge(struct arena *a, const struct value *expect, struct str body,
                                   struct str *ret_says)
{
    struct str path = value_get_text(expect, S("path"), S("")), word;
    struct err err = ERR_INIT;
    struct value *answer;

    if (json_parse_answer(a, body, HEALTH_WORD_BYTES_MAX, &answer, &err)) {
        *ret_says = str_fmt(a, "its answer is not understood: %s", err.text);
        return HEALTH_WORD_BAD;
    }
    word = word_of(a, value_at(answer, path));
    if (!word.p) {
        *ret_says = str_fmt(a, "its answer has no word at '%.*s'", STR_ARG(path));
        return HEALTH_WORD_BAD;
    }
    *ret_says = str_fmt(a, "'%.*s' is '%.*s'", STR_ARG(path),
                        STR_ARG(str_slice(word, 0, HEALTH_WORD_SHOWN)));
    if (has_word(value_get(expect, S("healthy")), word))
        return HEALTH_WORD_HEALTHY;
    return has_word(value_get(expect, S("degraded")), word) ? HEALTH_WORD_DEGRADED
                                                            : HEALTH_WORD_BAD;
}
