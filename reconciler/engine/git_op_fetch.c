/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "base/vec.h"
#include "reconciler/engine/git_net.h"
#include "reconciler/engine/git_op.h"
#include "reconciler/engine/git_text.h"

#define FETCH_REFS_MAX 200000u /* of the remote's list */
#define FETCH_HEADS_MAX 10000u /* of those that were asked for */

struct fetch_head {
    struct str name; /* "main", or "refs/tags/v1" in full where it is no branch */
    const char *ref; /* on the remote */
    git_oid id;
};

struct fetch {
    struct git_op *op;
    struct git_op read; /* a question of its own, one branch after the other */
    struct git_net net;
    const char *mirror;
    git_repository *repo;
    git_remote *remote;
    VEC(struct fetch_head) heads;
};

static int fetch_read_request(struct fetch *f, struct err *err)
{
    int rc = git_op_path(f->op, "mirror", &f->mirror, err);

    return rc ? rc : git_net_read(f->op->a, f->op->in, &f->net, err);
}

/* A wanted name may hold one '*', which stands for any bytes; that of a branch finds branches alone. */
static int fetch_matches(struct str wanted, struct str name)
{
    size_t star = str_find_char(wanted, '*');

    if (str_starts(name, S("refs/")) && !str_starts(wanted, S("refs/")))
        return 0;
    if (star == STR_NPOS)
        return str_eq(wanted, name);
    return name.n + 1 >= wanted.n && str_starts(name, str_slice(wanted, 0, star)) &&
           str_ends(name, str_slice(wanted, star + 1, wanted.n));
}

static int fetch_is_wanted(const struct value *wanted, struct str name)
{
    for (size_t i = 0; i < value_count(wanted); i++)
        if (fetch_matches(value_item(wanted, i)->u.text, name))
            return 1;
    return 0;
}

static int fetch_check_wanted(const struct value *wanted, struct err *err)
{
    for (size_t i = 0; i < value_count(wanted); i++) {
        const struct value *one = value_item(wanted, i);

        if (!value_is(one, VALUE_TEXT) || !one->u.text.n)
            return err_set(err, ERR_USAGE, "'branches' is not a list of names");
    }
    return value_count(wanted) ? 0 : err_set(err, ERR_USAGE, "the request lacks 'branches'");
}

static int fetch_is_name(struct str ref)
{
    int valid = 0;

    return !git_reference_name_is_valid(&valid, ref.p) && valid &&
           git_text_utf8_fault(ref) == STR_NPOS;
}

/* What was asked for and is there. An empty list is an error: it is no proof that branches are gone. */
static int fetch_pick(struct fetch *f, const struct value *wanted, struct err *err)
{
    const git_remote_head **list;
    size_t n;

    if (git_remote_ls(&list, &n, f->remote) < 0)
        return git_net_fail(&f->net, "list branches", err);
    if (!n)
        return err_set(err, ERR_UNREACHABLE, "the repository lists no branch at all");
    if (n > FETCH_REFS_MAX)
        return err_set(err, ERR_LIMIT, "the repository lists %zu names, the limit is %u", n,
                       FETCH_REFS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct str ref = str_from_c(list[i]->name), name = ref;
        struct fetch_head *head;

        if (str_starts(ref, S("refs/heads/")))
            name = str_slice(ref, strlen("refs/heads/"), ref.n);
        if (!str_starts(ref, S("refs/")) || !fetch_is_wanted(wanted, name) || !fetch_is_name(ref))
            continue;
        head = vec_push(f->op->a, &f->heads);
        if (!head)
            return arena_status(f->op->a, err);
        *head = (struct fetch_head){ str_copy(f->op->a, name), str_to_c(f->op->a, ref),
                                     list[i]->oid };
        if (f->heads.n > FETCH_HEADS_MAX)
            return err_set(err, ERR_LIMIT, "more than %u branches were asked for", FETCH_HEADS_MAX);
    }
    return arena_status(f->op->a, err);
}

static int fetch_is_present(struct fetch *f, const struct fetch_head *head)
{
    git_oid have;

    return !git_reference_name_to_id(&have, f->repo, git_mirror_ref(f->op->a, head->name)) &&
           git_oid_equal(&have, &head->id);
}

static int fetch_download(struct fetch *f, struct err *err)
{
    git_fetch_options options;
    char **specs = arena_new_n(f->op->a, char *, f->heads.n + 1);
    git_strarray list = { specs, 0 };

    if (!specs)
        return arena_status(f->op->a, err);
    for (size_t i = 0; i < f->heads.n; i++)
        if (!fetch_is_present(f, &f->heads.p[i]))
            specs[list.count++] = str_to_c(f->op->a,
                                           str_fmt(f->op->a, "+%s:%s", f->heads.p[i].ref,
                                                   git_mirror_ref(f->op->a, f->heads.p[i].name)));
    if (arena_status(f->op->a, err))
        return err->code;
    if (!list.count)
        return 0;
    (void)git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION); /* known */
    options.callbacks.transfer_progress = git_net_on_progress;
    options.callbacks.payload = &f->net;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    if (git_remote_download(f->remote, &list, &options) < 0)
        return git_net_fail(&f->net, "fetch", err);
    return 0;
}

