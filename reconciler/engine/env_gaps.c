/* Lost instances that are not run again, because their service says so. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_objects.h"
#include "specs/json_io.h"

static const struct value *modes_of(const struct environment_spec *spec, struct str service)
{
    for (size_t i = 0; i < spec->resources.n; i++)
        if (str_eq_c(spec->resources.p[i].kind, "service") &&
            str_eq(spec->resources.p[i].name, service))
            return spec->resources.p[i].drift;
    return NULL;
}

/* How many there are, and how many of them are not lost, as far as anybody knows. */
static void count(struct env_task *env, struct str service, struct value *wanted,
                  struct value *seen)
{
    int64_t n = 0, n_lost = 0;

    for (size_t i = 0; i < env->n_observations; i++) {
        const struct observation *o = &env->observations[i];

        if (!o->is_live || !str_eq(o->service, service))
            continue;
        n++;
        n_lost += o->health == INSTANCE_LOST;
    }
    value_set_int(&env->cycle, wanted, S("replicas"), n);
    value_set_int(&env->cycle, seen, S("replicas"), n - n_lost);
}

static int tell(struct env_task *env, const struct environment_spec *spec, struct rec_resource *row,
                struct err *err)
{
    struct arena *a = &env->cycle;
    const struct value *modes = modes_of(spec, row->name);
    struct value *memory, *wanted = value_map(a), *seen = value_map(a);
    struct drift_look look = { .wanted = wanted, .seen = seen };
    struct drift_news news;
    struct str told;

    if (json_parse(a, row->drift, KIT_BODY_MAX, &memory, err))
        return err->code;
    if (object_mode_of_replicas(modes) == DRIFT_REPORT)
        count(env, row->name, wanted, seen);
    look.modes = modes;
    look.memory = memory;
    look.now_ms = clock_task_due_ms(&env->engine->clock);
    news = drift_judge(a, &look);
    told = json_format(a, news.memory);
    if (str_eq(told, row->drift))
        return arena_status(a, err);
    row->drift = told;
    return env_objects_put_drift(env, row, &news, err);
}

int env_gaps_judge(struct env_task *env, const struct environment_spec *spec, struct err *err)
{
    struct rec_resource *rows;
    int is_left = 0;
    size_t n;

    for (size_t i = 0; i < env->n_observations; i++) {
        struct observation *o = &env->observations[i];

        if (!o->is_live || o->health != INSTANCE_LOST)
            continue;
        o->mode = object_mode_of_replicas(modes_of(spec, o->service));
        is_left |= o->mode == DRIFT_REPORT;
    }
    if (DB_SELECT(env->engine->db, &env->cycle, resource,
                  "WHERE env = $1 AND kind = 'service' AND valid_to IS NULL "
                  "AND (drift <> '{}' OR $2)",
                  &rows, &n, err, DB_T(env->uid), DB_I(is_left)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tell(env, spec, &rows[i], err))
            return err->code;
    return 0;
}
