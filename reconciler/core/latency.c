/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/latency.h"

static int64_t step_part(const struct value *step, size_t part)
{
    const struct value *v = value_item(step, part);

    return value_is(v, VALUE_INT) ? v->u.number : 0;
}

static int64_t count_over(const struct value *steps, int64_t over_ms)
{
    for (size_t i = 0; i < value_count(steps); i++)
        if (step_part(value_item(steps, i), 0) == over_ms)
            return step_part(value_item(steps, i), 2);
    return 0;
}

struct value *latency_since(struct arena *a, const struct value *now, const struct value *base)
{
    struct value *all = value_list(a);

    for (size_t i = 0; i < value_count(now); i++) {
        const struct value *step = value_item(now, i);
        int64_t n = step_part(step, 2) - count_over(base, step_part(step, 0));
        struct value *more;

        if (n <= 0)
            continue;
        more = value_list(a);
        value_add(a, more, value_int(a, step_part(step, 0)));
        value_add(a, more, value_int(a, step_part(step, 1)));
        value_add(a, more, value_int(a, n));
        value_add(a, all, more);
    }
    return all;
}

int64_t latency_count(const struct value *steps)
{
    int64_t n = 0;

    for (size_t i = 0; i < value_count(steps); i++)
        n += step_part(value_item(steps, i), 2);
    return n;
}

struct latency_step latency_share(const struct value *steps, int64_t share)
{
    int64_t wanted = latency_count(steps), n = 0;

    wanted = wanted / 10000 * share + (wanted % 10000 * share + 9999) / 10000;
    for (size_t i = 0; i < value_count(steps); i++) {
        const struct value *step = value_item(steps, i);

        n += step_part(step, 2);
        if (n >= wanted)
            return (struct latency_step){ step_part(step, 0), step_part(step, 1) };
    }
    return (struct latency_step){ -1, -1 };
}
