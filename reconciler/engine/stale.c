/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/stale.h"

#include "state/environments.h"
#include "state/resources.h"

int stale_epoch(struct arena *a, struct db *db, int64_t *ret, struct err *err)
{
    struct str text;

    *ret = 0;
    if (db_meta(db, a, S("epoch"), &text, err))
        return err->code;
    if (text.p && str_to_i64(text, ret))
        return err_set(err, ERR_CORRUPT, "the epoch is '%.*s'", STR_ARG(text));
    return 0;
}

/* A generation that is in use was given out by the environment's row before. */
static int judge_generation(struct arena *a, struct db *db, const struct owned *o,
                            struct str *ret_why, struct err *err)
{
    int64_t generation = value_get_int(o->outputs, S("generation"), 0);
    struct rec_environment env;

    if (!str_eq_c(o->kind, "switch"))
        return 0;
    if (environments_by_uid(db, a, o->env_uid, &env, err))
        return err->code;
    if (generation > env.route_gen)
        *ret_why = str_fmt(a, "route generation %lld of '%.*s' is served, it knows %lld",
                           (long long)generation, STR_ARG(o->env), (long long)env.route_gen);
    return 0;
}

/* A run of a job has a row before it has anything else. */
static int knows_run(struct arena *a, struct db *db, const struct owned *o, int *ret,
                     struct err *err)
{
    size_t at = str_find_char(o->name, '@');
    struct rec_job_run row = { .env = o->env_uid, .job = str_slice(o->name, 0, at) };
    int rc = str_to_i64(str_slice(o->name, at + 1, o->name.n), &row.at_ms)
                 ? ERR_NOT_FOUND
                 : db_get(db, a, REC_job_run, &row, err);

    *ret = !rc;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The row of what is gone has the incarnation that comes next. */
int stale_knows(struct arena *a, struct db *db, const struct owned *o, int *ret, struct err *err)
{
    struct rec_resource row;
    int rc;

    if (str_eq_c(o->kind, "job"))
        return knows_run(a, db, o, ret, err);
    rc = resources_now(db, a, o->env_uid, o->kind, o->name, &row, err);
    *ret = !rc && (row.incarnation > o->incarnation ||
                   (row.incarnation == o->incarnation && !str_eq_c(row.status, "gone")));
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int is_strange(struct arena *a, struct db *db, const struct owned *o, int *ret,
                      struct err *err)
{
    struct str known;
    int rc = db_meta(db, a, str_fmt(a, STALE_STRANGE "%.*s", STR_ARG(o->owner)), &known, err);

    *ret = !rc && known.p;
    return rc;
}

static int judge_thing(struct arena *a, struct db *db, const struct owned *o, struct str *ret_why,
                       struct err *err)
{
    int is_known, rc = stale_knows(a, db, o, &is_known, err);

    if (!rc && is_known && !str_eq_c(o->kind, "job"))
        return judge_generation(a, db, o, ret_why, err);
    if (!rc && !is_known)
        rc = is_strange(a, db, o, &is_known, err);
    if (rc || is_known)
        return rc;
    if (str_eq_c(o->kind, "job"))
        *ret_why = str_fmt(a, "it does not know the run job/%.*s of '%.*s'", STR_ARG(o->name),
                           STR_ARG(o->env));
    else
        *ret_why = str_fmt(a, "it does not know %.*s/%.*s of '%.*s', made for commit %.*s",
                           STR_ARG(o->kind), STR_ARG(o->name), STR_ARG(o->env), 12,
                           o->commit.n >= 12 ? o->commit.p : "(unknown)   ");
    return 0;
}

int stale_judge(struct arena *a, struct db *db, const struct world *world, struct str *ret_why,
                struct err *err)
{
    struct str why = STR_NONE;
    int64_t epoch;

    if (stale_epoch(a, db, &epoch, err))
        return err->code;
    if (world->epoch > epoch)
        why = str_fmt(a, "the daemon's life %lld changed the world, it knows %lld",
                      (long long)world->epoch, (long long)epoch);
    for (size_t i = 0; !why.p && i < world->things.n; i++)
        if (judge_thing(a, db, &world->things.p[i], &why, err))
            return err->code;
    *ret_why = why;
    return arena_status(a, err);
}
