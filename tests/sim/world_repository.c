/* The repository of a world: commits in memory, as slow and as reachable as the world says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/source_task.h"
#include "tests/sim/world.h"

#define WORLD_HOSTILE S("hostile")

struct world_source {
    struct source source;
    struct world *world;
};

static struct world *world_of(const struct source *s)
{
    return ((const struct world_source *)(const void *)s)->world; /* its first member */
}

static void world_wait(struct task *t, const struct world *w)
{
    wait_until_start(t,
                     loop_mono_ms(t->loop) + w->git_slow_ms + (int64_t)(loop_random(t->loop) % 20));
}

struct world_asked {
    const struct world *world;
    struct str commit, base, code;
    const struct str *paths;
    size_t n_paths;
};

static struct world_asked *world_ask(const struct source *s, struct task *t, struct arena *a,
                                     struct source_call *call)
{
    struct world_asked *asked = arena_new(a, struct world_asked);

    PRE(asked != NULL);
    asked->world = world_of(s);
    call->own = asked;
    world_wait(t, asked->world);
    return asked;
}

static void world_ask_read(struct world_asked *asked, const struct source_read *in)
{
    asked->commit = in->commit;
    asked->base = in->base.p ? in->base : S("");
    asked->code = in->code.p ? in->code : S("");
    asked->paths = in->paths;
    asked->n_paths = in->n_paths;
}

static const struct world_commit *world_commit(const struct world *w, struct str id)
{
    for (size_t i = 0; i < w->n_commits; i++)
        if (str_eq(w->commits[i].id, id))
            return &w->commits[i];
    return NULL;
}

/* One file that is always there; the code never changes. */
static struct source_snapshot world_snapshot(struct arena *a, const struct world_asked *asked)
{
    const struct world_commit *commit = world_commit(asked->world, asked->commit);
    const struct world_commit *base = world_commit(asked->world, asked->base);
    struct source_snapshot ret = { .code = S("the code"),
                                   .has_base = base != NULL,
                                   .goes_on = base != NULL && base <= commit };

    PRE(commit != NULL);
    ret.spec_tree = commit->tree;
    ret.commit.id = commit->id;
    ret.commit.author = S("a developer");
    ret.commit.summary = S("a change");
    if (!base || !str_eq(base->tree, commit->tree)) {
        struct source_file *f = vec_push(a, &ret.files);

        PRE(f != NULL);
        *f = (struct source_file){ S(".reeve/app.yaml"), commit->tree, commit->specs };
    }
    for (size_t i = 0; i < asked->n_paths && !str_eq(asked->code, ret.code); i++) {
        struct source_path *p = vec_push(a, &ret.trees);
        struct digest d = hash_bytes(asked->paths[i]);

        PRE(p != NULL);
        *p = (struct source_path){ asked->paths[i], str_slice(digest_hex(a, &d), 0, 40) };
    }
    return ret;
}

/* What moved is read at once half of the time. */
static void world_fetch(const struct source *s, struct task *t, struct arena *a,
                        const struct source_fetch *in, struct source_call *call)
{
    struct world_asked *asked = world_ask(s, t, a, call);

    world_of(s)->n_fetches++;
    for (size_t i = 0; in->reads && i < in->n_names; i++)
        if (str_eq_c(in->names[i], "main") && in->reads[i].base.p &&
            (loop_random(t->loop) % 2 || world_of(s)->is_reading_deadly))
            world_ask_read(asked, &in->reads[i]);
}

static struct source_head *world_add_head(struct arena *a, struct source_heads *heads)
{
    struct source_head *h = vec_push(a, &heads->heads);

    PRE(h != NULL);
    return h;
}

static int world_fetch_parse(struct arena *a, struct source_call *call, struct source_heads *ret,
                             struct err *err)
{
    struct world_asked *asked = call->own;
    const struct world *w = asked->world;
    struct source_snapshot *snapshot = NULL;

