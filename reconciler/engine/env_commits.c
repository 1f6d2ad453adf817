/* What a source tells of the commits since the one that counts. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/env_task.h"

/* --- whether they are signed --------------------------------------------------------------------- */

static void env_proof_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

int env_commits_prove(struct env_task *env, struct err *err)
{
    env->proof = arena_new(&env->cycle, struct proof_task);
    if (!env->proven_of)
        env->proven_of = arena_new(&env->own, struct proof);
    if (!env->proof || !env->proven_of)
        return err_set(err, ERR_NOMEM, "out of memory");
    *env->proof = (struct proof_task){ .engine = env->engine,
                                       .source = env->source,
                                       .arena = &env->cycle,
                                       .commit = env->head->commit,
                                       .base = env->proven,
                                       .asked = proof_asked(env->source, env->rule),
                                       .known = env->proven_of };
    proof_start(env->proof, env_proof_ended, NULL);
    env->child = &env->proof->task;
    wait_join_start(&env->task, &env->child, 1);
    return 0;
}

int env_commits_proven(struct env_task *env, struct err *err)
{
    if (env->proof->task.rc)
        *err = env->proof->task.err;
    return env->proof->task.rc;
}

/* --- whether the newest goes on from the one that was applied last ------------------------------- */

/* A source without history has nothing to rewind. */
int env_task_knows_descent(const struct env_task *env)
{
    return !env->source->source->ops->ancestry || env->rewound.n || env->line == env->head->line;
}

int env_commits_ask_descent(struct env_task *env)
{
    const struct source *source = env->source->source;
    const struct head *h = env->head;

    if (h->moved_from.n && env->applied.n && !str_eq(env->applied, h->commit)) {
        env->rewound = str_fmt(&env->cycle, "rewound: tag %.*s was moved from %.*s to %.*s",
                               STR_ARG(h->tag), STR_ARG(str_slice(h->moved_from, 0, 12)), 12,
                               h->commit.p);
        return 0;
    }
    if (!env->applied.n || str_eq(env->applied, env->head->commit) ||
        str_eq_c(env->applied, env->head->ancestor)) {
        env->line = env->head->line;
        return 0;
    }
    env->ancestry = (struct source_ancestry){ env->applied, env->head->commit };
    source->ops->ancestry(source, &env->task, &env->cycle, &env->ancestry, &env->call);
    return 1;
}

int env_commits_descent(struct env_task *env, struct err *err)
{
    int descends = 0;
    int rc = env->source->source->ops->ancestry_parse(&env->cycle, &env->call, &descends, err);

    if (rc)
        return rc;
    if (descends) {
        env->line = env->head->line;
        (void)snprintf(env->head->ancestor, sizeof(env->head->ancestor), "%.*s",
                       STR_ARG(env->applied)); /* a commit's id is shorter */
    } else {
        env->rewound = str_fmt(&env->cycle,
                               "rewound: commit %.*s does not descend from %.*s, which was applied",
                               12, env->head->commit.p, 12, env->applied.p);
    }
    return 0;
}

/* --- who made them ------------------------------------------------------------------------------- */

void env_commits_ask_authors(struct env_task *env)
{
    const struct source *source = env->source->source;

    env->log = (struct source_log){ .from = env->proven.n ? env->proven : STR_NONE,
                                    .to = env->head->commit,
                                    .limit = SOURCE_LOG_MAX };
    source->ops->log(source, &env->task, &env->cycle, &env->log, &env->call);
}
