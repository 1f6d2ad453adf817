/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_op.h"

#include <string.h>
#include <strings.h>

#include "reconciler/engine/git_text.h"

int git_op_text(const struct git_op *op, const char *name, struct str *ret, struct err *err)
{
    struct str text = value_get_text(op->in, str_from_c(name), STR_NONE);

    if (!text.n || memchr(text.p, '\0', text.n))
        return err_set(err, ERR_USAGE, "the request lacks '%s'", name);
    *ret = text;
    return 0;
}

int git_op_path(struct git_op *op, const char *name, const char **ret, struct err *err)
{
    struct str text;
    int rc = git_op_text(op, name, &text, err);

    if (rc)
        return rc;
    if (text.p[0] != '/')
        return err_set(err, ERR_USAGE, "'%s' is not an absolute path", name);
    *ret = str_to_c(op->a, text);
    return arena_status(op->a, err);
}

int git_op_open(struct git_op *op, git_repository **ret, struct err *err)
{
    const char *path;
    int rc = git_op_path(op, "mirror", &path, err);

    return rc ? rc : git_mirror_open(path, ret, err);
}

static void git_op_set_line(struct arena *a, struct value *map, struct str key, const char *text)
{
    value_set_text(a, map, key, git_text_utf8(a, str_from_c(text ? text : ""), GIT_OP_TEXT_MAX));
}

/* Seconds as somebody wrote them, in milliseconds that do not overflow. */
static int64_t git_op_time_ms(git_time_t seconds)
{
    if (seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000)
        return 0;
    return seconds * 1000;
}

int git_op_descends(git_repository *repo, const git_oid *commit, const git_oid *ancestor, int *ret,
                    struct err *err)
{
    int rc = git_oid_equal(commit, ancestor) ? 1 : git_graph_descendant_of(repo, commit, ancestor);

    if (rc < 0)
        return git_mirror_fail(err, ERR_IO, "walk back from %s", git_oid_tostr_s(commit));
    *ret = rc;
    return 0;
}

/* "Ann <ann@acme.test>": what is no address is somebody whom nobody knows. */
static void git_op_add_co_author(struct arena *a, struct value *list, const char *text)
{
    struct str all = str_from_c(text), mail = all;
    const char *open = strrchr(text, '<');
    size_t end;

    if (value_count(list) == GIT_OP_CO_AUTHORS_MAX)
        return; /* the one before says that there are more */
    if (open)
        mail = str_slice(all, (size_t)(open - text) + 1, all.n);
    end = str_find_char(mail, '>');
    mail = open && end != STR_NPOS ? str_slice(mail, 0, end) : all;
    if (value_count(list) + 1 == GIT_OP_CO_AUTHORS_MAX)
        mail = S("(more co-authors)");
    value_add(a, list, value_text(a, git_text_utf8(a, mail, GIT_OP_TEXT_MAX)));
}

/* The word of Schema-Change (several are all told, which is no word), and who else made the commit. */
static void git_op_set_trailers(struct arena *a, struct value *map, git_commit *commit)
{
    git_message_trailer_array trailers = { 0 };
    struct value *others = value_list(a);
    struct sb text;

    sb_init(&text, a);
    if (git_message_trailers(&trailers, git_commit_message(commit)))
        return; /* a message that cannot be read says nothing */
    for (size_t i = 0; i < trailers.count; i++) {
        if (!strcasecmp(trailers.trailers[i].key, "Schema-Change"))
            sb_addf(&text, "%s%s", text.n ? ", " : "", trailers.trailers[i].value);
        if (!strcasecmp(trailers.trailers[i].key, "Co-authored-by"))
            git_op_add_co_author(a, others, trailers.trailers[i].value);
    }
    if (text.n)
        git_op_set_line(a, map, S("schema_change"), sb_str(&text).p);
    if (value_count(others))
        value_set(a, map, S("co_authors"), others);
    git_message_trailer_array_free(&trailers);
}

struct value *git_op_commit(struct arena *a, git_commit *commit)
{
    const git_signature *author = git_commit_author(commit);
    const git_signature *committer = git_commit_committer(commit);
    struct value *map = value_map(a), *parents = value_list(a);

    value_set_text(a, map, S("id"), git_mirror_hex(a, git_commit_id(commit)));
    value_set_text(a, map, S("tree"), git_mirror_hex(a, git_commit_tree_id(commit)));
    git_op_set_line(a, map, S("author"), author->name);
    git_op_set_line(a, map, S("author_mail"), author->email);
    git_op_set_line(a, map, S("committer"), committer->name);
    git_op_set_line(a, map, S("committer_mail"), committer->email);
    value_set_int(a, map, S("time_ms"), git_op_time_ms(git_commit_time(commit)));
    git_op_set_line(a, map, S("summary"), git_commit_summary(commit));
    git_op_set_trailers(a, map, commit);
    for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
        value_add(a, parents, value_text(a, git_mirror_hex(a, git_commit_parent_id(commit, i))));
    value_set(a, map, S("parents"), parents);
    return map;
}
