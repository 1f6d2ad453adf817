/* Lines that are appended to a branch of a repository that keeps our history's heads. SPDX-License-Identifier: Apache-2.0
 *
 * A line stands in FOLDER/YYYY/MM/DD/HH, so that no file and no tree grows without end, and is the message of its
 * commit. */
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_net.h"
#include "reconciler/engine/git_op.h"

#define ANCHOR_REFS_MAX 200000u /* of the remote's list */
#define ANCHOR_DEPTH 5          /* parts of a file's name, the folder too */
#define ANCHOR_FILE_MAX ((size_t)4 << 20)
#define ANCHOR_LINE_MAX 1024u
#define ANCHOR_SAID_MAX 256 /* of what a server says to a push */
#define ANCHOR_OUTGOING                                                                            \
    GIT_MIRROR_REFS "/outgoing" /* of the mirror: libgit2 pushes what has a name */
#define ANCHOR_INCOMING                                                                            \
    GIT_MIRROR_REFS "/incoming" /* of a repository on a disk, until its branch moves */

struct anchor {
    struct git_op *op;
    struct git_net net;
    const char *mirror, *ref, *mine; /* the branch there, and our own name for it */
    struct str folder;
    git_repository *repo;
    git_remote *remote;
    git_oid tip;
    int has_tip;
    char said[ANCHOR_SAID_MAX];
};

static int anchor_read_request(struct anchor *x, struct err *err)
{
    struct git_op *op = x->op;
    struct str branch;
    int valid = 0, rc = git_op_path(op, "mirror", &x->mirror, err);

    if (!rc)
        rc = git_op_text(op, "branch", &branch, err);
    if (!rc)
        rc = git_op_text(op, "folder", &x->folder, err);
    if (!rc)
        rc = git_net_read(op->a, op->in, &x->net, err);
    if (rc)
        return rc;
    x->ref = str_fmt(op->a, "refs/heads/%.*s", STR_ARG(branch)).p;
    x->mine = git_mirror_ref(op->a, branch);
    if (arena_status(op->a, err))
        return err->code;
    if (str_find_char(x->folder, '/') != STR_NPOS || x->folder.p[0] == '.' ||
        git_reference_name_is_valid(&valid, x->ref) || !valid)
        return err_set(err, ERR_USAGE, "'branch' or 'folder' is no name");
    return 0;
}

static int anchor_find_tip(struct anchor *x, struct err *err)
{
    const git_remote_head **list;
    size_t n;

    if (git_remote_ls(&list, &n, x->remote) < 0)
        return git_net_fail(&x->net, "list branches", err);
    if (n > ANCHOR_REFS_MAX)
        return err_set(err, ERR_LIMIT, "the repository lists %zu names, the limit is %u", n,
                       ANCHOR_REFS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i]->name, x->ref)) {
            x->tip = list[i]->oid;
            x->has_tip = 1;
        }
    return 0;
}

/* --- what stands there --------------------------------------------------------------------------- */

static int anchor_has(struct anchor *x, const git_oid *id)
{
    git_object_t type;
    size_t n;

    return !git_mirror_header(x->repo, id, &n, &type) && type == GIT_OBJECT_COMMIT;
}

static int anchor_download(struct anchor *x, struct err *err)
{
    char *spec = str_to_c(x->op->a, str_fmt(x->op->a, "+%s:%s", x->ref, x->mine));
    git_strarray list = { &spec, 1 };
    git_fetch_options options;

    if (arena_status(x->op->a, err))
        return err->code;
    (void)git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION); /* known */
    options.callbacks.transfer_progress = git_net_on_progress;
    options.callbacks.payload = &x->net;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    if (git_remote_download(x->remote, &list, &options) < 0)
        return git_net_fail(&x->net, "fetch", err);
    return anchor_has(x, &x->tip)
               ? 0
               : err_set(err, ERR_UNREACHABLE, "the branch has no commit at its end");
}

