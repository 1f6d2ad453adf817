/* A head on top of the one before. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "reconciler/engine/head.h"

#define HEAD_FILE_BYTES_MAX (64u << 20)   /* parsed */
#define HEAD_FILES_BYTES_MAX (256u << 20) /* of all of them */
#define HEAD_FEW_DOCUMENTS 64u

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

/* Files before the first one that is told are as they were: they are found by halves. Returns how many files
 * of the head before are dealt with. */
static size_t head_keep_until(struct head *h, const struct head *before, size_t i,
                              const struct str *told)
{
    size_t end = before->n_files, low = i;

    while (told && low < end) {
        size_t middle = low + (end - low) / 2;

        if (str_cmp(before->files[middle]->path, *told) < 0)
            low = middle + 1;
        else
            end = middle;
    }
    if (end > i)
        memcpy(&h->files[h->n_files], &before->files[i], (end - i) * sizeof(struct head_file *));
    h->n_files += end - i;
    return end;
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
    for (;;) {
        struct head_file *old;
        int order, keep;

        if (n_before && s->has_base && !s->gone.n)
            i = head_keep_until(h, in->before, i, j < s->files.n ? &told[j].path : NULL);
        if (i == n_before && j == s->files.n)
            return arena_status(&h->arena, err);
        old = i < n_before ? in->before->files[i] : NULL;
        order = !old ? 1 : j == s->files.n ? -1 : str_cmp(old->path, told[j].path);
        keep = order < 0 ? s->has_base && !map_has(&gone, old->path)
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
}

/* Few documents differ from those before, and not in their names: then the tables are those
 * before, with other documents in them. */
static int head_is_alike(const struct head *h, const struct head *before)
{
    size_t n_documents = 0;

    if (!before || before->messages.list.n || h->own.files.n != h->gone.files.n)
        return 0;
    for (size_t i = 0; i < h->own.files.n; i++) {
        const struct head_file *now = h->own.files.p[i], *then = h->gone.files.p[i];

        if (!str_eq(now->path, then->path) || !bundle_is_alike(&now->read, &then->read))
            return 0;
        n_documents += then->read.documents.n;
    }
    return n_documents <= HEAD_FEW_DOCUMENTS;
}

static int head_check_size(struct head *h, const struct head *before, struct err *err)
{
    if (h->n_files > SOURCE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %u specs", SOURCE_FILES_MAX);
    h->file_bytes = before ? before->file_bytes : 0;
    for (size_t i = 0; i < h->own.files.n; i++)
        h->file_bytes += h->own.files.p[i]->arena.used_bytes;
    for (size_t i = 0; i < h->gone.files.n; i++)
        h->file_bytes -= h->gone.files.p[i]->arena.used_bytes;
    if (h->file_bytes > HEAD_FILES_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the specs take more than %u bytes together",
                       HEAD_FILES_BYTES_MAX);
    return 0;
}

static int head_join_files(struct head *h, const struct head *alike, struct arena *scratch,
                           struct err *err)
{
    struct head_file **files = alike ? h->own.files.p : h->files;
    size_t n = alike ? h->own.files.n : h->n_files;
    const struct bundle_file **list = arena_new_n(scratch, const struct bundle_file *, n);

    for (size_t i = 0; list && i < n; i++)
        list[i] = &files[i]->read;
    if (!list)
        return arena_status(scratch, err);
    return alike ? bundle_update(&h->arena, &alike->bundle, list, n, &h->bundle, err)
                 : bundle_join(&h->arena, list, n, &h->bundle, &h->messages, err);
}

/* --- environments -------------------------------------------------------------------------------- */

/* Paths of the tree that an environment is made of; none for one that is bound nowhere. */
static int head_want(const struct head *h, const struct head_env *made, struct arena *scratch,
                     struct normalise_wants *ret, struct err *err)
{
    const struct normalise_input input = {
        .environment = made->name,
        .branch = h->branch,
        .rule = made->rule,
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
    struct head_env ruled = *made, **slot, *env;

    arena_init(&scratch, 0);
    ruled.rule = daemon_rule(in->daemon, h->source, S("environment"), made->name, NULL);
    if (head_want(h, &ruled, &scratch, &wants, err))
        return err->code;
    slot = vec_push(&h->arena, &h->own.envs);
    if (!slot)
        return arena_status(&h->arena, err);
    ruled.is_of_commit = wants.is_of_commit;
    *slot = env = head_make_env(&ruled, wants.paths.p, wants.paths.n);
    if (!env)
        return err_set(err, ERR_NOMEM, "out of memory");
    map_replace(&h->envs, env->name, env);
    return 0;
}

static int head_is_same_env(const struct head_env *a, const struct head_env *b)
{
    return a && a->document == b->document && a->application == b->application;
}

static void head_drop_env(struct head *h, struct head_env *env)
{
    struct head_env **slot = vec_push(&h->arena, &h->gone.envs);

    if (slot)
        *slot = env;
}

static const struct value *head_application(const struct head *h, const struct value *document)
{
    return map_find(&h->bundle.applications, value_get_text(document, S("application"), S("")));
}

static int head_is_gone(const struct head *h, const struct value *document)
{
    for (size_t i = 0; i < h->gone.files.n; i++)
        for (size_t j = 0; j < h->gone.files.p[i]->read.documents.n; j++)
            if (h->gone.files.p[i]->read.documents.p[j] == document)
                return 1;
    return 0;
}

/* Those of the head before that has the same names, in the same order. */
static int head_update_envs(struct head *h, const struct head_read *in, struct err *err)
{
    map_copy(&h->envs, &in->before->envs);
    for (size_t i = 0; i < h->envs.n; i++) {
        struct head_env *old = h->envs.entries[i].value;
        const struct map_entry *e = &h->bundle.environments.entries[i];
        struct head_env made = { .name = e->key, .document = e->value };

        if (old->document == made.document && !head_is_gone(h, old->application))
            continue;
        made.application = head_application(h, made.document);
        head_drop_env(h, old);
        if (head_add_env(h, in, &made, err))
            return err->code;
    }
    return arena_status(&h->arena, err);
}

static int head_read_envs(struct head *h, const struct head_read *in, struct err *err)
{
    for (size_t i = 0; i < h->bundle.environments.n; i++) {
        const struct map_entry *e = &h->bundle.environments.entries[i];
        struct head_env made = { .name = e->key, .document = e->value };
        struct head_env *old = in->before ? map_find(&in->before->envs, e->key) : NULL;

        made.application = head_application(h, made.document);
        if (head_is_same_env(old, &made))
            map_put(&h->envs, old->name, old);
        else if (head_add_env(h, in, &made, err))
            return err->code;
    }
    for (size_t i = 0; in->before && i < in->before->envs.n; i++) {
        struct head_env *old = in->before->envs.entries[i].value;

        if (map_find(&h->envs, old->name) != old)
            head_drop_env(h, old);
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

    h->line = in->before ? in->before->line + !(s->has_base && s->goes_on && !h->moved_from.n) : 1;
    h->code = str_copy(a, s->code);
    h->about = (struct source_commit){
        .id = str_copy(a, s->commit.id),
        .author = str_copy(a, s->commit.author),
        .author_mail = str_copy(a, s->commit.author_mail),
        .summary = str_copy(a, s->commit.summary),
        .schema_change = str_copy(a, s->commit.schema_change),
        .time_ms = s->commit.time_ms,
    };
}

int head_read_files(struct head *h, const struct head_read *in, struct arena *scratch,
                    const struct str **ret, size_t *ret_n, struct err *err)
{
    const struct head *alike;

    head_keep_commit(h, in);
    if (head_merge_files(h, in, scratch, err) || head_check_size(h, in->before, err))
        return err->code;
    alike = head_is_alike(h, in->before) ? in->before : NULL;
    if (head_join_files(h, alike, scratch, err) ||
        (alike ? head_update_envs(h, in, err) : head_read_envs(h, in, err)))
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

static int head_has_other_trees(const struct head *h, const struct head *before,
                                const struct head_env *env)
{
    for (size_t i = 0; i < env->n_paths; i++)
        if (!head_is_same_id(map_find(&h->trees, env->paths[i]),
                             map_find(&before->trees, env->paths[i])))
            return 1;
    return 0;
}

/* Where the code is the same, so is every tree: only those that were made for this head have moved. */
int head_read_moved(struct head *h, const struct head *before, struct err *err)
{
    h->everything_moved = !before || before->messages.n_errors || h->messages.n_errors;
    if (h->everything_moved)
        return 0;
    for (size_t i = 0; i < h->own.envs.n; i++)
        map_put(&h->moved, h->own.envs.p[i]->name, NULL);
    for (size_t i = 0; i < h->envs.n; i++) {
        struct head_env *env = h->envs.entries[i].value;

        if (env->is_of_commit ||
            (!str_eq(h->code, before->code) && head_has_other_trees(h, before, env)))
            map_put(&h->moved, env->name, NULL);
    }
    for (size_t i = 0; i < h->gone.envs.n; i++)
        map_put(&h->moved, str_copy(&h->arena, h->gone.envs.p[i]->name), NULL);
    return arena_status(&h->arena, err);
}
