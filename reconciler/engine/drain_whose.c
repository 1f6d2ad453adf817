/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_whose.h"

#include "reconciler/core/identity.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/log_hide.h"
#include "state/environments.h"

/* One that went before anybody saw it. */
static int find_row(struct drain_tail *t, struct db *db, struct arena *round, struct err *err)
{
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(db, round, resource,
                       "WHERE owner = $1 AND kind = 'instance' ORDER BY valid_from DESC LIMIT 1",
                       &rows, &n, err, DB_T(t->owner));

    if (rc || !n)
        return rc;
    t->env_uid = str_copy(&t->own, rows[0].env);
    t->name = str_copy(&t->own, rows[0].name);
    return 0;
}

/* "web@0123456789ab.0" */
static void read_name(struct drain_tail *t)
{
    struct str rest = t->name;

    if (str_next(&rest, '@', &t->service))
        (void)str_next(&rest, '.', &t->set);
}

static int find_set(struct drain_tail *t, struct db *db, struct arena *round, struct err *err)
{
    struct rec_revision_commit *commits;
    struct rec_set *rows;
    size_t n, n_commits;
    int rc = DB_SELECT(db, round, set, "WHERE env = $1 AND service = $2", &rows, &n, err,
                       DB_T(t->env_uid), DB_T(t->service));

    for (size_t i = 0; !rc && i < n; i++) {
        if (!str_eq(str_slice(digest_hex(round, &rows[i].set_key), 0, IDENTITY_SHORT), t->set))
            continue;
        t->colour = str_copy(&t->own, rows[i].colour);
        t->revision = str_copy(&t->own,
                               str_slice(digest_hex(round, &rows[i].revision), 0, IDENTITY_SHORT));
        rc = DB_SELECT(db, round, revision_commit,
                       "WHERE env = $1 AND digest = $2 ORDER BY seen_seq, commit_id LIMIT 1",
                       &commits, &n_commits, err, DB_T(t->env_uid), DB_D(&rows[i].revision));
        if (!rc && n_commits)
            t->commit = str_copy(&t->own, commits[0].commit_id);
    }
    return rc;
}

static int is_wanted(const struct drain_tails *d, const struct drain_tail *t)
{
    return t->env.n && scope_has(value_get(d->config, S("environments")), t->env) &&
           scope_has(value_get(d->config, S("services")), t->service);
}

/* Answered where it is known whose it is, and what it was given or that nobody wants it. */
static int ask_one(struct drain_tails *d, struct drain_tail *t, struct db *db, struct arena *round,
                   struct err *err)
{
    struct rec_resource row = { .kind = S("instance"), .owner = t->owner };
    struct rec_environment env;
    struct value *given = NULL;
    int rc = t->env_uid.n ? 0 : find_row(t, db, round, err);

    if (rc || !t->env_uid.n)
        return rc;
    rc = environments_by_uid(db, round, t->env_uid, &env, err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc)
        return rc;
    t->env = str_copy(&t->own, env.name);
    read_name(t);
    t->is_asked = !is_wanted(d, t);
    if (t->is_asked)
        return 0;
    row.env = t->env_uid;
    row.name = t->name;
    if (find_set(t, db, round, err) || log_hide_names(db, round, &row, &given, err))
        return err->code;
    t->given = given ? value_copy(&t->own, given) : NULL;
    if (arena_status(&t->own, err))
        return err->code;
    t->is_wanted = t->is_asked = given || t->n_asks + 1 >= DRAIN_ASK_TIMES;
    if (t->is_wanted)
        d->counts.lost += t->mark.lost; /* before anybody knew whose they were */
    return 0;
}

int drain_whose_ask(struct drain_tails *d, struct db *db, struct arena *round, struct err *err)
{
    size_t n = 0;

    for (struct drain_tail *t = d->first; t && n < DRAIN_ASKS_MAX; t = t->next) {
        if (t->is_asked || !t->has_news)
            continue;
        n++;
        if (ask_one(d, t, db, round, err))
            return err->code;
        t->is_asked |= ++t->n_asks >= DRAIN_ASK_TIMES;
    }
    return arena_status(round, err);
}
