/* What a command may use: kept in control groups, which its directory remembers. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define LIMITS_END_TRIES 200 /* 10 ms each, until what was ended is gone */

/* A service says what it may have; a build and a release get what the provider gives. */
static struct kit_limits limits_of(const struct process_call *c)
{
    const struct value *asked = value_get(c->desired, S("limits"));
    struct kit_limits limits = { { 0 } };

    for (int g = 0; g < KIT_N_GROUPS; g++)
        limits.of[g] = value_get_int(asked, str_from_c(kit_groups_word((enum kit_group)g)), 0);
    if (!limits.of[KIT_GROUP_PIDS])
        limits.of[KIT_GROUP_PIDS] = c->self->processes;
    if (!str_eq_c(kit_str(c->op->type), "instance"))
        limits.of[KIT_GROUP_MEMORY] = c->self->memory_bytes;
    return limits;
}

int process_limits_set(struct process_call *c, struct launch *plan, struct value *about,
                       struct err *err)
{
    const struct kit_limits limits = limits_of(c);
    struct value *kept = value_map(&c->arena), *dirs;

    plan->max_processes = (uint64_t)limits.of[KIT_GROUP_PIDS];
    if (kit_groups_make(&c->arena, c->self->groups, c->place.owner, &limits, &dirs, err))
        return err->code;
    value_set(&c->arena, about, S("groups"), dirs);
    for (int g = 0; g < KIT_N_GROUPS; g++)
        if (limits.of[g])
            value_set_int(&c->arena, kept, str_from_c(kit_groups_word((enum kit_group)g)),
                          limits.of[g]);
    value_set(&c->arena, about, S("limits"), kept);
    return process_limits_enter(c, about, plan, err);
}

int process_limits_enter(struct process_call *c, const struct value *about, struct launch *plan,
                         struct err *err)
{
    const struct value *dirs = value_get(about, S("groups"));

    for (size_t i = 0; i < value_count(dirs); i++)
        if (kit_launch_add_group(
                plan, str_fmt(&c->arena, "%.*s/in", STR_ARG(value_item(dirs, i)->u.text)), err))
            return err->code;
    return arena_status(&c->arena, err);
}

int process_limits_remove(struct process_call *c)
{
    const struct value *dirs = value_get(c->view.about, S("groups"));

    for (int i = 0; kit_groups_remove(dirs); i++) {
        if (i == LIMITS_END_TRIES)
            return process_fail(c, RV_RETRY, RV_ACTED_MAYBE, "its control group is still in use");
        if (c->h->wait_fd(c->h->ctx, -1, 0, 10) == RV_CANCELLED)
            return process_fail(c, RV_CANCELLED, RV_ACTED_MAYBE, "cancelled");
    }
    return 0;
}

struct str process_limits_say(struct process_call *c, int64_t *ret_n)
{
    int64_t limit = value_get_int(value_get(c->view.about, S("limits")), S("memory"), 0);

    *ret_n = kit_groups_killed(&c->arena, value_get(c->view.about, S("groups")));
    return *ret_n ? str_fmt(&c->arena, "killed: over its memory of %.*s",
                            STR_ARG(str_size(&c->arena, limit)))
                  : S("");
}
