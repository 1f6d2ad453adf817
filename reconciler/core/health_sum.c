/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/health_sum.h"

#include "base/guard.h"

static const char *const words[N_HEALTH_STATUSES] = { "healthy", "degraded", "unhealthy" };
static const char *const vital[] = { "database", "edge" };

const char *health_sum_word(enum health_status status)
{
    return words[status];
}

void health_sum_add(struct arena *a, struct value *list, const struct health_part *part)
{
    struct value *one = value_map(a);

    value_set_text(a, one, S("kind"), part->kind);
    value_set_text(a, one, S("name"), str_copy(a, part->name));
    value_set_text(a, one, S("status"), str_from_c(words[part->status]));
    value_set_int(a, one, S("response_time_ms"), part->response_time_ms);
    value_set_int(a, one, S("checked_ms_ago"), part->checked_ms_ago);
    if (part->message.n)
        value_set_text(a, one, S("message"), str_copy(a, part->message));
    value_add(a, list, one);
}

enum health_status health_sum_status(const struct value *part)
{
    struct str word = value_get_text(part, S("status"), S(""));
    int i = 0;

    while (i < HEALTH_UNHEALTHY && !str_eq_c(word, words[i]))
        i++;
    return (enum health_status)i;
}

static int is_vital(const struct value *part)
{
    for (size_t i = 0; i < N_ELEMENTS(vital); i++)
        if (str_eq_c(value_get_text(part, S("kind"), S("")), vital[i]))
            return 1;
    return 0;
}

enum health_status health_sum_of(const struct value *list)
{
    enum health_status worst = HEALTH_HEALTHY;

    for (size_t i = 0; i < value_count(list); i++) {
        enum health_status status = health_sum_status(value_item(list, i));

        if (status == HEALTH_UNHEALTHY && !is_vital(value_item(list, i)))
            status = HEALTH_DEGRADED;
        worst = status > worst ? status : worst;
    }
    return worst;
}

static void add_to_kind(struct arena *a, struct value *kinds, const struct value *part)
{
    struct str kind = value_get_text(part, S("kind"), S(""));
    const struct value *before = value_get(kinds, kind);
    struct value *one = value_map(a);
    enum health_status status = health_sum_status(part);
    int64_t ms = value_get_int(part, S("response_time_ms"), -1);

    if (before && health_sum_status(before) > status)
        status = health_sum_status(before);
    if (before && value_get_int(before, S("response_time_ms"), -1) > ms)
        ms = value_get_int(before, S("response_time_ms"), -1);
    value_set_text(a, one, S("status"), str_from_c(words[status]));
    value_set_int(a, one, S("response_time_ms"), ms);
    value_set(a, kinds, kind, one);
}

struct value *health_sum_kinds(struct arena *a, const struct value *list)
{
    struct value *kinds = value_map(a);

    for (size_t i = 0; i < value_count(list); i++)
        add_to_kind(a, kinds, value_item(list, i));
    return kinds;
}
