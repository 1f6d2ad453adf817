/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy.h"

#include "base/guard.h"

typedef struct value *policy_fn(struct arena *a, const struct value *one,
                                const struct value *other);

/* The member of either that is not missing. */
static struct value *policy_either(struct arena *a, const struct value *one,
                                   const struct value *other)
{
    return one || other ? value_copy_content(a, one ? one : other) : NULL;
}

static struct value *policy_manual(struct arena *a, const struct value *one,
                                   const struct value *other)
{
    if (value_is(other, VALUE_TEXT) && str_eq_c(other->u.text, "manual"))
        return value_copy_content(a, other);
    return policy_either(a, one, other);
}

static struct value *policy_least(struct arena *a, const struct value *one,
                                  const struct value *other)
{
    if (value_is(one, VALUE_INT) && value_is(other, VALUE_INT))
        return value_int(a, one->u.number < other->u.number ? one->u.number : other->u.number);
    return policy_either(a, one, other);
}

static struct value *policy_most(struct arena *a, const struct value *one,
                                 const struct value *other)
{
    if (value_is(one, VALUE_INT) && value_is(other, VALUE_INT))
        return value_int(a, one->u.number > other->u.number ? one->u.number : other->u.number);
    return policy_either(a, one, other);
}

static struct value *policy_both(struct arena *a, const struct value *one,
                                 const struct value *other)
{
    if (value_is(one, VALUE_BOOL) && value_is(other, VALUE_BOOL))
        return value_bool(a, one->u.truth && other->u.truth);
    return policy_either(a, one, other);
}

static struct value *policy_any(struct arena *a, const struct value *one, const struct value *other)
{
    if (value_is(other, VALUE_BOOL) && other->u.truth)
        return value_copy_content(a, other);
    return policy_either(a, one, other);
}

static int policy_has(const struct value *list, const struct value *item)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_eq(value_item(list, i), item))
            return 1;
    return 0;
}

static struct value *policy_union(struct arena *a, const struct value *one,
                                  const struct value *other)
{
    struct value *all = policy_either(a, one, other);

    for (size_t i = 0; one && i < value_count(other); i++)
        if (!policy_has(all, value_item(other, i)))
            value_add(a, all, value_copy_content(a, value_item(other, i)));
    return all;
}

/* Lists of windows: it has to be a time of each of them. */
static struct value *policy_windows(struct arena *a, const struct value *one,
                                    const struct value *other)
{
    struct value *lists = policy_union(a, value_get(one, S("downtime")),
                                       value_get(other, S("downtime")));
    struct value *windows = lists ? value_map(a) : NULL;

    value_set(a, windows, S("downtime"), lists);
    return windows;
}

/* clang-format off */
static const struct {
    struct str member;
    policy_fn *stricter;
} policy_members[] = {
    { S_INIT("policy"),        policy_manual },
    { S_INIT("require_for"),   policy_union },
    { S_INIT("expires_ms"),    policy_least },
    { S_INIT("approvers"),     policy_union }, /* of lists: each of them holds */
    { S_INIT("min_approvals"), policy_most },
    { S_INIT("allow_self"),    policy_both },
    { S_INIT("freeze"),        policy_union },
    { S_INIT("windows"),       policy_windows },
    { S_INIT("signed"),        policy_any },
};
/* clang-format on */

static int policy_is_manual(const struct value *approval)
{
    return str_eq_c(value_get_text(approval, S("policy"), S("")), "manual");
}

/* Of words that make a plan run without a person those count that each says who asks for one. */
static struct value *policy_auto_if(struct arena *a, const struct value *one,
                                    const struct value *other)
{
    const struct value *words = value_get(one, S("auto_if")),
                       *more = value_get(other, S("auto_if"));
    struct value *both = value_list(a);

    if (!policy_is_manual(one) || !policy_is_manual(other))
        return policy_either(a, policy_is_manual(other) ? more : words, NULL);
    for (size_t i = 0; i < value_count(words); i++)
        if (policy_has(more, value_item(words, i)))
            value_add(a, both, value_copy_content(a, value_item(words, i)));
    return value_count(both) ? both : NULL;
}

struct value *policy_stricter(struct arena *a, const struct value *one, const struct value *other)
{
    struct value *both = value_map(a);

    for (size_t i = 0; i < N_ELEMENTS(policy_members); i++)
        value_set(a, both, policy_members[i].member,
                  policy_members[i].stricter(a, value_get(one, policy_members[i].member),
                                             value_get(other, policy_members[i].member)));
    value_set(a, both, S("auto_if"), policy_auto_if(a, one, other));
    return both;
}

/* The list of a member as the one list of lists; NULL stays. */
static struct value *policy_list_of(struct arena *a, const struct value *list)
{
    struct value *lists = list ? value_list(a) : NULL;

    value_add(a, lists, value_copy_content(a, list));
    return lists;
}

struct value *policy_written(struct arena *a, const struct value *approval)
{
    struct value *written = value_copy_content(a, approval), *windows = value_map(a);
    const struct value *downtime = value_at(approval, S("windows.downtime"));

    value_set(a, written, S("approvers"), policy_list_of(a, value_get(approval, S("approvers"))));
    value_set(a, windows, S("downtime"), policy_list_of(a, downtime));
    if (downtime)
        value_set(a, written, S("windows"), windows);
    return written;
}

struct value *policy_floor(struct arena *a, const struct value *rule)
{
    const struct value *floor = value_get(rule, S("floor"));
    struct value *written = policy_written(a, floor);

    value_set(a, written, S("policy"), value_copy_content(a, value_get(floor, S("approval"))));
    return written;
}
