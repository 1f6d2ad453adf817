/* What one cycle of an environment looks at: its specs and the world. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/claims.h"
#include "reconciler/engine/env_objects.h"
#include "reconciler/engine/zones.h"

/* --- specs: on FILE ------------------------------------------------------------------------------ */

/* A secret that cannot be read now keeps the version it had: an outage of a store changes nothing. */
static int pin_secrets(struct env_task *env, const struct normalise_wants *wants, struct map *ret,
                       struct map *ret_unread, struct err *err)
{
    map_init(ret, &env->cycle);
    map_init(ret_unread, &env->cycle);
    for (size_t i = 0; i < wants->secrets.n; i++) {
        struct str name = wants->secrets.p[i];
        struct secret_ref ref = secret_store_ref(env->name, name,
                                                 value_get(wants->secret_refs, name));
        struct secret_pin *pin = arena_new(&env->cycle, struct secret_pin);
        const struct str *blob = map_find(&env->head->trees, ref.path);
        struct str *why = arena_new(&env->cycle, struct str);
        int rc;

        if (!pin || !why)
            return arena_status(&env->cycle, err);
        ref.blob = blob ? *blob : STR_NONE;
        rc = secret_store_pin(env->engine->secrets, &ref, &env->cycle, pin, err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        map_put(ret, name, rc ? NULL : pin); /* normalising says whether it may be absent */
        if (!rc)
            continue;
        *why = str_copy(&env->cycle, str_from_c(err->text));
        map_put(ret_unread, name, why);
        *err = ERR_INIT;
    }
    return 0;
}

static int refuse_specs(const struct env_task *env, const struct spec_messages *messages,
                        struct err *err)
{
    AUTO_ARENA struct arena scratch;

    arena_init(&scratch, 0);
    return err_set(err, ERR_INVALID, "the specs of commit %.*s are refused: %.*s", 12,
                   env->head->commit.p, STR_ARG(head_error(&scratch, messages)));
}

int env_look_read(struct env_task *env, struct spec_messages *ret, struct err *err)
{
    struct normalise_wants wants = { 0 };
    struct map unread;
    struct normalise_input in = { .environment = env->name,
                                  .branch = env->branch,
                                  .tag = env->head->tag,
                                  .commit = env->head->commit,
                                  .trees = &env->head->trees,
                                  .zone_is_there = zones_is_there,
                                  .rule = env->rule,
                                  .spec_path = env->head->spec_path,
                                  .schema_change = env->head->about.schema_change };

    spec_messages_init(ret, &env->cycle);
    if (env->head->messages.n_errors) {
        *ret = env->head->messages;
        return 0;
    }
    if (!map_has(&env->head->bundle.environments, env->name))
        return err_set(
            err, ERR_INVALID,
            "commit %.*s has no environment '%.*s' any more; nothing is deleted for that", 12,
            env->head->commit.p, STR_ARG(env->name));
    if (claims_check(env, ret))
        return 0;
    if (normalise_wants(&env->cycle, &env->head->bundle, &in, &wants, ret, err))
        return err->code;
    if (ret->n_errors) /* a secret that is not allowed is not even looked for */
        return 0;
    if (pin_secrets(env, &wants, &env->pins, &unread, err))
        return err->code;
    in.secrets = &env->pins;
    in.outputs = &env->outputs;
    in.unread = &unread;
    if (normalise_environment(&env->cycle, &env->head->bundle, &in, &env->spec, ret, err))
        return err->code;
    spec_messages_sort(ret);
    return arena_status(&env->cycle, err);
}

int env_look_specs(struct task *t, struct err *err)
{
    struct env_task *env = env_of(t);
    struct spec_messages messages;

    if (env_look_read(env, &messages, err))
        return err->code;
    if (messages.n_errors)
        return refuse_specs(env, &messages, err);
    env->has_spec = 1;
    return 0;
}

/* --- the world: on DRIVER ------------------------------------------------------------------------ */

int env_look_instances(struct task *t, struct err *err)
{
    return env_plan_list_instances(env_of(t), err);
}

static enum instance_health judge_instance(const struct driver_answer *answer,
                                           const struct value *seen)
{
    if (answer->verdict == RV_ABSENT)
        return INSTANCE_LOST;
    if (answer->verdict != RV_DONE)
        return INSTANCE_UNKNOWN;
    return str_eq_c(value_get_text(seen, S("state"), S("")), "lost") ? INSTANCE_LOST
                                                                     : INSTANCE_RUNNING;
}

int env_look_edge(struct task *t, struct err *err)
{
    struct env_task *env = env_of(t);
    const struct driver_call edge = {
        .engine = env->engine,
        .task = t,
        .provider = env->edge.provider,
        .kind = CALL_READ,
        .op = { .type = kit_rv(env->edge.kind),
                .name = kit_rv(env->edge.name),
                .owner = kit_rv(env->edge.owner),
                .id = kit_rv(env->edge.provider_id) },
    };
    struct driver_answer ignored; /* the call itself starts a proxy that is gone */

    return driver_call(&edge, &env->cycle, &ignored, err);
}

/* An error is no absence: what cannot be read is unknown, and nothing follows from it. */
static int look_instance(struct env_task *env, size_t i, struct err *err)
{
    struct driver_answer answer;
    const struct driver_call call = {
        .engine = env->engine,
        .task = &env->task,
        .provider = env->observations[i].provider,
        .kind = CALL_READ,
        .op = { .type = kit_rv(S("instance")),
                .name = kit_rv(env->observations[i].name),
                .id = kit_rv(env->instances[i].provider_id) },
    };

    if (driver_call(&call, &env->cycle, &answer, err))
        return err->code;
    env->observations[i].health = judge_instance(&answer,
                                                 driver_answer_value(&env->cycle, answer.observed));
    return 0;
}

/* Instances, then objects. */
static size_t count_looks(const struct env_task *env)
{
    return env->n_observations + env->n_objects;
}

static struct str look_provider(const struct env_task *env, size_t i)
{
    return i < env->n_observations ? env->observations[i].provider
                                   : env->objects[i - env->n_observations].row.provider;
}

static int look_at(struct env_task *env, size_t i, struct err *err)
{
    return i < env->n_observations ? look_instance(env, i, err)
                                   : env_objects_look(env, i - env->n_observations, err);
}

static int is_first_of_provider(const struct env_task *env, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(look_provider(env, i), look_provider(env, at)))
            return 0;
    return 1;
}

int env_look_next(const struct env_task *env, struct str *ret_provider)
{
    if (env->look_at >= count_looks(env))
        return 0;
    *ret_provider = look_provider(env, env->look_at);
    return 1;
}

int env_look_world(struct task *t, struct err *err)
{
    struct env_task *env = env_of(t);
    struct str provider = look_provider(env, env->look_at);

    for (size_t i = env->look_at; i < count_looks(env); i++)
        if (str_eq(look_provider(env, i), provider) && look_at(env, i, err))
            return err->code;
    do
        env->look_at++;
    while (env->look_at < count_looks(env) && !is_first_of_provider(env, env->look_at));
    return 0;
}
