/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/suspects.h"

static int is_among(const struct value *list, struct str uid)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_is(value_item(list, i), VALUE_TEXT) && str_eq(value_item(list, i)->u.text, uid))
            return 1;
    return 0;
}

/* Wall clock: one that went back counts as now. */
static int counts(const struct value *death, int64_t now_ms)
{
    return now_ms - value_get_int(death, S("at_ms"), 0) < SUSPECTS_WITHIN_MS;
}

static struct value *one_death(struct arena *a, int64_t at_ms, const struct value *in_work)
{
    struct value *one = value_map(a);

    value_set_int(a, one, S("at_ms"), at_ms);
    value_set(a, one, S("envs"), in_work ? value_copy(a, in_work) : value_list(a));
    return one;
}

struct value *suspects_note(struct arena *a, const struct value *before, int64_t at_ms,
                            const struct value *in_work, struct value **ret_suspects)
{
    struct value *deaths = value_list(a), *suspects = value_list(a);

    for (size_t i = 0; i < value_count(before); i++)
        if (counts(value_item(before, i), at_ms))
            value_add(a, deaths, value_copy(a, value_item(before, i)));
    value_add(a, deaths, one_death(a, at_ms, in_work));
    *ret_suspects = suspects;
    if (value_count(deaths) < SUSPECTS_DEATHS)
        return deaths;
    for (size_t i = 0; i < value_count(in_work); i++) {
        struct str uid = value_item(in_work, i)->u.text;
        int always = 1;

        for (size_t d = value_count(deaths) - SUSPECTS_DEATHS; d < value_count(deaths); d++)
            always &= is_among(value_get(value_item(deaths, d), S("envs")), uid);
        if (always)
            value_add(a, suspects, value_text(a, uid));
    }
    return value_count(suspects) ? value_list(a) : deaths;
}

int suspects_are_sought(const struct value *deaths, int64_t now_ms)
{
    size_t n = value_count(deaths);

    return n && counts(value_item(deaths, n - 1), now_ms);
}
