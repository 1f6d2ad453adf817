/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/recover.h"

#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/registry.h"
#include "reconciler/engine/copy_store.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/installation.h"
#include "reconciler/engine/lives.h"
#include "reconciler/engine/recover_place.h"
#include "reconciler/engine/recover_rows.h"
#include "reconciler/engine/stale.h"
#include "specs/json_io.h"
#include "state/events.h"
#include "state/lock.h"

#define RECOVER_LIST_MS 30000

/* One call of recover_run(). */
struct recovery {
    const struct recover_options *options;
    struct arena *a;
    struct recover r;
    struct lock lock;
    struct registry *providers;
    struct recover_place place;
    struct str keys;
    const char *aside; /* where the old file goes; NULL: there is none */
    struct str because;
    struct copy_place copies;
    int has_copies;
    struct str from; /* the copy that was taken; STR_NONE: none, or the old file */
    struct value *unreadable, *report;
};

/* --- the file that is there ---------------------------------------------------------------------- */

/* A name that nothing has. */
static void find_aside(struct recovery *v)
{
    int64_t at_ms = v->r.now_ms;

    do
        v->aside = str_fmt(v->a, "%s.lost-%lld", v->place.file, (long long)at_ms++).p;
    while (v->aside && sys_exists(v->aside));
}

/* Why a new one is needed. An old one that can be read is a copy like any other, unless it is of others. */
static int look_at_file(struct recovery *v, struct str installation, struct err *err)
{
    struct recover *r = &v->r;
    struct err why = ERR_INIT;
    struct db *db = NULL;

    if (!sys_exists(v->place.file)) {
        v->because = S("there is none");
        return 0;
    }
    find_aside(v);
    if (db_open(v->place.file, DB_READ, &db, &why) || db_check(db, &why)) {
        db_close(db);
        v->because = str_copy(v->a, str_from_c(why.text));
        return arena_status(v->a, err);
    }
    if (installation.p && !str_eq(installation, db_installation(db))) {
        v->because = str_fmt(v->a, "it is of another installation, %.*s",
                             STR_ARG(db_installation(db)));
        db_close(db);
        return arena_status(v->a, err);
    }
    r->copy = db;
    return 0;
}

/* --- the new file -------------------------------------------------------------------------------- */

/* What the first event says. */
static struct str format_lost(struct recovery *v, struct err *err)
{
    struct recover *r = &v->r;
    struct value *lost = value_map(v->a);
    struct digest hash;
    int64_t seq = 0;

    value_set_text(v->a, lost, S("because"), v->because);
    if (v->aside)
        value_set_text(v->a, lost, S("aside"), str_from_c(v->aside));
    if (v->from.p)
        value_set_text(v->a, lost, S("copy"), v->from);
    if (value_count(v->unreadable))
        value_set(v->a, lost, S("unreadable"), v->unreadable);
    value_set_int(v->a, lost, S("things"), (int64_t)r->world.things.n);
    if (r->copy && !events_head(r->copy, &seq, &hash, err)) {
        value_set_int(v->a, lost, S("after_seq"), seq);
        value_set_text(v->a, lost, S("after_hash"), digest_hex(v->a, &hash));
    } else {
        value_set_int(v->a, lost, S("after_seq"), 0);
    }
    v->report = lost;
    return json_format(v->a, lost);
}

static int put_meta(struct recover *r, struct err *err)
{
    const struct rec_meta rows[] = {
        { S("epoch"), str_fmt(r->a, "%lld", (long long)r->epoch) },
        { S("ended"), str_fmt(r->a, "%lld", (long long)r->epoch) },
        { S("token_epoch"), str_fmt(r->a, "%lld", (long long)r->epoch) },
    };
    const struct tx_head head = { .time_ms = r->now_ms,
                                  .mono_ms = sys_mono_ms(),
                                  .epoch = r->epoch,
                                  .actor = S("reeve"),
                                  .cause = S("recover"),
                                  .kind = S("state.recovered"),
                                  .subject = r->world.installation };

    int rc = tx_begin(r->db, &head, &r->tx, err);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < N_ELEMENTS(rows); i++)
        rc = tx_put(r->tx, REC_meta, &rows[i], err);
    if (!rc && r->copy)
        rc = recover_copy_users(r, err);
    if (!rc && r->copy)
        rc = recover_copy_tokens(r, err);
    if (!rc)
        return tx_commit(r->tx, err);
    tx_rollback(r->tx);
    return rc;
}

