/* Whose changes a plan holds. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "reconciler/core/approval.h"
#include "reconciler/engine/env_row.h"

static void add_author(struct env_task *env, struct map *seen, struct str mail, struct str name,
                       struct str commit, int is_signer)
{
    struct rec_plan_author *row = &env->authors[env->n_authors];

    if (map_find(seen, mail))
        return;
    *row = (struct rec_plan_author){
        .mail = mail, .name = name, .is_signer = is_signer, .commit_id = commit
    };
    map_put(seen, mail, row);
    env->n_authors++;
}

/* Of those whose signatures were asked for. */
static void add_signer(struct env_task *env, struct map *seen, struct str commit)
{
    const struct signer *signer = map_find(&env->source->signers.by_commit, commit);
    struct arena *a = &env->cycle;

    if (!signer)
        return;
    add_author(env, seen, str_copy(a, signer->key), str_copy(a, signer->name), commit, 1);
}

/* --- what they say of schemas -------------------------------------------------------------------- */

/* "expand, none" of one commit: the highest of its words that are any. */
static struct str highest_of(struct str said, struct str highest)
{
    struct str word;

    while (str_next(&said, ',', &word))
        if (spec_schema_change(str_trim(word)) > spec_schema_change(highest))
            highest = str_trim(word);
    return highest;
}

/* Before anything was applied only the newest one counts; of too many, the worst. */
static void note_change(struct env_task *env, const struct source_commits *commits)
{
    struct env_change *c = &env->change;
    struct str highest = S("");

    for (size_t i = 0; commits->has_from && i < commits->list.n; i++)
        highest = highest_of(commits->list.p[i].schema_change, highest);
    if (commits->has_from && commits->truncated)
        highest = S("irreversible");
    (void)snprintf(c->from, sizeof(c->from), "%.*s", STR_ARG(env->proven));
    (void)snprintf(c->to, sizeof(c->to), "%.*s", STR_ARG(env->head->commit));
    (void)snprintf(c->word, sizeof(c->word), "%.*s", STR_ARG(highest));
}

/* A source without history has nothing that was said before. */
int env_authors_know_change(const struct env_task *env)
{
    return !env->source->source->ops->log ||
           (str_eq_c(env->proven, env->change.from) && str_eq_c(env->head->commit, env->change.to));
}

int env_authors_raise(struct env_task *env, struct err *err)
{
    struct str said = str_from_c(env->change.word);

    if (!env->head || !str_eq_c(env->head->commit, env->change.to))
        return 0;
    if (env_plan_find_applied(env, err))
        return err->code;
    if (env_authors_know_change(env) &&
        spec_schema_change(said) > spec_schema_change(env->spec.schema_change))
        env->spec.schema_change = said;
    return 0;
}

/* --- who made them ------------------------------------------------------------------------------- */

int env_authors_parse(struct env_task *env, struct err *err)
{
    struct arena *a = &env->cycle;
    struct source_commits commits;
    struct map seen;
    size_t n = 2;

    if (env->source->source->ops->log_parse(a, &env->call, &commits, err))
        return err->code;
    note_change(env, &commits);
    map_init(&seen, a);
    env->n_authors = 0;
    for (size_t i = 0; i < commits.list.n; i++)
        n += 3 + commits.list.p[i].co_authors.n;
    env->authors = arena_new_n(a, struct rec_plan_author, n);
    for (size_t i = 0; env->authors && i < commits.list.n; i++) {
        const struct source_commit *c = &commits.list.p[i];

        add_author(env, &seen, c->author_mail, c->author, c->id, 0);
        add_author(env, &seen, c->committer_mail, c->committer, c->id, 0);
        for (size_t j = 0; j < c->co_authors.n; j++)
            add_author(env, &seen, c->co_authors.p[j], S(""), c->id, 0);
        add_signer(env, &seen, c->id);
    }
    if (env->authors && commits.truncated)
        add_author(env, &seen, S(APPROVAL_MANY), S(""), env->head->commit, 0);
    if (env->authors && !commits.goes_on)
        add_author(env, &seen, S(APPROVAL_ASIDE), S(""), env->head->commit, 0);
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
