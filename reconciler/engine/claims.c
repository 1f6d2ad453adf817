/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/claims.h"

#include "specs/claim.h"

static const struct value *claims_document(const struct env_task *env)
{
    const struct head *h = env->source ? source_task_head(env->source, env->branch) : NULL;

    return h ? map_find(&h->bundle.environments, env->name) : NULL;
}

static void claims_look_at(struct engine *e, const struct source_task *s, struct head *h,
                           const struct head_env *made)
{
    const struct env_task *env = map_find(&e->envs_by_name, made->name);
    struct claim_case c = {
        .daemon = e->options.daemon,
        .rule = made->rule,
        .document = made->document,
        .source = s->name,
        .branch = h->branch,
    };
    const struct source_task *owner;
    enum claim claim;

    if (env) {
        owner = env->next_source ? env->next_source : env->source;
        c.owner_source = owner ? owner->name : S("");
        c.owner_branch = env->next_source ? env->next_branch : env->branch;
    }
    claim = claim_judge(&c);
    if (claim == CLAIM_TAKEN)
        c.owner_document = claims_document(env);
    if (claim != CLAIM_ELSEWHERE)
        claim_complain(&c, claim, &h->refused);
}

void claims_look(struct engine *e, const struct source_task *s, struct head *h)
{
    if (!h)
        return;
    spec_messages_init(&h->refused, &h->arena);
    for (size_t i = 0; !h->messages.n_errors && i < h->envs.n; i++)
        claims_look_at(e, s, h, h->envs.entries[i].value);
    spec_messages_sort(&h->refused);
}

int claims_check(const struct env_task *env, struct spec_messages *m)
{
    const struct claim_case c = {
        .daemon = env->engine->options.daemon,
        .rule = env->rule,
        .document = map_find(&env->head->bundle.environments, env->name),
        .source = env->source->name,
        .branch = env->branch,
    };
    enum claim claim = claim_judge(&c);

    claim_complain(&c, claim, m);
    return claim != CLAIM_COUNTS;
}
