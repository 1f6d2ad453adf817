/* What differs between plans, and between revisions. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/plan_differ.h"
#include "reconciler/engine/snapshot_load.h"
#include "reconciler/engine/view_rows.h"
#include "state/revisions.h"

static int load_plan(const struct view *v, const struct rec_plan *row, struct plan *ret,
                     struct err *err)
{
    struct str body;

    if (db_document(v->db, v->a, &row->doc, &body, err))
        return err->code;
    return plan_parse(v->a, body, ret, err);
}

int view_plan_difference(const struct view *v, const struct rec_plan *old, struct value **ret,
                         struct err *err)
{
    struct rec_plan now = { .id = old->superseded_by };
    struct plan before, after = { 0 }, difference;

    if (load_plan(v, old, &before, err))
        return err->code;
    if (!digest_is_none(&now.id) &&
        (db_get(v->db, v->a, REC_plan, &now, err) || load_plan(v, &now, &after, err)))
        return err->code;
    if (digest_is_none(&now.id))
        after = (struct plan){ .cause = before.cause,
                               .apply_seq = before.apply_seq,
                               .base = before.base,
                               .target = before.target,
                               .reads = before.reads };
    plan_differ(v->a, &before, &after, &difference);
    *ret = plan_differ_value(v->a, &difference);
    return arena_status(v->a, err);
}

/* --- revisions ----------------------------------------------------------------------------------- */

static int no_revision(struct str word, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no revision '%.*s': its number, or %d digits of its digest or its commit",
                   STR_ARG(word), VIEW_PREFIX_MIN);
}

struct found {
    struct digest digest;
    struct str commit; /* "": found by its own digest */
    size_t n;
};

/* Several revisions of one commit: the first, which is the newest. */
static void take(struct found *f, struct str commit, const struct digest *d)
{
    if (f->n && (digest_eq(&f->digest, d) || (commit.n && str_eq(commit, f->commit))))
        return;
    if (!f->n)
        *f = (struct found){ *d, commit, 0 };
    f->n++;
}

static int find_by_prefix(const struct view *v, struct str env, struct str word, struct digest *ret,
                          struct err *err)
{
    struct rec_revision *rows;
    struct rec_revision_commit *commits;
    struct found found = { 0 };
    size_t n, n_commits;

    if (DB_SELECT(v->db, v->a, revision, "WHERE env = $1 ORDER BY n DESC", &rows, &n, err,
                  DB_T(env)) ||
        DB_SELECT(v->db, v->a, revision_commit, "WHERE env = $1 ORDER BY seen_seq DESC", &commits,
                  &n_commits, err, DB_T(env)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (str_starts(digest_hex(v->a, &rows[i].digest), word))
            take(&found, S(""), &rows[i].digest);
    for (size_t i = 0; i < n_commits; i++)
        if (str_starts(commits[i].commit_id, word))
            take(&found, commits[i].commit_id, &commits[i].digest);
    if (found.n > 1)
        return err_set(err, ERR_CONFLICT, "several revisions begin with '%.*s': give more digits",
                       STR_ARG(word));
    if (!found.n)
        return no_revision(word, err);
    *ret = found.digest;
    return 0;
}

/* A number, else what begins like a digest or a commit's id. */
static int find_revision(const struct view *v, const struct rec_environment *env, struct str word,
                         struct digest *ret, struct err *err)
{
    struct rec_revision row;
    int64_t number;
    int rc = ERR_NOT_FOUND;

    if (!word.n) {
        *ret = env->live_rev;
        return digest_is_none(ret) ? err_set(err, ERR_NOT_FOUND, "nothing is live in '%.*s' yet",
                                             STR_ARG(env->name))
                                   : 0;
    }
    if (!str_to_i64(word, &number))
        rc = revisions_by_n(v->db, v->a, env->uid, number, &row, err);
    if (!rc)
        *ret = row.digest;
    if (rc != ERR_NOT_FOUND)
        return rc;
    if (word.n < VIEW_PREFIX_MIN)
        return no_revision(word, err);
    return find_by_prefix(v, env->uid, word, ret, err);
}

int view_diff(const struct view *v, struct str name, struct str from, struct str to,
              struct value **ret, struct err *err)
{
    struct environment_spec before, after;
    struct digest old, now;
    struct rec_environment env;
    struct plan difference;
    struct value *old_row, *now_row, *map;

    if (view_find_environment(v, name, &env, err) || find_revision(v, &env, from, &old, err) ||
        find_revision(v, &env, to, &now, err) ||
        snapshot_load_revision(v->a, v->db, env.uid, &old, &before, err) ||
        snapshot_load_revision(v->a, v->db, env.uid, &now, &after, err) ||
        view_revision(v, env.uid, &old, INT64_MAX, &old_row, err) ||
        view_revision(v, env.uid, &now, INT64_MAX, &now_row, err))
        return err->code;
    plan_differ_specs(v->a, &before, &after, &difference);
    map = plan_differ_value(v->a, &difference);
    value_set_text(v->a, map, S("environment"), env.name);
    value_set(v->a, map, S("from"), old_row);
    value_set(v->a, map, S("to"), now_row);
    *ret = map;
    return arena_status(v->a, err);
}
