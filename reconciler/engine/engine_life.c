/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine_life.h"

#include <sys/stat.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/anchor_start.h"
#include "reconciler/engine/engine_suspects.h"
#include "reconciler/engine/installation.h"
#include "reconciler/engine/lives.h"
#include "reconciler/engine/peer.h"
#include "reconciler/engine/peer_mark.h"
#include "reconciler/engine/recover_place.h"
#include "reconciler/engine/source_task.h"
#include "reconciler/engine/stale.h"
#include "reconciler/engine/takeover.h"
#include "specs/json_io.h"
#include "state/ballast.h"
#include "state/replica.h"

#define LIFE_LIST_MS 2000 /* a provider that hangs does not keep the daemon from its work */

static struct str path_dir(struct arena *a, struct str path)
{
    size_t slash = path.n;

    while (slash && path.p[slash - 1] != '/')
        slash--;
    return slash > 1 ? str_copy(a, str_slice(path, 0, slash - 1)) : S("/");
}

/* A row of meta that holds the epoch, what is known of the clock, and their event. */
int engine_write_life(struct engine *e, struct arena *a, struct str event, struct str key,
                      struct err *err)
{
    const struct rec_meta row = { .k = key, .v = str_fmt(a, "%lld", (long long)e->epoch) };
    struct tx *tx;

