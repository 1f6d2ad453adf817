/* What an environment says of its plans. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/normalise.h"
#include "specs/policy.h"
#include "specs/policy_rules.h"
#include "specs/refs.h"
#include "specs/rule.h"

/* A tag has no branch: the one that the rule binds to. */
static struct value *policy_trigger(struct normalise *n)
{
    struct value *trigger = value_copy_content(n->arena, value_get(n->document, S("trigger")));
    const struct value *branch = value_at(n->document, S("trigger.branch"));
    const struct value *tag = value_at(n->document, S("trigger.tag"));
    const struct value *first = value_at(n->document, S("trigger.require_environment"));

    if (branch && tag)
        normalise_complain(n, tag->place, "conflict", STR_NONE,
                           "trigger.tag and trigger.branch (%.*s:%u:%u) exclude each other",
                           STR_ARG(value_file(branch->place)), branch->place.line,
                           branch->place.column);
    NORMALISE_ENTRIES(first, e)
    {
        struct value name = { .kind = VALUE_TEXT, .place = e->key_place };

        name.u.text = e->key;
        normalise_check_environment(n, &name);
        if (str_eq(e->key, n->environment))
            normalise_complain(n, e->key_place, "reference", STR_NONE,
                               "environment '%.*s' does not come before itself", STR_ARG(e->key));
    }
    if (!trigger)
        trigger = value_map(n->arena);
    value_set_text(n->arena, trigger, S("branch"), n->branch.p ? n->branch : S(""));
    return trigger;
}

/* Secrets are read when somebody is told: an environment does not wait for them. */
static void policy_secret(struct normalise *n, const struct value *of, struct value *told,
                          struct str name)
{
    const struct value *secret = value_at(of, str_fmt(n->arena, "%.*s.secret", STR_ARG(name)));

    if (secret)
        value_set(n->arena, told, name, refs_located(n, secret, "notify"));
}

static struct value *policy_notifications(struct normalise *n)
{
    const struct value *written = value_get(n->document, S("notifications"));
    struct value *list = value_list(n->arena);

    for (size_t i = 0; i < value_count(written); i++) {
        const struct value *one = value_item(written, i);
        struct value *told = value_copy_content(n->arena, one);

        policy_secret(n, one, told, S("url"));
        policy_secret(n, one, told, S("key"));
        value_add(n->arena, list, told);
    }
    return list;
}

struct value *normalise_policy(struct normalise *n)
{
    static const struct str taken[] = { S_INIT("reconcile"), S_INIT("objectives"),
                                        S_INIT("maintenance"), S_INIT("status") };
    struct value *policy = value_map(n->arena), *asked, *waived = policy_rules_waived(n);

    asked = policy_written(n->arena, value_get(n->document, S("approval")));
    value_set(n->arena, policy, S("approval"),
              policy_stricter(n->arena, asked, policy_floor(n->arena, n->in->rule)));
    value_set(n->arena, policy, S("asked"), asked);
    value_set(n->arena, policy, S("trigger"), policy_trigger(n));
    if (value_count(waived))
        value_set(n->arena, policy, S("waive"), waived);
    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        if (value_get(n->document, taken[i]))
            value_set(n->arena, policy, taken[i],
                      value_copy_content(n->arena, value_get(n->document, taken[i])));
    if (value_count(value_get(n->document, S("notifications"))))
        value_set(n->arena, policy, S("notifications"), policy_notifications(n));
    if (n->in->preview.p)
        value_set(n->arena, policy, S("preview"), normalise_preview_policy(n));
    return policy;
}
