/* Whose changes a plan holds. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/approval.h"
#include "reconciler/engine/env_row.h"

static void add_author(struct env_task *env, struct map *seen, struct str mail, struct str name,
                       struct str commit)
{
    struct rec_plan_author *row = &env->authors[env->n_authors];

    if (map_find(seen, mail))
        return;
    *row = (struct rec_plan_author){ .mail = mail, .name = name, .commit_id = commit };
    map_put(seen, mail, row);
    env->n_authors++;
}

int env_authors_parse(struct env_task *env, struct err *err)
{
    struct arena *a = &env->cycle;
    struct source_commits commits;
    struct map seen;
    size_t n = 1;

    if (env->source->source->ops->log_parse(a, &env->call, &commits, err))
        return err->code;
    map_init(&seen, a);
    env->n_authors = 0;
    for (size_t i = 0; i < commits.list.n; i++)
        n += 2 + commits.list.p[i].co_authors.n;
    env->authors = arena_new_n(a, struct rec_plan_author, n);
    for (size_t i = 0; env->authors && i < commits.list.n; i++) {
        const struct source_commit *c = &commits.list.p[i];

        add_author(env, &seen, c->author_mail, c->author, c->id);
        add_author(env, &seen, c->committer_mail, c->committer, c->id);
        for (size_t j = 0; j < c->co_authors.n; j++)
            add_author(env, &seen, c->co_authors.p[j], S(""), c->id);
    }
    if (env->authors && commits.truncated)
        add_author(env, &seen, S(APPROVAL_MANY), S(""), env->head->commit);
    env->authors_to = env->head->commit;
    return arena_status(a, err);
}

int env_authors_are_known(const struct env_task *env, const struct rec_plan *row)
{
    return !env->source || !env->source->source->ops->log ||
           str_eq(env->authors_to, env->head->commit) ||
           (row->authors_to.p && str_eq(row->authors_to, env->head->commit));
}

int env_authors_put(struct env_task *env, struct tx *tx, struct rec_plan *row, struct err *err)
{
    if (!env->authors_to.p)
        return 0;
    for (size_t i = 0; i < env->n_authors; i++) {
        env->authors[i].plan = row->id;
        if (tx_put(tx, REC_plan_author, &env->authors[i], err))
            return err->code;
    }
    row->authors_to = env->authors_to;
    return 0;
}