/* Whoever rewrote the branch left what we brought there behind. */
static int anchor_goes_on(struct anchor *x, struct err *err)
{
    struct str known = value_get_text(x->op->in, S("known"), STR_NONE);
    AUTO_COMMIT git_commit *commit = NULL;
    struct err gone = ERR_INIT;
    int goes_on = 0;

    if (!known.n)
        return 0;
    if (x->has_tip && !git_mirror_commit(x->repo, "known", known, &commit, &gone) &&
        git_op_descends(x->repo, &x->tip, git_commit_id(commit), &goes_on, err))
        return err->code;
    return goes_on ? 0
                   : err_set(err, ERR_CONFLICT,
                             "the branch was rewritten: commit %.12s, which was brought there, is "
                             "not in it",
                             known.p);
}

/* The last name of each folder, down to a file. 0: there is none. */
static int anchor_last(struct anchor *x, struct str *ret_path, git_oid *ret, struct err *err)
{
    AUTO_COMMIT git_commit *commit = NULL;
    struct git_entry at;
    struct str path = x->folder;
    int rc = git_mirror_commit(x->repo, "tip", git_mirror_hex(x->op->a, &x->tip), &commit, err);

    if (!rc)
        rc = git_entry_find(x->repo, git_commit_tree_id(commit), path, &at, err);
    for (int depth = 1; !rc && at.kind == GIT_ENTRY_TREE && depth < ANCHOR_DEPTH; depth++) {
        AUTO_TREE git_tree *tree = NULL;
        const git_tree_entry *last;

        rc = git_entry_open_tree(x->repo, &at.id, path, &tree, err);
        if (rc)
            break;
        if (!git_tree_entrycount(tree))
            return err_set(err, ERR_NOT_FOUND, "'%.*s' is empty", STR_ARG(path));
        last = git_tree_entry_byindex(tree, git_tree_entrycount(tree) - 1);
        at = (struct git_entry){ *git_tree_entry_id(last), git_entry_kind(last) };
        path = str_fmt(x->op->a, "%.*s/%s", STR_ARG(path), git_tree_entry_name(last));
    }
    if (!rc && at.kind != GIT_ENTRY_FILE)
        rc = err_set(err, ERR_CONFLICT, "'%.*s' is no file of anchors", STR_ARG(path));
    *ret_path = path;
    *ret = at.id;
    return rc;
}

static int anchor_tell(struct anchor *x, struct err *err)
{
    struct value *out = x->op->out;
    struct arena *a = x->op->a;
    struct str path, text;
    git_oid id;
    int rc;

    if (!x->has_tip)
        return 0;
    value_set_text(a, out, S("tip"), git_mirror_hex(a, &x->tip));
    rc = anchor_last(x, &path, &id, err);
    if (rc == ERR_NOT_FOUND) { /* of others alone */
        *err = ERR_INIT;
        return 0;
    }
    if (!rc)
        rc = git_entry_read_blob(x->repo, &id, path, ANCHOR_FILE_MAX, a, &text, err);
    if (rc)
        return rc;
    value_set_text(a, out, S("file"), path);
    value_set_text(a, out, S("text"), text);
    return arena_status(a, err);
}

static int anchor_keep(struct anchor *x, const char *name, const git_oid *id, struct err *err)
{
    git_reference *ref = NULL;
    int rc = git_reference_create(&ref, x->repo, name, id, 1, NULL);

    git_reference_free(ref);
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "note where the branch is") : 0;
}

static int anchor_read(struct anchor *x, struct err *err)
{
    int rc = git_net_connect(&x->net, x->mirror, x->repo, GIT_DIRECTION_FETCH, &x->remote, err);

    if (!rc)
        rc = anchor_find_tip(x, err);
    if (!rc && x->has_tip && !anchor_has(x, &x->tip))
        rc = anchor_download(x, err);
    if (!rc)
        rc = anchor_goes_on(x, err);
    if (!rc && x->has_tip)
        rc = anchor_keep(x, x->mine, &x->tip, err);
    return rc ? rc : anchor_tell(x, err);
}