/* What moved is read at once. What cannot be read is left out: asked alone, it says why. */
static void fetch_read_moved(struct fetch *f, const struct fetch_head *head, struct value *entry)
{
    const struct value *read = value_get(value_get(f->op->in, S("reads")), head->name);
    struct str commit = value_get_text(entry, S("commit"), S(""));
    struct err unused = ERR_INIT;

    if (!read || str_eq(commit, value_get_text(read, S("base"), S(""))))
        return;
    f->read.a = f->op->a;
    f->read.in = read;
    f->read.out = value_map(f->op->a);
    if (!git_op_read_commit(&f->read, f->repo, commit, &unused))
        value_set(f->op->a, entry, S("read"), f->read.out);
}

/* What a bundle brought stands until the host's branch goes on from it: "behind" hosts have not heard of it, of those
 * that are "diverged" a person knows which is right. 1: it stands. */
static int fetch_keep_ahead(struct fetch *f, const struct fetch_head *head, const git_oid *host,
                            struct value *entry, struct err *err)
{
    struct str id = value_get_text(value_get(f->op->in, S("ahead")), head->name, STR_NONE);
    AUTO_COMMIT git_commit *ahead = NULL;
    struct err gone = ERR_INIT; /* a mirror made anew has heard of no bundle */
    struct arena *a = f->op->a;
    int goes_on, is_behind;

    if (!id.n || git_mirror_commit(f->repo, "bundle", id, &ahead, &gone))
        return 0;
    if (git_op_descends(f->repo, host, git_commit_id(ahead), &goes_on, err))
        return err->code;
    if (goes_on)
        return 0;
    if (git_op_descends(f->repo, git_commit_id(ahead), host, &is_behind, err))
        return err->code;
    value_set_text(a, entry, S("commit"), id);
    value_set_text(a, entry, S("tree"), git_mirror_hex(a, git_commit_tree_id(ahead)));
    value_set_text(a, entry, S("host"), git_mirror_hex(a, host));
    value_set_text(a, entry, S("host_is"), is_behind ? S("behind") : S("diverged"));
    return 1;
}

/* The tip must be a commit that is here, with its tree; then our own name points to it. */
static int fetch_settle_head(struct fetch *f, const struct fetch_head *head, struct value *heads,
                             struct err *err)
{
    git_object *object = NULL, *commit = NULL;
    git_reference *ref = NULL;
    struct arena *a = f->op->a;
    struct value *entry = value_map(a);
    git_object_t type;
    size_t n;
    int rc = git_object_lookup(&object, f->repo, &head->id, GIT_OBJECT_ANY), is_ahead = 0;

    if (!rc)
        rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    git_object_free(object);
    if (!rc)
        rc = git_mirror_header(f->repo, git_commit_tree_id((git_commit *)commit), &n, &type);
    if (!rc)
        is_ahead = fetch_keep_ahead(f, head, git_object_id(commit), entry, err);
    if (!rc && is_ahead) {
        git_object_free(commit);
        value_set(a, heads, head->name, entry);
        return is_ahead < 0 ? is_ahead : 0;
    }
    if (!rc)
        rc = git_reference_create(&ref, f->repo, git_mirror_ref(a, head->name), &head->id, 1, NULL);
    git_reference_free(ref);
    if (!rc) {
        value_set_text(a, entry, S("commit"), git_mirror_hex(a, git_object_id(commit)));
        value_set_text(a, entry, S("tree"),
                       git_mirror_hex(a, git_commit_tree_id((git_commit *)commit)));
        value_set_int(a, entry, S("time_ms"), git_commit_time((git_commit *)commit) * 1000);
        value_set(a, heads, head->name, entry);
        fetch_read_moved(f, head, entry);
    }
    git_object_free(commit);
    return rc < 0 ? git_mirror_fail(err, ERR_UNREACHABLE, "'%.*s' has no complete commit",
                                    STR_ARG(git_text_show(a, head->name)))
                  : 0;
}

static int fetch_answer(struct fetch *f, const struct value *wanted, struct err *err)
{
    struct arena *a = f->op->a;
    struct value *heads = value_map(a), *gone = value_list(a);
    int rc = 0;

    for (size_t i = 0; !rc && i < f->heads.n; i++)
        rc = fetch_settle_head(f, &f->heads.p[i], heads, err);
    for (size_t i = 0; !rc && i < value_count(wanted); i++) {
        struct str name = value_item(wanted, i)->u.text;

        if (str_find_char(name, '*') == STR_NPOS && !value_get(heads, name))
            value_add(a, gone, value_text(a, name));
    }
    value_set(a, f->op->out, S("heads"), heads);
    value_set(a, f->op->out, S("gone"), gone);
    return rc;
}

static int fetch_run(struct fetch *f, struct err *err)
{
    const struct value *wanted = value_get(f->op->in, S("branches"));
    int rc = fetch_check_wanted(wanted, err);

    if (!rc)
        rc = git_net_connect(&f->net, f->mirror, f->repo, GIT_DIRECTION_FETCH, &f->remote, err);
    if (!rc)
        rc = fetch_pick(f, wanted, err);
    if (!rc)
        rc = fetch_download(f, err);
    return rc ? rc : fetch_answer(f, wanted, err);
}

int git_op_fetch(struct git_op *op, struct err *err)
{
    struct fetch f = { .op = op };
    AUTO_CLOSE int lock = -1;
    int rc = fetch_read_request(&f, err);

    if (!rc)
        rc = git_mirror_create(f.mirror, &f.repo, err);
    if (!rc)
        rc = sys_lock_file(str_fmt(op->a, "%s/" GIT_MIRROR_LOCK, f.mirror).p, S("git-worker"),
                           &lock, err);
    if (!rc)
        rc = fetch_run(&f, err);
    git_remote_free(f.remote);
    git_repository_free(f.repo);
    git_dial_close(&f.net.dial);
    return rc;
}
