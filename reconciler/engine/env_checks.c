/* The checks of a forge that a commit waits for. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/env_trigger.h"
#include "specs/digest.h"
#include "specs/forge.h"

#define PENDING_MS 10000 /* between two questions while it is not decided */
#define FAILED_MS 30000  /* somebody may run it again */

static const struct value *forge_config(const struct env_task *env)
{
    return value_get(env->source ? env->source->config : NULL, S("forge"));
}

static struct digest key_of(struct env_task *env, const struct value *wanted)
{
    struct value *v = value_map(&env->cycle);

    value_set_text(&env->cycle, v, S("commit"), env->head->commit);
    value_set(&env->cycle, v, S("wanted"), value_copy(&env->cycle, wanted));
    return digest_value(&env->cycle, S("checks"), v);
}

/* --- on STATE ------------------------------------------------------------------------------------ */

static int find_wanted(struct env_task *env, const struct value *triggers, struct value **ret,
                       struct err *err)
{
    size_t n = value_count(triggers);
    const struct value **lists = arena_new_n(&env->cycle, const struct value *, n + 1);

    if (!lists)
        return arena_status(&env->cycle, err);
    for (size_t i = 0; i < n; i++)
        lists[i] = value_get(value_item(triggers, i), S("require_checks"));
    lists[n] = value_at(env->rule, S("floor.checks"));
    *ret = checks_join(&env->cycle, lists, n + 1);
    return arena_status(&env->cycle, err);
}

int env_checks_wait(struct env_task *env, const struct value *triggers, struct str *ret_reason,
                    struct err *err)
{
    struct value *wanted = NULL;
    struct digest key;
    struct forge_of_source forge;

    if (env->plan.cause != PLAN_CAUSE_COMMIT || !env->head)
        return 0;
    if (find_wanted(env, triggers, &wanted, err))
        return err->code;
    if (!wanted)
        return 0;
    forge.source = env->source ? env->source->name : S("");
    forge.type = value_get_text(forge_config(env), S("type"), S(""));
    /* where all providers are null; else it was refused */
    if (!forge_does(forge.type, FORGE_CHECKS)) {
        *ret_reason = str_fmt(&env->cycle, "waits for checks, but %.*s",
                              STR_ARG(forge_lacks(&env->cycle, &forge, FORGE_CHECKS)));
        return 1;
    }
    key = key_of(env, wanted);
    if (digest_eq(&key, &env->checks.key) && env->checks.state == CHECK_PASSED)
        return 0;
    env->lacks_checks = !env->checks.is_heard || !digest_eq(&key, &env->checks.key);
    env->checks_wanted = wanted;
    *ret_reason = str_copy(&env->cycle, str_from_c(env->checks.why));
    return 1;
}

/* --- the loop's ---------------------------------------------------------------------------------- */

static void forge_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

int env_checks_ask(struct env_task *env)
{
    struct digest key = key_of(env, env->checks_wanted);

    env->forge = NULL;
    if (!digest_eq(&key, &env->checks.key))
        env->checks = (struct checks_known){ .key = key };
    if (loop_mono_ms(env->task.loop) < env->checks.again_mono_ms)
        return 0;
    env->forge = arena_new(&env->cycle, struct forge_task);
    if (!env->forge)
        return 0;
    *env->forge = (struct forge_task){ .engine = env->engine,
                                       .config = forge_config(env),
                                       .commit = env->head->commit,
                                       .arena = &env->cycle };
    forge_task_start(env->forge, forge_ended, NULL);
    env->child = &env->forge->task;
    wait_join_start(&env->task, &env->child, 1);
    return 1;
}

static void note_trouble(struct env_task *env, struct checks_known *k, const struct err *err)
{
    if (!k->failures++)
        LOG(LOG_WARN, "the forge is not heard, the last good state serves", LOG_S("env", env->name),
            LOG_C("err", err->text));
    k->state = CHECK_PENDING;
    (void)snprintf(k->why, sizeof(k->why), "waits for checks: %.480s", err->text);
}

void env_checks_heard(struct env_task *env)
{
    struct checks_known *k = &env->checks;
    struct loop *loop = env->task.loop;
    struct str why = S("");
    int64_t delay_ms;

    env->lacks_checks = 0;
    env->task.rc = 0;
    k->is_heard = 1;
    if (!env->forge)
        return;
    if (env->forge->task.rc) {
        note_trouble(env, k, &env->forge->task.err);
    } else {
        k->failures = 0;
        k->state = checks_judge(&env->cycle, env->checks_wanted, &env->forge->facts, &why);
        (void)snprintf(k->why, sizeof(k->why), "%.*s", STR_ARG(why));
    }
    utf8_trim(k->why);
    delay_ms = k->failures                ? retry_delay_ms(k->failures, loop_random(loop))
               : k->state == CHECK_FAILED ? FAILED_MS
                                          : PENDING_MS;
    k->again_mono_ms = loop_mono_ms(loop) + delay_ms;
}