/* --- one line more ------------------------------------------------------------------------------- */

/* "FOLDER/2026/11/21/13", of UTC, and never before the last one. */
static struct str anchor_path(struct anchor *x, int64_t time_ms, struct str last)
{
    time_t at = (time_t)(time_ms / 1000);
    struct str path = STR_NONE;
    char name[32];
    struct tm t;

    if (gmtime_r(&at, &t) && strftime(name, sizeof(name), "%Y/%m/%d/%H", &t))
        path = str_fmt(x->op->a, "%.*s/%s", STR_ARG(x->folder), name);
    return last.n && (!path.n || str_cmp(path, last) < 0) ? last : path;
}

static int anchor_blob(struct anchor *x, struct str line, struct str *ret_path, git_oid *ret,
                       struct err *err)
{
    struct str last = S(""), text = S("");
    git_oid id;
    int rc = x->has_tip ? anchor_last(x, &last, &id, err) : 0;

    if (rc == ERR_NOT_FOUND)
        last = S("");
    else if (rc)
        return rc;
    *ret_path = anchor_path(x, value_get_int(x->op->in, S("time_ms"), 0), last);
    if (last.n && str_eq(*ret_path, last) &&
        git_entry_read_blob(x->repo, &id, last, ANCHOR_FILE_MAX - ANCHOR_LINE_MAX, x->op->a, &text,
                            err))
        return err->code;
    text = str_fmt(x->op->a, "%.*s%.*s\n", STR_ARG(text), STR_ARG(line));
    if (arena_status(x->op->a, err))
        return err->code;
    *err = ERR_INIT;
    return git_blob_create_from_buffer(ret, x->repo, text.p, text.n) < 0
               ? git_mirror_fail(err, ERR_IO, "write a file")
               : 0;
}

static int anchor_commit(struct anchor *x, struct str line, git_oid *ret, struct err *err)
{
    git_tree_update update = { .action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB };
    AUTO_COMMIT git_commit *parent = NULL;
    AUTO_TREE git_tree *before = NULL, *tree = NULL;
    git_signature *who = NULL;
    struct str path;
    git_oid id;
    int rc = anchor_blob(x, line, &path, &update.id, err);

    if (!rc && x->has_tip)
        rc = git_mirror_commit(x->repo, "tip", git_mirror_hex(x->op->a, &x->tip), &parent, err);
    if (rc)
        return rc;
    update.path = str_to_c(x->op->a, path);
    if (arena_status(x->op->a, err))
        return err->code;
    if (parent)
        rc = git_commit_tree(&before, parent);
    if (!rc)
        rc = git_tree_create_updated(&id, x->repo, before, 1, &update);
    if (!rc)
        rc = git_tree_lookup(&tree, x->repo, &id);
    if (!rc)
        rc = git_signature_new(&who, "reeve", "reeve@localhost",
                               value_get_int(x->op->in, S("time_ms"), 0) / 1000, 0);
    if (!rc)
        rc = git_commit_create_v(ret, x->repo, NULL, who, who, NULL, str_to_c(x->op->a, line), tree,
                                 parent ? 1 : 0, parent);
    git_signature_free(who);
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "make a commit") : arena_status(x->op->a, err);
}

static int anchor_on_status(const char *ref, const char *status, void *ctx)
{
    struct anchor *x = ctx;

    (void)ref; /* there is one */
    if (status)
        (void)snprintf(x->said, sizeof(x->said), "%s", status); /* a cut sentence still explains */
    return 0;
}

static int anchor_upload(struct anchor *x, const char *to, struct err *err)
{
    char *spec = str_to_c(x->op->a, str_fmt(x->op->a, ANCHOR_OUTGOING ":%s", to));
    git_strarray list = { &spec, 1 };
    git_push_options options;
    int rc;

    if (arena_status(x->op->a, err))
        return err->code;
    (void)git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION); /* known */
    options.callbacks.push_update_reference = anchor_on_status;
    options.callbacks.payload = x;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    rc = git_remote_upload(x->remote, &list, &options);
    if (rc == GIT_ENONFASTFORWARD)
        return err_set(err, ERR_STALE, "the branch moved meanwhile");
    if (rc < 0)
        return git_net_fail(&x->net, "push", err);
    return x->said[0] ? git_mirror_fail(err, ERR_REFUSED, "the server takes no push: %s", x->said)
                      : 0;
}