static int write_all(struct recover *r, struct err *err)
{
    if (db_batch_begin(r->db, err))
        return err->code;
    if (put_meta(r, err) || recover_envs(r, err)) {
        db_batch_abandon(r->db);
        return err->code;
    }
    return db_batch_commit(r->db, err);
}

static int write_file(struct recovery *v, const char *path, struct err *err)
{
    struct recover *r = &v->r;
    const struct db_birth birth = { .time_ms = r->now_ms,
                                    .installation = r->world.installation,
                                    .lost = format_lost(v, err) };
    int rc = sys_remove_all(v->place.work, err); /* of one that died here */

    if (!rc)
        rc = sys_mkdir_all(v->place.work, 0700, err);
    if (!rc)
        rc = db_create(path, &birth, &r->db, err);
    if (rc)
        return rc;
    rc = write_all(r, err);
    db_close(r->db);
    r->db = NULL;
    return rc;
}

static int replace_file(struct recovery *v, struct err *err)
{
    if (write_file(v, v->place.made, err))
        return err_wrap(err, "make a new database");
    db_close(v->r.copy);
    v->r.copy = NULL;
    if (recover_place_swap(v->a, &v->place, v->aside, err))
        return err->code;
    return recover_place_finish(v->a, &v->place, v->keys.p, err);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int open_all(struct recovery *v, struct err *err)
{
    struct registry_options options = { .state_dir = str_from_c(v->place.dir),
                                        .keeper = str_from_c(v->options->keeper) };
    struct recover *r = &v->r;
    struct str installation;

    if (sys_mkdir_all(v->place.dir, 0750, err) ||
        lock_take(v->place.file, v->options->holder, &v->lock, err) ||
        recover_place_finish(v->a, &v->place, v->keys.p, err) ||
        recover_place_back(v->a, &v->place, err) ||
        installation_read(v->a, v->keys.p, &installation, err) ||
        look_at_file(v, installation, err))
        return err->code;
    if (!installation.p && r->copy)
        installation = str_copy(v->a, db_installation(r->copy));
    options.installation = installation;
    if (registry_open(&options, value_get(v->options->daemon, S("providers")), &v->providers, err))
        return err->code;
    return world_read(v->a, v->options->loop, v->providers,
                      &(struct world_ask){ installation, RECOVER_LIST_MS, 0 }, &r->world, err);
}

/* Whose things these are must be sure: what is taken for somebody else's is made a second time. */
static int judge_owner(struct recovery *v, struct err *err)
{
    const struct world *w = &v->r.world;
    struct str keys = v->keys;

    if (!w->installation.p)
        return err_set(err, ERR_REFUSED,
                       "nothing here carries a label and there is no database: nothing is lost");
    if (w->stranger.p && !w->things.n)
        return err_set(err, ERR_REFUSED,
                       "everything here is of installation %.*s and nothing of %.*s, which "
                       "'%.*s/installation' or the database names: put the right one back",
                       STR_ARG(w->stranger), STR_ARG(w->installation), STR_ARG(keys));
    if (w->stranger.p && !sys_exists(str_fmt(v->a, "%.*s/installation", STR_ARG(keys)).p))
        return err_set(err, ERR_REFUSED,
                       "things of installations %.*s and %.*s are here: write the one that is "
                       "lost into '%.*s/installation'",
                       STR_ARG(w->installation), STR_ARG(w->stranger), STR_ARG(keys));
    return arena_status(v->a, err);
}

static int judge_seal(struct recovery *v, struct err *err)
{
    struct history_seal seal = { 0 };
    int rc = history_seal_open(v->a, v->keys.p, db_installation(v->r.copy), HISTORY_SEAL_READ,
                               &seal, err);

    if (!rc)
        rc = history_seal_judge(v->a, &seal, v->r.copy, &v->because, err);
    explicit_bzero(seal.key, sizeof(seal.key));
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The file that is there may be as new as the world, every copy and what was sealed. */
static int judge_file(struct recovery *v, struct err *err)
{
    struct recover *r = &v->r;

    if (!r->copy)
        return 0;
    if (stale_judge(v->a, r->copy, &r->world, &v->because, err) ||
        (!v->because.p && v->has_copies &&
         copy_judge(v->a, &v->copies, r->copy, &v->because, err)) ||
        (!v->because.p && judge_seal(v, err)))
        return err->code;
    return v->because.p ? 0
                        : err_set(err, ERR_REFUSED,
                                  "'%s' is as new as everything that carries its label: "
                                  "nothing is lost",
                                  v->place.file);
}

static void note_unreadable(struct recovery *v, const struct err *why)
{
    value_add(v->a, v->unreadable, value_text(v->a, str_copy(v->a, str_from_c(why->text))));
}

/* A directory that cannot be read has no copies: the labels are there. */
static void drop_copies(struct recovery *v)
{
    struct err why = ERR_INIT;
    struct copy *list;
    size_t n;

    if (!v->has_copies || !copy_list(v->a, &v->copies, &list, &n, &why))
        return;
    note_unreadable(v, &why);
    v->has_copies = 0;
}

static int take_copy(struct recovery *v, const struct copy *copy)
{
    struct err why = ERR_INIT;
    struct db *db = NULL;

    if (copy_open(&v->copies, copy, &db, &why)) {
        note_unreadable(v, &why);
        return 0;
    }
    db_close(v->r.copy);
    v->r.copy = db;
    v->from = copy->file;
    return 1;
}

/* Above that of every life that anybody knows of: of the file, the copies, the world, and of who began them here. */
static int choose_epoch(struct recovery *v, struct err *err)
{
    struct recover *r = &v->r;
    int64_t begun;

    if (lives_read(v->a, v->keys.p, r->world.installation, &begun, err))
        return err->code;
    if (r->world.epoch > r->epoch)
        r->epoch = r->world.epoch;
    if (begun > r->epoch)
        r->epoch = begun;
    r->epoch++;
    return 0;
}

/* The newest that can be read, of the copies and the file that is there. */
static int choose_copy(struct recovery *v, struct err *err)
{
    struct recover *r = &v->r;
    struct str why = S("");
    struct copy *list = NULL;
    size_t n = 0;

    if (r->copy && (stale_epoch(v->a, r->copy, &r->epoch, err)))
        return err->code;
    if (v->has_copies && copy_list(v->a, &v->copies, &list, &n, err))
        return err->code;
    if (r->copy && v->has_copies && copy_judge(v->a, &v->copies, r->copy, &why, err))
        return err->code;
    if (n && list[0].epoch > r->epoch)
        r->epoch = list[0].epoch;
    for (size_t i = 0; why.p && i < n && !take_copy(v, &list[i]); i++)
        ;
    return arena_status(v->a, err);
}

static int recover_all(struct recovery *v, struct err *err)
{
    struct recover *r = &v->r;

    if (open_all(v, err) || judge_owner(v, err))
        return err->code;
    v->copies.installation = r->world.installation;
    drop_copies(v);
    if (judge_file(v, err) || choose_copy(v, err) || choose_epoch(v, err))
        return err->code;
    if (replace_file(v, err))
        return err->code;
    value_set_int(v->a, v->report, S("epoch"), r->epoch);
    value_set_int(v->a, v->report, S("strange"), (int64_t)r->world.n_strange);
    value_set_text(v->a, v->report, S("unlisted"), r->world.unlisted);
    value_set(v->a, v->report, S("doubles"), r->doubles);
    value_set(v->a, v->report, S("missing"), r->missing);
    value_set(v->a, v->report, S("environments"), r->report);
    if (sys_mkdir_all(v->keys.p, 0700, err))
        return err->code;
    return installation_keep(v->a, v->keys.p, r->world.installation, err);
}

int recover_run(struct arena *a, const struct recover_options *options, struct value **ret,
                struct err *err)
{
    struct recovery v = { .options = options, .a = a, .lock.fd = -1 };
    int rc;

    v.r = (struct recover){ .a = a, .daemon = options->daemon };
    v.r.now_ms = loop_wall_ms(options->loop);
    v.r.doubles = value_list(a);
    v.r.missing = value_list(a);
    v.has_copies = copy_place_of(a, options->daemon, &v.copies);
    v.unreadable = value_list(a);
    rc = recover_place_of(
        a, value_get_text(value_get(options->daemon, S("state")), S("file"), S("")), &v.place, err);
    v.keys = str_fmt(a, "%s/keys", rc ? "" : v.place.dir);
    if (!rc)
        rc = recover_all(&v, err);
    db_close(v.r.copy);
    if (v.has_copies)
        (void)sys_remove_all(v.copies.work, &(struct err){ 0 }); /* the next one removes it */
    registry_close(v.providers);
    lock_release(&v.lock);
    if (rc)
        return rc;
    *ret = v.report;
    return arena_status(a, err);
}
