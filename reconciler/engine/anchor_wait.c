/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_wait.h"

#include "reconciler/core/render.h"
#include "reconciler/core/standing.h"
#include "reconciler/engine/anchor_task.h"

static int is_required(const struct env_task *env)
{
    return value_at(env->rule, S("floor.anchor")) != NULL;
}

/* Since when has the place lacked something; REC_NONE: it never had anything. 0: it lacks nothing, or not for long. */
static int since(struct engine *e, struct arena *a, const struct value *place, int64_t *ret_ms,
                 struct err *err)
{
    struct anchor_gap gap;
    struct rec_anchor newest;
    int rc = anchor_newest(e->db, a, anchor_place_name(a, place), &newest, err);

    *ret_ms = REC_NONE;
    if (rc == ERR_NOT_FOUND) {
        *err = ERR_INIT;
        return 0;
    }
    if (rc || anchor_find_gap(e->db, newest.seq, 1, &gap, err))
        return err->code;
    *ret_ms = gap.n && clock_task_due_ms(&e->clock) - gap.since_ms >
                           ANCHOR_LATE_TIMES * value_get_int(place, S("every"), 0)
                  ? gap.since_ms
                  : 0;
    return 0;
}

int anchor_wait(struct env_task *env, struct str *ret_reason, struct err *err)
{
    const struct value *places = value_get(env->engine->options.daemon, S("anchors"));
    struct arena *a = &env->cycle;
    int64_t first_ms = REC_NONE, ms;

    env->awaits_anchor = 0;
    if (!is_required(env) || !standing_plan_waits(&env->plan, STANDING_FREEZE))
        return 0;
    for (size_t i = 0; i < value_count(places); i++) {
        if (since(env->engine, a, value_item(places, i), &ms, err))
            return err->code;
        if (!ms)
            return 0;
        if (ms != REC_NONE && (first_ms == REC_NONE || ms > first_ms))
            first_ms = ms;
    }
    *ret_reason =
        first_ms == REC_NONE
            ? S("waits for an anchor: the head of the history was never brought to a place "
                "that this machine cannot rewrite")
            : str_fmt(a,
                      "waits for an anchor: what happened since %.*s is in this machine's "
                      "history alone",
                      STR_ARG(render_time(a, first_ms)));
    env->awaits_anchor = 1;
    return 1;
}

void anchor_wait_made(struct engine *e)
{
    for (size_t i = 0; i < e->envs.n; i++)
        if (e->envs.p[i]->awaits_anchor)
            env_task_wake(e->envs.p[i]);
}