/* libgit2 moves a branch on a disk whatever it is meanwhile: we move it, from where it was and nowhere else. */
static int anchor_move_there(struct anchor *x, const git_oid *id, struct err *err)
{
    AUTO_REPO git_repository *there = NULL;
    git_reference *ref = NULL;
    int rc;

    if (git_repository_open_bare(&there, str_to_c(x->op->a, x->net.url.path)) < 0)
        return git_mirror_fail(err, ERR_UNREACHABLE, "open the repository");
    rc = x->has_tip ? git_reference_create_matching(&ref, there, x->ref, id, 1, &x->tip, NULL)
                    : git_reference_create(&ref, there, x->ref, id, 0, NULL);
    git_reference_free(ref);
    if (rc == GIT_EMODIFIED || rc == GIT_EEXISTS)
        return err_set(err, ERR_STALE, "the branch moved meanwhile");
    if (rc < 0)
        return git_mirror_fail(err, ERR_UNREACHABLE, "move the branch");
    (void)git_reference_remove(there, ANCHOR_INCOMING); /* the next one takes it over */
    return 0;
}

static int anchor_push(struct anchor *x, struct err *err)
{
    struct str wanted = value_get_text(x->op->in, S("tip"), S("")), line;
    int rc = git_op_text(x->op, "line", &line, err), is_disk = x->net.url.scheme == GIT_URL_FILE;
    git_oid id;

    if (!rc && (line.n > ANCHOR_LINE_MAX || str_find_char(line, '\n') != STR_NPOS))
        rc = err_set(err, ERR_USAGE, "'line' is no line");
    if (!rc)
        rc = git_net_connect(&x->net, x->mirror, x->repo, GIT_DIRECTION_PUSH, &x->remote, err);
    if (!rc)
        rc = anchor_find_tip(x, err);
    if (!rc && !str_eq(wanted, x->has_tip ? git_mirror_hex(x->op->a, &x->tip) : S("")))
        rc = err_set(err, ERR_STALE, "the branch moved meanwhile");
    if (!rc)
        rc = anchor_commit(x, line, &id, err);
    if (!rc)
        rc = anchor_keep(x, ANCHOR_OUTGOING, &id, err);
    if (!rc)
        rc = anchor_upload(x, is_disk ? ANCHOR_INCOMING : x->ref, err);
    if (!rc && is_disk)
        rc = anchor_move_there(x, &id, err);
    if (!rc)
        rc = anchor_keep(x, x->mine, &id, err);
    if (!rc)
        value_set_text(x->op->a, x->op->out, S("commit"), git_mirror_hex(x->op->a, &id));
    return rc;
}

static int anchor_run(struct git_op *op, int (*fn)(struct anchor *x, struct err *err),
                      struct err *err)
{
    struct anchor x = { .op = op };
    AUTO_CLOSE int lock = -1;
    int rc = anchor_read_request(&x, err);

    if (!rc)
        rc = git_mirror_create(x.mirror, &x.repo, err);
    if (!rc)
        rc = sys_lock_file(str_fmt(op->a, "%s/" GIT_MIRROR_LOCK, x.mirror).p, S("git-worker"),
                           &lock, err);
    if (!rc)
        rc = fn(&x, err);
    git_remote_free(x.remote);
    git_repository_free(x.repo);
    git_dial_close(&x.net.dial);
    return rc;
}

int git_op_anchor_read(struct git_op *op, struct err *err)
{
    return anchor_run(op, anchor_read, err);
}

int git_op_anchor_push(struct git_op *op, struct err *err)
{
    return anchor_run(op, anchor_push, err);
}
