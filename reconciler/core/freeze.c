/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/freeze.h"

#define MINUTE_MS 60000
#define DAY_MS ((int64_t)24 * 60 * MINUTE_MS)
#define DAYS_A_WEEK 7

static const char *const freeze_days[DAYS_A_WEEK] = { "thu", "fri", "sat", "sun",
                                                      "mon", "tue", "wed" }; /* day 0 was one */

static int freeze_has_day(const struct value *days, int64_t day)
{
    for (size_t i = 0; i < value_count(days); i++)
        if (str_eq_c(value_item(days, i)->u.text, freeze_days[day % DAYS_A_WEEK]))
            return 1;
    return 0;
}

static int freeze_covers(const struct value *one, int64_t day, int64_t now_ms, int64_t *ret_end_ms)
{
    int64_t from = value_get_int(one, S("from"), 0), to = value_get_int(one, S("to"), 0);

    if (day < 0 || !freeze_has_day(value_get(one, S("days")), day))
        return 0;
    if (to <= from)
        to += DAY_MS / MINUTE_MS;
    *ret_end_ms = day * DAY_MS + to * MINUTE_MS;
    return now_ms >= day * DAY_MS + from * MINUTE_MS && now_ms < *ret_end_ms;
}

int freeze_is_on(const struct value *list, int64_t now_ms, int64_t *ret_end_ms)
{
    int64_t today = now_ms / DAY_MS, end_ms;
    int is_on = 0;

    for (size_t i = 0; i < value_count(list); i++)
        for (int64_t day = today - 1; day <= today; day++) {
            if (!freeze_covers(value_item(list, i), day, now_ms, &end_ms))
                continue;
            if (!is_on || end_ms > *ret_end_ms)
                *ret_end_ms = end_ms;
            is_on = 1;
        }
    return is_on;
}