    if (w->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    *ret = (struct source_heads){ 0 };
    PRE(w->n_commits > 0);
    asked->commit = w->commits[w->n_commits - 1].id;
    if (asked->base.n && !str_eq(asked->base, asked->commit)) {
        if (w->is_reading_deadly)
            return err_set(err, ERR_IO, "the worker ended by signal 9");
        snapshot = arena_new(a, struct source_snapshot);
        PRE(snapshot != NULL);
        *snapshot = world_snapshot(a, asked);
    }
    if (w->is_beside_hostile)
        *world_add_head(a, ret) = (struct source_head){ .name = S("beside"),
                                                        .commit = WORLD_HOSTILE,
                                                        .tree = WORLD_HOSTILE };
    *world_add_head(a, ret) = (struct source_head){ .name = S("main"),
                                                    .commit = asked->commit,
                                                    .tree = w->commits[w->n_commits - 1].tree,
                                                    .snapshot = snapshot };
    return 0;
}

static void world_read(const struct source *s, struct task *t, struct arena *a,
                       const struct source_read *in, struct source_call *call)
{
    struct world_asked *asked = world_ask(s, t, a, call);

    world_ask_read(asked, in);
}

static int world_read_parse(struct arena *a, struct source_call *call, struct source_snapshot *ret,
                            struct err *err)
{
    const struct world_asked *asked = call->own;

    if (asked->world->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    if (str_eq(asked->commit, WORLD_HOSTILE))
        return err_set(err, ERR_INVALID, "a spec is a symbolic link");
    *ret = world_snapshot(a, asked);
    return 0;
}

static void world_ancestry(const struct source *s, struct task *t, struct arena *a,
                           const struct source_ancestry *in, struct source_call *call)
{
    struct world_asked *asked = world_ask(s, t, a, call);

    asked->commit = in->descendant;
    asked->base = in->ancestor;
}

static int world_ancestry_parse(struct arena *a, struct source_call *call, int *ret_is_descendant,
                                struct err *err)
{
    const struct world_asked *asked = call->own;

    (void)a;
    if (asked->world->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    *ret_is_descendant = world_commit(asked->world, asked->base) <=
                         world_commit(asked->world, asked->commit);
    return 0;
}

static void world_log(const struct source *s, struct task *t, struct arena *a,
                      const struct source_log *in, struct source_call *call)
{
    struct world_asked *asked = world_ask(s, t, a, call);

    asked->commit = in->to;
    asked->base = in->from.p ? in->from : S("");
}

/* Those after `base`, newest first. */
static int world_log_parse(struct arena *a, struct source_call *call, struct source_commits *ret,
                           struct err *err)
{
    const struct world_asked *asked = call->own;
    const struct world_commit *to = world_commit(asked->world, asked->commit),
                              *from = world_commit(asked->world, asked->base);

    if (asked->world->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    PRE(to != NULL);
    *ret = (struct source_commits){ .goes_on = !asked->base.n || (from && from <= to) };
    for (const struct world_commit *c = to;
         c >= asked->world->commits && c != from && ret->list.n < SOURCE_LOG_MAX; c--) {
        struct source_commit *one = vec_push(a, &ret->list);

        PRE(one != NULL);
        *one = (struct source_commit){ .id = c->id,
                                       .author = S("a developer"),
                                       .author_mail = str_fmt(a, "developer-%zu@example.test",
                                                              (size_t)(c - asked->world->commits)),
                                       .committer = S("a forge"),
                                       .committer_mail = S("forge@example.test") };
    }
    return 0;
}

static void world_export(const struct source *s, struct task *t, struct arena *a,
                         const struct source_export *in, struct source_call *call)
{
    (void)in;
    (void)world_ask(s, t, a, call);
}

static int world_export_parse(struct arena *a, struct source_call *call,
                              struct source_exported *ret, struct err *err)
{
    (void)a;
    if (((struct world_asked *)call->own)->world->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    *ret = (struct source_exported){ 0, 0 };
    return 0;
}

static const struct source_ops world_source_ops = {
    .fetch = world_fetch,
    .fetch_parse = world_fetch_parse,
    .read = world_read,
    .read_parse = world_read_parse,
    .ancestry = world_ancestry,
    .ancestry_parse = world_ancestry_parse,
    .log = world_log,
    .log_parse = world_log_parse,
    .export = world_export,
    .export_parse = world_export_parse,
};

const struct source *world_repository_make(void *ctx, struct arena *a, struct str name,
                                           const struct value *config)
{
    struct world_source *s = arena_new(a, struct world_source);

    (void)name;
    (void)config;
    PRE(s != NULL);
    s->source.ops = &world_source_ops;
    s->world = ctx;
    return &s->source;
}
