/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_trigger.h"

#include "reconciler/core/render.h"
#include "state/events.h"
#include "state/revisions.h"

#define LOOK_AGAIN_MS 5000 /* at those that come first */

static const struct value *spec_trigger(const struct env_task *env)
{
    return value_get(env->has_spec ? env->spec.policy : NULL, S("trigger"));
}

static void again_in(struct env_task *env, int64_t ms)
{
    if (env->again_ms < 0 || ms < env->again_ms)
        env->again_ms = ms;
}

/* --- the loop's ---------------------------------------------------------------------------------- */

void env_trigger_note(struct env_task *env)
{
    int64_t length_ms = value_get_int(spec_trigger(env), S("debounce_ms"), 0);

    env->debounces_ms = 0;
    if (!env->has_spec || env_is_asked(&env->ask))
        return;
    if (!env->engine->options.once)
        env->debounces_ms = trigger_debounce(&env->burst, &env->spec.revision, length_ms,
                                             loop_mono_ms(env->task.loop));
    if (env->debounces_ms)
        again_in(env, env->debounces_ms);
}

void env_trigger_look(struct env_task *env)
{
    env->lacks_firsts = 0;
    for (size_t i = 0; i < env->firsts.n; i++) {
        struct trigger_first *f = &env->firsts.p[i];
        const struct env_task *first = map_find(&env->engine->envs_by_name, f->name);
        const struct head *h = first && first->source && first->uid.p
                                   ? source_task_head(first->source, first->branch)
                                   : NULL;

        f->is_known = h != NULL;
        f->is_settled = h && env_task_is_settled(first);
        f->commit = h ? str_copy(&env->cycle, h->commit) : S("");
        f->tree = h ? str_copy(&env->cycle, h->tree) : S("");
    }
}

void env_trigger_moved(struct engine *e)
{
    for (size_t i = 0; e->n_awaiting && i < e->envs.n; i++)
        if (e->envs.p[i]->awaits)
            env_task_wake(e->envs.p[i]);
}

/* --- on STATE ------------------------------------------------------------------------------------ */

static int has_first(const struct env_task *env, struct str name)
{
    for (size_t i = 0; i < env->firsts.n; i++)
        if (str_eq(env->firsts.p[i].name, name))
            return 1;
    return 0;
}

static void ask_for(struct env_task *env, const struct value *trigger)
{
    const struct value *asked = value_get(trigger, S("require_environment"));

    for (size_t i = 0; i < value_count(asked); i++) {
        struct str name = asked->u.map.entries[i].key;
        struct trigger_first *slot = has_first(env, name) ? NULL
                                                          : vec_push(&env->cycle, &env->firsts);

        if (!slot)
            continue;
        *slot = (struct trigger_first){ .name = name, .sync = S(""), .health = S("") };
        env->lacks_firsts = 1;
    }
}

static void later(int64_t *io, int64_t ms)
{
    if (ms != REC_NONE && ms > *io)
        *io = ms;
}

static int event_time(struct env_task *env, const struct event_query *q, int64_t *io,
                      struct err *err)
{
    struct event *events;
    size_t n;

    if (events_list(env->engine->db, &env->cycle, q, &events, &n, err))
        return err->code;
    if (n)
        later(io, events[0].time_ms);
    return 0;
}

/* When the newest commit of its branch was seen, what is live was proven, and its health became what it is: the
 * last of these. */
static int find_since(struct env_task *env, const struct rec_environment *row, int64_t *ret,
                      struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_head head = { .source = row->source, .branch = row->branch };
    struct rec_revision revision;
    struct event_query health = { .env = row->uid,
                                  .subject = STR_NONE,
                                  .actor = STR_NONE,
                                  .kind_prefix = S("environment.health"),
                                  .newest_first = 1,
                                  .limit = 1 };
    int rc = db_get(env->engine->db, a, REC_head, &head, err);

    *ret = 0;
    if (!rc)
        later(ret, head.seen_ms);
    if (!rc || rc == ERR_NOT_FOUND)
        rc = revisions_by_digest(env->engine->db, a, row->uid, &row->live_rev, &revision, err);
    if (!rc && revision.proven_seq != REC_NONE)
        rc = event_time(env,
                        &(struct event_query){ .env = STR_NONE,
                                               .subject = STR_NONE,
                                               .actor = STR_NONE,
                                               .kind_prefix = STR_NONE,
                                               .after_seq = revision.proven_seq - 1,
                                               .before_seq = revision.proven_seq + 1,
                                               .limit = 1 },
                        ret, err);
    if (!rc || rc == ERR_NOT_FOUND)
        rc = event_time(env, &health, ret, err);
    return rc;
}

static int load_first(struct env_task *env, struct trigger_first *f, struct err *err)
{
    struct rec_environment row;
    int rc = f->is_known ? environments_by_name(env->engine->db, &env->cycle, f->name, &row, err)
                         : ERR_NOT_FOUND;

    if (rc == ERR_NOT_FOUND) {
        f->is_known = 0;
        return 0;
    }
    if (rc || find_since(env, &row, &f->since_ms, err))
        return err->code;
    f->sync = row.sync;
    f->health = row.health;
    return 0;
}

static int judge_firsts(struct env_task *env, const struct value *triggers, struct str *ret_reason,
                        struct err *err)
{
    struct trigger_case c = { .commit = env->head ? env->head->commit : S(""),
                              .tree = env->head ? env->head->tree : S(""),
                              .firsts = env->firsts.p,
                              .n_firsts = env->firsts.n,
                              .now_ms = clock_task_due_ms(&env->engine->clock) };
    int64_t again_ms;

    for (size_t i = 0; i < env->firsts.n; i++)
        if (load_first(env, &env->firsts.p[i], err))
            return err->code;
    for (size_t i = 0; i < value_count(triggers); i++) {
        c.trigger = value_item(triggers, i);
        *ret_reason = trigger_waits(&env->cycle, &c, &again_ms);
        if (!ret_reason->p)
            continue;
        again_in(env, again_ms >= 0 && again_ms < LOOK_AGAIN_MS ? again_ms : LOOK_AGAIN_MS);
        return 1;
    }
    return 0;
}

int env_trigger_waits(struct env_task *env, const struct value *triggers, struct str *ret_reason,
                      struct err *err)
{
    int64_t length_ms = value_get_int(spec_trigger(env), S("debounce_ms"), 0);

    if (env->plan.cause != PLAN_CAUSE_COMMIT)
        return 0;
    if (env->debounces_ms) {
        *ret_reason = str_fmt(&env->cycle, "waits %.*s for further commits",
                              STR_ARG(render_spec_length(&env->cycle, length_ms)));
        return 1;
    }
    for (size_t i = 0; i < value_count(triggers); i++)
        ask_for(env, value_item(triggers, i));
    if (env->lacks_firsts)
        return 1;
    return env->firsts.n ? judge_firsts(env, triggers, ret_reason, err) : 0;
}
