/* What a command of a repository sees of this machine. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define ISOLATE_BUILD_FILE_BYTES (4LL << 30)
#define ISOLATE_BUILD_MEMORY_BYTES                                                                 \
    (64LL << 30) /* of addresses: what a compiler reserves counts too */

static struct str isolate_home(struct process_call *c)
{
    return str_fmt(&c->arena, "%.*s/%.*s/home", STR_ARG(c->place.runs), STR_ARG(c->place.owner));
}

static int isolate_places(struct process_call *c, const char *tree, enum launch_how how,
                          struct launch *plan, struct err *err)
{
    for (size_t i = 0; i < value_count(c->self->covers); i++)
        if (kit_launch_add(plan, LAUNCH_COVER, value_item(c->self->covers, i)->u.text, err))
            return err->code;
    if (kit_launch_add(plan, LAUNCH_COVER, c->self->directory, err) ||
        kit_launch_add(plan, LAUNCH_WRITE, isolate_home(c), err))
        return err->code;
    if (process_secrets_dir(c).p && kit_launch_add(plan, LAUNCH_READ, process_secrets_dir(c), err))
        return err->code;
    if (value_get(c->desired, S("static")) && kit_launch_add(plan, LAUNCH_READ, c->self->site, err))
        return err->code;
    return tree ? kit_launch_add(plan, how, str_from_c(tree), err) : 0;
}

/* It writes as its environment's user, and so must own what it writes to. */
static int isolate_user(struct process_call *c, const char *tree, struct launch *plan,
                        struct err *err)
{
    const char *home = isolate_home(c).p;

    plan->uid = process_users_uid(c);
    if (!plan->uid)
        return err_set(err, ERR_INVALID, "isolation uid: the environment has none");
    if (process_users_take(c, err) || process_users_own(c, home, PROCESS_THEIRS, err))
        return err->code;
    return tree ? process_users_own(c, tree, PROCESS_THEIRS, err) : 0;
}

/* A probe is of what runs: its body is what the directory remembers. */
static int isolate_limits(struct process_call *c, struct launch *plan, struct keeper_want *want,
                          struct err *err)
{
    return c->desired == c->view.about ? process_limits_enter(c, c->view.about, plan, err)
                                       : process_limits_set(c, plan, want->about, err);
}

int process_isolate(struct process_call *c, const char *tree, enum launch_how how,
                    struct keeper_want *ret)
{
    struct str word = value_get_text(c->desired, S("isolation"), S("none"));
    enum launch_class class = kit_launch_class(word);
    struct launch *plan = arena_new(&c->arena, struct launch);
    struct err err = ERR_INIT;

    if (class == LAUNCH_NONE)
        return 0;
    if (class == LAUNCH_N_CLASSES)
        return process_fail(c, RV_USER, RV_ACTED_NO, "isolation '%.*s' is not possible here",
                            STR_ARG(word));
    if (!plan)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "out of memory");
    *plan = (struct launch)KIT_LAUNCH(class);
    plan->max_places_bytes = (uint64_t)c->self->quota_bytes;
    if (str_eq_c(kit_str(c->op->type), "artifact")) {
        plan->flags = value_get_bool(c->desired, S("network"), 0) ? 0 : LAUNCH_NO_NETWORK;
        plan->max_file_bytes = ISOLATE_BUILD_FILE_BYTES;
        plan->max_memory_bytes = ISOLATE_BUILD_MEMORY_BYTES;
    }
    if (isolate_places(c, tree, how, plan, &err) || isolate_limits(c, plan, ret, &err) ||
        (class == LAUNCH_UID && isolate_user(c, how == LAUNCH_WRITE ? tree : NULL, plan, &err)))
        return process_fail_err(c, RV_ACTED_NO, &err);
    ret->users = c->users;
    ret->launcher = c->self->launcher;
    ret->launch = plan;
    return 0;
}
