/* A head on top of the one before. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "reconciler/engine/head.h"

#define HEAD_FILE_BYTES_MAX (64u << 20)   /* parsed */
#define HEAD_FILES_BYTES_MAX (256u << 20) /* of all of them */

/* --- files --------------------------------------------------------------------------------------- */

/* Files are many and live long: they are kept in as little memory as they take. One with messages is shown
 * to people, and mended. */
static int head_parse_file(struct head_file *f, const struct source_file *told, struct err *err)
{
    AUTO_ARENA struct arena scratch;
    const struct spec_file file = { told->path, told->text };
    struct bundle_file read;
    int rc;

    arena_init(&scratch, HEAD_FILE_BYTES_MAX);
    rc = bundle_read_file(&scratch, BUNDLE_REPOSITORY, &file, &read, err);
    if (!rc)
        rc = read.messages.list.n
                 ? bundle_read_file(&f->arena, BUNDLE_REPOSITORY, &file, &f->read, err)
                 : bundle_keep_file(&f->arena, &read, &f->read, err);
    f->path = f->read.path;
    return rc;
}

static int head_add_file(struct head *h, const struct source_file *told, struct err *err)
{
    struct head_file *f = alloc_zero(sizeof(*f) + told->id.n), **slot;
    char *id;

    slot = f ? vec_push(&h->arena, &h->own.files) : NULL;
    if (!slot) {
        alloc_free(f);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *slot = f;
    arena_init(&f->arena, HEAD_FILE_BYTES_MAX);
    id = (char *)(f + 1);
    memcpy(id, told->id.p, told->id.n);
    f->id = (struct str){ id, told->id.n };
    h->files[h->n_files++] = f;
    return head_parse_file(f, told, err);
}

static void head_drop_file(struct head *h, struct head_file *f)
{
    struct head_file **slot = vec_push(&h->arena, &h->gone.files);

    if (slot)
        *slot = f;
}

static int head_compare_told(const void *a, const void *b)
{
    return str_cmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

/* What was told, sorted as the files of a head are. */
static struct source_file *head_sort_told(const struct source_snapshot *s, struct arena *scratch)
{
    struct source_file *told = arena_new_n(scratch, struct source_file, s->files.n);

    for (size_t i = 0; told && i < s->files.n; i++)
        told[i] = s->files.p[i];
    if (told && s->files.n)
        qsort(told, s->files.n, sizeof(*told), head_compare_told);
    return told;
}

/* Walks both lists; a file that has the same bytes as before is the one before. */
static int head_merge_files(struct head *h, const struct head_read *in, struct arena *scratch,
                            struct err *err)
{
    const struct source_snapshot *s = in->snapshot;
    size_t n_before = in->before ? in->before->n_files : 0, i = 0, j = 0;
    struct source_file *told = head_sort_told(s, scratch);
    struct map gone;

    map_init(&gone, scratch);
    for (size_t k = 0; k < s->gone.n; k++)
        map_put(&gone, s->gone.p[k], NULL);
    h->files = arena_new_n(&h->arena, struct head_file *, n_before + s->files.n);
    if (!told || !h->files || arena_status(scratch, err))
        return err_set(err, ERR_NOMEM, "out of memory");
    while (i < n_before || j < s->files.n) {
        struct head_file *old = i < n_before ? in->before->files[i] : NULL;
        int order = !old ? 1 : j == s->files.n ? -1 : str_cmp(old->path, told[j].path);
        int keep = order < 0 ? s->has_base && !map_has(&gone, old->path)
                             : !order && str_eq(old->id, told[j].id);

        if (keep)
            h->files[h->n_files++] = old;
        else if (order <= 0)
            head_drop_file(h, old);
        if (!keep && order >= 0 && head_add_file(h, &told[j], err))
            return err->code;
        i += order <= 0;
        j += order >= 0;
    }
    return arena_status(&h->arena, err);
}

static int head_join_files(struct head *h, struct arena *scratch, struct err *err)
{
    const struct bundle_file **list = arena_new_n(scratch, const struct bundle_file *, h->n_files);
    size_t n_bytes = 0;

    if (h->n_files > SOURCE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %u specs", SOURCE_FILES_MAX);
    for (size_t i = 0; list && i < h->n_files; i++) {
        list[i] = &h->files[i]->read;
        n_bytes += h->files[i]->arena.used_bytes;
    }
    if (n_bytes > HEAD_FILES_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the specs take more than %u bytes together",
                       HEAD_FILES_BYTES_MAX);
    if (!list)
        return arena_status(scratch, err);
    return bundle_join(&h->arena, list, h->n_files, &h->bundle, &h->messages, err);
}

/* --- environments -------------------------------------------------------------------------------- */

/* Paths of the tree that an environment is made of; none for one that is bound nowhere. */
static int head_want(const struct head *h, const struct head_read *in, struct str name,
                     struct arena *scratch, struct normalise_wants *ret, struct err *err)
{
    const struct normalise_input input = {
        .environment = name,
        .branch = h->branch,
        .rule = daemon_rule(in->daemon, h->source, S("environment"), name, NULL),
        .spec_path = h->spec_path,
    };
    struct spec_messages quiet;

    *ret = (struct normalise_wants){ 0 };
    spec_messages_init(&quiet, scratch); /* said when the environment is normalised */
    return input.rule ? normalise_wants(scratch, &h->bundle, &input, ret, &quiet, err) : 0;
}

/* In one block: there are many. */
static struct head_env *head_make_env(const struct head_env *made, const struct str *paths,
                                      size_t n)
{
    size_t n_bytes = sizeof(*made) + n * sizeof(*paths);
    struct head_env *env;
    char *text;

    for (size_t i = 0; i < n; i++)
        n_bytes += paths[i].n;
    env = alloc_zero(n_bytes);
    if (!env)
        return NULL;
    *env = *made;
    env->n_paths = n;
    text = (char *)&env->paths[n];
    for (size_t i = 0; i < n; i++) {
        memcpy(text, paths[i].p, paths[i].n);
        env->paths[i] = (struct str){ text, paths[i].n };
        text += paths[i].n;
    }
    return env;
}

static int head_add_env(struct head *h, const struct head_read *in, const struct head_env *made,
                        struct err *err)
{
    AUTO_ARENA struct arena scratch;
    struct normalise_wants wants;
    struct head_env **slot, *env;

    arena_init(&scratch, 0);
    if (head_want(h, in, made->name, &scratch, &wants, err))
        return err->code;
    slot = vec_push(&h->arena, &h->own.envs);
    if (!slot)
        return arena_status(&h->arena, err);
    *slot = env = head_make_env(made, wants.paths.p, wants.paths.n);
    if (!env)
        return err_set(err, ERR_NOMEM, "out of memory");
    map_put(&h->envs, env->name, env);
    return 0;
}

static int head_is_same_env(const struct head_env *a, const struct head_env *b)
{
    return a && a->document == b->document && a->application == b->application;
}

static int head_read_envs(struct head *h, const struct head_read *in, struct err *err)
{
    for (size_t i = 0; i < h->bundle.environments.n; i++) {
        const struct map_entry *e = &h->bundle.environments.entries[i];
        struct head_env made = { .name = e->key, .document = e->value };
        struct head_env *old = in->before ? map_find(&in->before->envs, e->key) : NULL;

        made.application = map_find(&h->bundle.applications,
                                    value_get_text(made.document, S("application"), S("")));
        if (head_is_same_env(old, &made))
            map_put(&h->envs, old->name, old);
        else if (head_add_env(h, in, &made, err))
            return err->code;
    }
    for (size_t i = 0; in->before && i < in->before->envs.n; i++) {
        struct head_env *old = in->before->envs.entries[i].value, **slot;

        if (map_find(&h->envs, old->name) == old)
            continue;
        slot = vec_push(&h->arena, &h->gone.envs);
        if (slot)
            *slot = old;
    }
    return arena_status(&h->arena, err);
}

/* --- trees --------------------------------------------------------------------------------------- */

static void head_put_tree(struct head *h, struct str path, struct str id)
{
    struct str *copy = arena_new(&h->arena, struct str);

    if (!copy)
        return; /* the arena remembers */
    *copy = str_copy(&h->arena, id);
    map_put(&h->trees, path, copy);
}

static void head_want_trees(struct head *h)
{
    for (size_t i = 0; i < h->envs.n; i++) {
        const struct head_env *env = h->envs.entries[i].value;

        for (size_t j = 0; j < env->n_paths; j++)
            if (!map_has(&h->trees, env->paths[j]))
                map_put(&h->trees, env->paths[j], NULL);
    }
}

/* Where the code is the same, so is every id; else those that were asked for have been told. */
static void head_keep_trees(struct head *h, const struct head_read *in)
{
    const struct source_snapshot *s = in->snapshot;
    int is_same_code = in->before && str_eq(in->before->code, s->code);

    for (size_t i = 0; is_same_code && i < in->before->trees.n; i++) {
        const struct map_entry *e = &in->before->trees.entries[i];

        if (e->value && map_has(&h->trees, e->key))
            head_put_tree(h, e->key, *(const struct str *)e->value);
    }
    for (size_t i = 0; i < s->trees.n; i++)
        if (map_has(&h->trees, s->trees.p[i].path))
            head_put_tree(h, s->trees.p[i].path, s->trees.p[i].id);
}

static int head_list_paths(const struct map *trees, const struct map *less, struct arena *a,
                           const struct str **ret, size_t *ret_n, struct err *err)
{
    struct str *list = arena_new_n(a, struct str, trees->n);
    size_t n = 0;

    for (size_t i = 0; list && i < trees->n; i++)
        if (!less || !map_has(less, trees->entries[i].key))
            list[n++] = trees->entries[i].key;
    *ret = list;
    *ret_n = n;
    return arena_status(a, err);
}

int head_read_known(const struct head *before, struct arena *a, const struct str **ret,
                    size_t *ret_n, struct err *err)
{
    *ret = NULL;
    *ret_n = 0;
    return before ? head_list_paths(&before->trees, NULL, a, ret, ret_n, err) : 0;
}

/* --- in order ------------------------------------------------------------------------------------ */

static void head_keep_commit(struct head *h, const struct head_read *in)
{
    const struct source_snapshot *s = in->snapshot;
    struct arena *a = &h->arena;

    h->line = in->before ? in->before->line + !(s->has_base && s->goes_on) : 1;
    h->code = str_copy(a, s->code);
    h->about = (struct source_commit){
        .id = str_copy(a, s->commit.id),
        .author = str_copy(a, s->commit.author),
        .author_mail = str_copy(a, s->commit.author_mail),
        .summary = str_copy(a, s->commit.summary),
        .time_ms = s->commit.time_ms,
    };
}

int head_read_files(struct head *h, const struct head_read *in, struct arena *scratch,
                    const struct str **ret, size_t *ret_n, struct err *err)
{
    head_keep_commit(h, in);
    if (head_merge_files(h, in, scratch, err) || head_join_files(h, scratch, err) ||
        head_read_envs(h, in, err))
        return err->code;
    head_want_trees(h);
    head_keep_trees(h, in);
    return head_list_paths(&h->trees, in->before ? &in->before->trees : NULL, scratch, ret, ret_n,
                           err);
}

int head_read_trees(struct head *h, const struct source_snapshot *snapshot, struct err *err)
{
    for (size_t i = 0; i < snapshot->trees.n; i++)
        if (map_has(&h->trees, snapshot->trees.p[i].path))
            head_put_tree(h, snapshot->trees.p[i].path, snapshot->trees.p[i].id);
    return arena_status(&h->arena, err);
}

static int head_is_same_id(const struct str *a, const struct str *b)
{
    return a && b ? str_eq(*a, *b) : a == b;
}

static int head_has_moved(const struct head *h, const struct head *before,
                          const struct head_env *env)
{
    if (map_find(&before->envs, env->name) != env)
        return 1;
    for (size_t i = 0; i < env->n_paths; i++)
        if (!head_is_same_id(map_find(&h->trees, env->paths[i]),
                             map_find(&before->trees, env->paths[i])))
            return 1;
    return 0;
}

int head_read_moved(struct head *h, const struct head *before, struct err *err)
{
    h->everything_moved = !before || before->messages.n_errors || h->messages.n_errors;
    if (h->everything_moved)
        return 0;
    for (size_t i = 0; i < h->envs.n; i++) {
        struct head_env *env = h->envs.entries[i].value;

        if (head_has_moved(h, before, env))
            map_put(&h->moved, env->name, NULL);
    }
    for (size_t i = 0; i < h->gone.envs.n; i++)
        map_put(&h->moved, str_copy(&h->arena, h->gone.envs.p[i]->name), NULL);
    return arena_status(&h->arena, err);
}
