/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/claims.h"

#include "specs/claim.h"

#define CLAIMS_TOLD_MAX 1000u

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
    const struct value **slot;
    enum claim claim;

    if (env) {
        owner = env->next_source ? env->next_source : env->source;
        c.owner_source = owner ? owner->name : S("");
        c.owner_branch = env->next_source ? env->next_branch : env->branch;
    }
    claim = claim_judge(&c);
    if (claim == CLAIM_TAKEN)
        c.owner_document = claims_document(env);
    if (claim != CLAIM_ELSEWHERE) {
        claim_complain(&c, claim, &h->refused);
    } else if ((slot = vec_push(&h->arena, &h->elsewhere))) {
        *slot = made->document;
    }
}

struct value *claims_empty(const struct source_task *s, struct arena *a)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < s->branches.n && value_count(list) < CLAIMS_TOLD_MAX; i++) {
        const struct head *h = s->branches.p[i].heads.newest;

        if (h && !h->n_files)
            value_add(a, list, value_text(a, h->branch));
    }
    return list;
}

struct value *claims_elsewhere(const struct source_task *s, struct arena *a)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < s->branches.n; i++) {
        const struct head *h = s->branches.p[i].heads.newest;

        for (size_t j = 0; h && j < h->elsewhere.n && value_count(list) < CLAIMS_TOLD_MAX; j++) {
            const struct value *name = value_get(h->elsewhere.p[j], S("name"));
            struct value *one = value_map(a);

            value_set_text(a, one, S("environment"), str_copy(a, name->u.text));
            value_set_text(a, one, S("branch"), h->branch);
            value_set_text(a, one, S("place"),
                           str_fmt(a, "%.*s:%u:%u", STR_ARG(value_file(name->place)),
                                   name->place.line, name->place.column));
            value_add(a, list, one);
        }
    }
    return list;
}

/* They are checked, and nobody waits for one in vain. */
static void claims_look_at_previews(struct head *h)
{
    for (size_t i = 0; i < h->bundle.previews.n; i++) {
        const struct map_entry *preview = &h->bundle.previews.entries[i];
        const struct value *name = value_get(preview->value, S("name"));

        spec_message_add(&h->refused, SPEC_ERROR, name->place, S("unsupported"), STR_NONE,
                         "preview '%.*s': this version makes no previews", STR_ARG(preview->key));
    }
}

void claims_look(struct engine *e, const struct source_task *s, struct head *h)
{
    if (!h)
        return;
    spec_messages_init(&h->refused, &h->arena);
    h->elsewhere.n = 0;
    for (size_t i = 0; !h->messages.n_errors && i < h->envs.n; i++)
        claims_look_at(e, s, h, h->envs.entries[i].value);
    if (!h->messages.n_errors)
        claims_look_at_previews(h);
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