    if (engine_tx(e,
                  &(struct engine_event){ .kind = event, .subject = str_from_c(e->options.holder) },
                  &tx, err))
        return err->code;
    if (tx_put(tx, REC_meta, &row, err) || clock_task_put(&e->clock, tx, a, err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
}

int engine_refuse_stale(const struct engine *e, struct err *err)
{
    return err_set(err, ERR_REFUSED, "the database is older than the world: %.*s (%.*s)",
                   STR_ARG(e->stale), STR_ARG(e->stale_help));
}

/* A person says that it may act unasked. */
static int write_alone(struct engine *e, struct err *err)
{
    struct tx *tx;

    if (engine_tx(
            e,
            &(struct engine_event){ .kind = S("daemon.alone"),
                                    .subject = value_get_text(
                                        value_get(e->options.daemon, S("peer")), S("url"), S("")) },
            &tx, err))
        return err->code;
    tx_note(tx, S("reason"), json_format(e->process, value_text(e->process, e->options.alone)));
    return tx_commit(tx, err);
}

/* On a full disk it begins all the same: the database has the number, too. */
static void keep_life(struct engine *e)
{
    struct err err = ERR_INIT;

    if (lives_keep(e->process, e->keys_dir.p, e->installation, e->epoch, &err))
        LOG(LOG_WARN, "the number of this life is kept in the database alone",
            LOG_C("err", err.text));
}

/* One more life: what a lower epoch began is recovered, what it still does is refused. */
static int raise_epoch(struct engine *e, struct err *err)
{
    struct arena *a = e->process;
    struct str now, ended;

    if (db_meta(e->db, a, S("epoch"), &now, err) || db_meta(e->db, a, S("ended"), &ended, err) ||
        db_meta(e->db, a, S("installation"), &e->installation, err))
        return err->code;
    e->epoch = 0;
    if (now.p && str_to_i64(now, &e->epoch))
        return err_set(err, ERR_CORRUPT, "the epoch is '%.*s'", STR_ARG(now));
    e->was_killed = now.p && !(ended.p && str_eq(ended, now));
    if (e->epoch < e->epoch_floor)
        e->epoch = e->epoch_floor;
    e->epoch++;
    if (e->options.takeover) {
        CRASH_POINT(TAKEOVER_AFTER_MET);
        takeover_tell(e);
        CRASH_POINT(TAKEOVER_AFTER_MARK);
    }
    keep_life(e);
    notify_tell_open(&e->tell, e);
    if (clock_task_open(&e->clock, e, err) || db_batch_begin(e->db, err) ||
        (e->options.takeover && takeover_write(e, err)) ||
        (e->options.alone.p && write_alone(e, err)) ||
        engine_write_life(e, a, S("daemon.started"), S("epoch"), err) ||
        engine_life_rights(e, err) || (e->options.seeks_suspects && engine_suspects_seek(e, err)) ||
        engine_suspects_load(e, err) || source_ahead_load(e, err))
        return err->code;
    if (db_batch_commit(e->db, err))
        return err->code;
    if (e->options.takeover)
        CRASH_POINT(TAKEOVER_AFTER_BEGUN);
    return 0;
}

/* --- the file that is there ---------------------------------------------------------------------- */

int engine_life_place(struct engine *e, struct err *err)
{
    struct str file = str_from_c(engine_state_path(e));

    e->state_dir = path_dir(e->process, file);
    e->keys_dir = str_fmt(e->process, "%.*s/keys", STR_ARG(e->state_dir));
    if (arena_status(e->process, err))
        return err->code;
    if (sys_mkdir_all(e->state_dir.p, 0750, err) || sys_mkdir_all(e->keys_dir.p, 0700, err) ||
        lock_take(file.p, e->options.holder, &e->lock, err))
        return err->code;
    if (installation_read(e->process, e->keys_dir.p, &e->installation, err))
        return err->code;
    if (!e->installation.p)
        e->installation = sys_uuid7(e->process, loop_wall_ms(e->loop));
    if (e->options.seeks_suspects &&
        in_work_open(&e->in_work, str_fmt(e->process, "%.*s.work", STR_ARG(file)).p, e->process,
                     &e->left_in_work, err))
        return err->code;
    return arena_status(e->process, err);
}

/* An empty file is what a full disk leaves of a new one. */
static int is_there(const char *path)
{
    struct stat st;

    return !stat(path, &st) && st.st_size > 0;
}

/* A copy is served by who follows, or goes on when a person says so. */
static int refuse_copy(struct engine *e, struct err *err)
{
    struct rec_replica row;
    int rc = replica_row(e->db, e->process, &row, err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc || !str_eq_c(row.state, "following"))
        return rc;
    return err_set(err, ERR_REFUSED,
                   "'%s' is a copy of the daemon at %.*s: reeve serve --follow %.*s, then, where "
                   "it is to go on as the daemon: reeve takeover",
                   engine_state_path(e), STR_ARG(row.url), STR_ARG(row.url));
}

int engine_life_read(struct engine *e, struct err *err)
{
    const char *file = engine_state_path(e);
    struct recover_place place;
    struct err why = ERR_INIT;
    int rc = recover_place_of(e->process, str_from_c(file), &place, err);

    if (!rc && recover_place_is_open(e->process, &place))
        rc = err_set(err, ERR_REFUSED, "a recover of '%s' died half way: reeve recover", file);
    if (!rc)
        rc = recover_place_finish(e->process, &place, e->keys_dir.p, err);
    if (rc || !is_there(file))
        return rc;
    rc = db_open(file, DB_WRITE, &e->db, &why);
    if (!rc)
        rc = db_check(e->db, &why);
    if (rc == ERR_CORRUPT)
        return err_set(err, ERR_CORRUPT,
                       "'%s' cannot be read and stays as it is; a new one: reeve recover (%.200s)",
                       file, why.text);
    if (rc)
        return err_set(err, rc, "%s", why.text);
    if (!e->options.takeover && refuse_copy(e, err))
        return err->code;
    e->installation = str_copy(e->process, db_installation(e->db));
    return installation_keep(e->process, e->keys_dir.p, e->installation, err);
}

/* --- the world ----------------------------------------------------------------------------------- */

/* A new one is for who never had one. `known`: the id that KEYS has; who has none has no copies. */
static int refuse_lost(struct engine *e, struct arena *a, const struct world *world,
                       struct str known, struct err *err)
{
    const char *file = engine_state_path(e);
    struct copy_place at = { .installation = known };
    struct copy *copies;
    size_t n;

    if (world->things.n)
        return err_set(err, ERR_REFUSED,
                       "there is no database at '%s', but %zu things carry the label of "
                       "installation %.*s: reeve recover",
                       file, world->things.n, STR_ARG(world->installation));
    if (!known.p || !copy_place_of(a, e->options.daemon, &at))
        return 0;
    if (copy_list(a, &at, &copies, &n, err))
        return err_wrap(err, "there is no database at '%s'", file);
    return n ? err_set(err, ERR_REFUSED,
                       "there is no database at '%s', but '%.*s' is a copy of it: reeve recover",
                       file, STR_ARG(copies[0].file))
             : 0;
}

static int make_database(struct engine *e, struct arena *a, const struct world *world,
                         struct str known, struct err *err)
{
    const char *file = engine_state_path(e);
    struct db_birth birth = { .time_ms = loop_wall_ms(e->loop), .installation = e->installation };

    if (refuse_lost(e, a, world, known, err))
        return err->code;
    if (db_create(file, &birth, &e->db, err) ||
        installation_keep(e->process, e->keys_dir.p, db_installation(e->db), err))
        return err->code;
    return 0;
}

/* What a takeover by another daemon of this machine left here. Who is told to act alone lives a newer life than it. */
static int judge_mark(struct engine *e, struct arena *a, struct str *ret_why, struct err *err)
{
    struct peer_mark mark;
    int64_t epoch;

    if (stale_epoch(a, e->db, &epoch, err) ||
        peer_mark_read(a, value_get_text(e->options.daemon, S("socket"), S("")), &mark, err))
        return err->code;
    if (mark.epoch <= epoch || !str_eq(mark.installation, e->installation))
        return 0;
    if (e->options.alone.p)
        e->epoch_floor = mark.epoch + ENGINE_LIVES_UNHEARD;
    else
        *ret_why = str_fmt(a, "the daemon at %.*s took over: it began life %lld, this one had %lld",
                           STR_ARG(mark.by), (long long)mark.epoch, (long long)epoch);
    return 0;
}

static int took_over(struct engine *e)
{
    struct err ignored = ERR_INIT; /* then it did not */
    struct rec_replica row;

    return !replica_row(e->db, e->process, &row, &ignored) && str_eq_c(row.state, "taken_over");
}

/* The other daemon of the pair may have gone on. One that cannot be asked keeps this one from acting, unless a
 * person says otherwise, or said it when this one took over. */
static int judge_peer(struct engine *e, struct arena *a, struct str *ret_why, struct err *err)
{
    struct str url = value_get_text(value_get(e->options.daemon, S("peer")), S("url"), STR_NONE);
    int64_t epoch;

    if (!url.p || e->options.takeover || e->options.alone.p)
        return 0;
    if (stale_epoch(a, e->db, &epoch, err))
        return err->code;
    if (!peer_fences(a, e->options.daemon, url, e->installation, epoch, ret_why, err))
        return 0;
    if (err->code != ERR_UNREACHABLE || !took_over(e))
        return err_wrap(err, "whether it may act is not known; if the other one does not: "
                             "reeve serve --alone REASON");
    LOG(LOG_WARN, "the other daemon cannot be asked; this one took over from it",
        LOG_C("err", err->text));
    *err = ERR_INIT;
    return 0;
}

/* A provider that cannot be listed leaves the others to judge by. */
static int judge_database(struct engine *e, struct arena *a, const struct world *world,
                          struct err *err)
{
    struct copy_place at = { .installation = e->installation };
    struct err no_copies = ERR_INIT;
    struct str why = STR_NONE;

    if (e->options.takeover)
        return takeover_meet(e, world, err);
    e->stale_help = S("stop the daemon, then: reeve recover");
    if (judge_mark(e, a, &why, err) || (!why.p && judge_peer(e, a, &why, err)))
        return err->code;
    if (why.p)
        e->stale_help = S("another daemon goes on; stop this one, then: reeve serve --follow it");
    else if (stale_judge(a, e->db, world, &why, err))
        return err->code;
    if (!why.p && copy_place_of(a, e->options.daemon, &at) &&
        copy_judge(a, &at, e->db, &why, &no_copies))
        LOG(LOG_WARN, "whether a copy is newer than the database is not known",
            LOG_C("err", no_copies.text));
    if (!why.p && history_seal_judge(a, &e->seal, e->db, &why, err))
        return err->code;
    if (!why.p && anchor_start_judge(e, a, &why, err))
        return err->code;
    if (!why.p)
        return 0;
    e->stale = str_copy(e->process, why);
    if (e->options.once)
        return engine_refuse_stale(e, err);
    LOG(LOG_ERROR, "the database is older than the world: nothing is changed", LOG_S("why", why),
        LOG_S("help", e->stale_help));
    return arena_status(e->process, err);
}

static int look_at_world(struct engine *e, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct world_ask ask = { e->installation, LIFE_LIST_MS, 1 };
    struct world world = { 0 };

    arena_init(&a, 0);
    if (!e->db && installation_read(&a, e->keys_dir.p, &ask.installation, err))
        return err->code; /* none: whoever's things these are, somebody lost them */
    if (!e->db && ask.installation.p)
        ask.skips = 0; /* there was one: half the world does not tell what was in it */
    if (world_read(&a, e->loop, e->providers, &ask, &world, err))
        return err->code;
    if (world.unlisted.n)
        LOG(LOG_WARN, "whether the database is as new as what these providers hold is not known",
            LOG_S("providers", world.unlisted));
    return e->db ? judge_database(e, &a, &world, err)
                 : make_database(e, &a, &world, ask.installation, err);
}

int engine_life_begin(struct engine *e, struct err *err)
{
    if (history_seal_open(e->process, e->keys_dir.p, e->installation, HISTORY_SEAL_MAKE, &e->seal,
                          err) ||
        look_at_world(e, err))
        return err->code;
    if (e->stale.p)
        return db_meta(e->db, e->process, S("installation"), &e->installation, err);
    e->lacks_ballast = ballast_make(engine_state_path(e), err) != 0;
    if (e->lacks_ballast)
        LOG(LOG_WARN, "no room for the ballast: a full disk will stop everything",
            LOG_C("err", err->text));
    return raise_epoch(e, err);
}
