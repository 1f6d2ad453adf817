/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_objects.h"

#include "reconciler/core/drift.h"
#include "reconciler/core/object.h"
#include "specs/json_io.h"

/* --- what is known before ------------------------------------------------------------------------ */

/* A version that begins a struct: what normalising asks for. */
static int know_outputs(struct env_task *env, const struct rec_resource *row, struct err *err)
{
    struct arena *a = &env->cycle;
    struct value *outputs;

    if (json_parse(a, row->outputs, KIT_BODY_MAX, &outputs, err))
        return err->code;
    for (size_t i = 0; i < value_count(outputs); i++) {
        const struct value_entry *e = &outputs->u.map.entries[i];
        int64_t version = value_get_int(e->value, S("v"), 0);
        struct str *known = arena_new(a, struct str);

        if (!known)
            return arena_status(a, err);
        *known = str_fmt(a, "%lld", (long long)version + !engine_resource_exists(row));
        map_put(
            &env->outputs,
            str_fmt(a, "%.*s/%.*s#%.*s", STR_ARG(row->kind), STR_ARG(row->name), STR_ARG(e->key)),
            known);
    }
    return 0;
}

int env_objects_know(struct task *t, struct err *err)
{
    struct env_task *env = env_of(t);
    struct rec_resource *rows;
    size_t n;

    map_init(&env->outputs, &env->cycle);
    if (DB_SELECT(env->engine->db, &env->cycle, resource,
                  "WHERE env = $1 AND valid_to IS NULL AND outputs LIKE '%\"v\":%'", &rows, &n, err,
                  DB_T(env->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (object_is_kind(rows[i].kind) && know_outputs(env, &rows[i], err))
            return err->code;
    return arena_status(&env->cycle, err);
}

int env_objects_list(struct env_task *env, struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_resource *rows;
    size_t n;

    env->n_objects = 0;
    if (resources_list(env->engine->db, a, env->uid, &rows, &n, err))
        return err->code;
    env->objects = arena_new_n(a, struct object_look, n + 1);
    for (size_t i = 0; env->objects && i < n; i++)
        if (object_is_kind(rows[i].kind))
            env->objects[env->n_objects++] = (struct object_look){ .row = rows[i] };
    return arena_status(a, err);
}

/* --- one of them --------------------------------------------------------------------------------- */

/* Absence counts when reading the id and looking for the owner both say so. */
static int ask_of(struct env_task *env, const struct object_look *look, struct arena *a,
                  struct driver_answer *ret, struct err *err)
{
    struct driver_call call = {
        .engine = env->engine,
        .task = &env->task,
        .provider = look->row.provider,
        .kind = look->row.provider_id.n ? CALL_READ : CALL_FIND,
        .op = { .type = kit_rv(look->row.kind),
                .name = kit_rv(look->row.name),
                .owner = kit_rv(look->row.owner),
                .id = kit_rv(look->row.provider_id) },
    };

    if (driver_call(&call, a, ret, err))
        return err->code;
    if (ret->verdict != RV_ABSENT || call.kind == CALL_FIND)
        return 0;
    call.kind = CALL_FIND;
    return driver_call(&call, a, ret, err);
}

/* What it shows is kept as far as it was asked for: outputs are not. */
int env_objects_look(struct env_task *env, size_t i, struct err *err)
{
    struct object_look *look = &env->objects[i];
    struct driver_answer answer;
    AUTO_WIPED_ARENA struct arena scratch;

    arena_init(&scratch, 0);
    if (!engine_provider(env->engine, look->row.provider))
        return 0; /* nobody can say */
    if (ask_of(env, look, &scratch, &answer, err))
        return err->code;
    look->is_lost = answer.verdict == RV_ABSENT;
    if (answer.verdict == RV_DONE)
        look->seen = value_copy(&env->cycle, driver_answer_value(&scratch, answer.observed));
    return 0;
}

/* --- drift --------------------------------------------------------------------------------------- */

static const struct value *find_modes(const struct environment_spec *spec,
                                      const struct rec_resource *row)
{
    for (size_t i = 0; i < spec->resources.n; i++)
        if (str_eq(spec->resources.p[i].kind, row->kind) &&
            str_eq(spec->resources.p[i].name, row->name))
            return spec->resources.p[i].drift;
    return NULL;
}

static int judge_one(struct env_task *env, const struct environment_spec *spec,
                     struct object_look *look, struct drift_news *ret, struct err *err)
{
    struct arena *a = &env->cycle;
    struct value *memory, *wanted;
    struct str body;
    struct drift_look in = { .type = object_type(env->engine->schemas, look->row.provider,
                                                 look->row.kind),
                             .modes = find_modes(spec, &look->row),
                             .seen = look->seen,
                             .now_ms = clock_task_due_ms(&env->engine->clock) };

    if (json_parse(a, look->row.drift, KIT_BODY_MAX, &memory, err) ||
        db_document(env->engine->db, a, &look->row.desired, &body, err) ||
        json_parse(a, body, KIT_BODY_MAX, &wanted, err))
        return err->code;
    in.memory = memory;
    in.wanted = wanted;
    *ret = drift_judge(a, &in);
    for (size_t i = 0; i < value_count(ret->memory); i++)
        look->has_drifted |= str_eq_c(
            value_get_text(ret->memory->u.map.entries[i].value, S("is"), S("")), "found");
    return arena_status(a, err);
}

int env_objects_put_drift(struct env_task *env, const struct rec_resource *row,
                          const struct drift_news *news, struct err *err)
{
    struct arena *a = &env->cycle;
    struct tx *tx;

    if (engine_tx(env->engine,
                  &(struct engine_event){
                      .kind = S("resource.drift"),
                      .subject = str_fmt(a, "%.*s/%.*s", STR_ARG(row->kind), STR_ARG(row->name)),
                      .env = env->uid },
                  &tx, err))
        return err->code;
    if (news->reported.n)
        tx_note(tx, S("reported"), json_format(a, value_text(a, news->reported)));
    if (news->unstable.n)
        tx_note(tx, S("unstable"), json_format(a, value_text(a, news->unstable)));
    return tx_finish(tx, tx_put_resource(tx, row, err), err);
}

/* The newest commit's, else what was applied last. */
static int find_spec(struct env_task *env, struct environment_spec *ret, struct err *err)
{
    int rc;

    *ret = env->has_spec ? env->spec : (struct environment_spec){ 0 };
    if (env->has_spec || !env->n_objects || digest_is_none(&env->snapshot.env.live_rev))
        return 0;
    rc = snapshot_load_revision(&env->cycle, env->engine->db, env->uid, &env->snapshot.env.live_rev,
                                ret, err);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int env_objects_judge(struct env_task *env, struct err *err)
{
    struct environment_spec spec;

    if (find_spec(env, &spec, err) || env_gaps_judge(env, &spec, err))
        return err->code;
    for (size_t i = 0; i < env->n_objects; i++) {
        struct object_look *look = &env->objects[i];
        struct drift_news news = { 0 };
        struct str memory;

        if (digest_is_none(&look->row.desired) || !str_eq_c(look->row.status, "ready"))
            continue;
        look->has_drifted = look->is_lost;
        if (!look->seen)
            continue;
        if (judge_one(env, &spec, look, &news, err))
            return err->code;
        memory = json_format(&env->cycle, news.memory);
        if (str_eq(memory, look->row.drift))
            continue;
        look->row.drift = memory;
        if (env_objects_put_drift(env, &look->row, &news, err))
            return err->code;
    }
    return arena_status(&env->cycle, err);
}

int env_objects_have_drifted(const struct env_task *env)
{
    for (size_t i = 0; i < env->n_objects; i++)
        if (env->objects[i].has_drifted)
            return 1;
    return 0;
}

void env_objects_take_modes(struct environment_spec *to, const struct environment_spec *from)
{
    for (size_t i = 0; i < to->resources.n; i++) {
        struct spec_resource *r = &to->resources.p[i];
        const struct rec_resource of = { .kind = r->kind, .name = r->name };
        const struct value *modes = find_modes(from, &of);

        if (modes)
            r->drift = modes;
    }
}
