/* SPDX-License-Identifier: Apache-2.0 */
#include "state/revisions.h"

#include <inttypes.h>

int revisions_by_digest(struct db *db, struct arena *a, struct str env, const struct digest *digest,
                        struct rec_revision *ret, struct err *err)
{
    struct rec_revision revision = { .env = env, .digest = *digest };
    int rc = db_get(db, a, REC_revision, &revision, err);

    if (rc)
        return rc;
    *ret = revision;
    return 0;
}

int revisions_by_n(struct db *db, struct arena *a, struct str env, int64_t n,
                   struct rec_revision *ret, struct err *err)
{
    struct rec_revision *rows;
    size_t n_rows;
    int rc = DB_SELECT(db, a, revision, "WHERE env = $1 AND n = $2", &rows, &n_rows, err, DB_T(env),
                       DB_I(n));

    if (rc)
        return rc;
    if (!n_rows)
        return err_set(err, ERR_NOT_FOUND, "there is no revision %" PRId64, n);
    *ret = rows[0];
    return 0;
}

int revisions_next_n(struct db *db, struct arena *a, struct str env, int64_t *ret, struct err *err)
{
    struct rec_revision *rows;
    size_t n_rows;
    int rc = revisions_list(db, a, env, 1, &rows, &n_rows, err);

    if (rc)
        return rc;
    *ret = n_rows ? rows[0].n + 1 : 1;
    return 0;
}

int revisions_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                   struct rec_revision **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, revision, "WHERE env = $1 ORDER BY n DESC LIMIT $2", ret, ret_n, err,
                     DB_T(env), DB_I(limit));
}

int revisions_proven(struct db *db, struct arena *a, struct str env, int64_t limit,
                     struct rec_revision **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, revision,
                     "WHERE env = $1 AND proven_seq IS NOT NULL ORDER BY proven_seq DESC LIMIT $2",
                     ret, ret_n, err, DB_T(env), DB_I(limit));
}

int revisions_commits(struct db *db, struct arena *a, struct str env, const struct digest *digest,
                      struct rec_revision_commit **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, revision_commit,
                     "WHERE env = $1 AND digest = $2 ORDER BY seen_seq, commit_id", ret, ret_n, err,
                     DB_T(env), DB_D(digest));
}
