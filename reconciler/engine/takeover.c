/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/takeover.h"

#include "base/log.h"
#include "reconciler/engine/follow.h"
#include "reconciler/engine/peer_mark.h"
#include "reconciler/engine/stale.h"
#include "specs/json_io.h"

#define NAMES_SHOWN 20

struct takeover_found {
    int64_t epoch; /* the newest life that the world has seen */
    VEC(struct rec_meta) strange;
    VEC(struct rec_environment) environments; /* of which something else is known now */
    struct rec_instance *lost;
    size_t n_lost;
    struct rec_resource *unswitched; /* what an edge that is not here led to */
    size_t n_unswitched;
};

/* --- what is there ------------------------------------------------------------------------------- */

static int find_environment(struct engine *e, struct takeover_found *f, struct str uid,
                            struct rec_environment **ret, struct err *err)
{
    struct rec_environment env;
    int rc;

    for (size_t i = 0; i < f->environments.n; i++) {
        *ret = &f->environments.p[i];
        if (str_eq((*ret)->uid, uid))
            return 0;
    }
    rc = environments_by_uid(e->db, e->process, uid, &env, err);
    *ret = rc ? NULL : vec_push(e->process, &f->environments);
    if (*ret)
        **ret = env;
    return rc ? rc : arena_status(e->process, err);
}

static int note_generation(struct engine *e, struct takeover_found *f, const struct owned *o,
                           struct err *err)
{
    int64_t generation = value_get_int(o->outputs, S("generation"), 0);
    struct rec_environment *env;
    int rc = str_eq_c(o->kind, "switch") ? find_environment(e, f, o->env_uid, &env, err)
                                         : ERR_NOT_FOUND;

    if (!rc && generation > env->route_gen)
        env->route_gen = generation;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int note_thing(struct engine *e, struct takeover_found *f, const struct owned *o,
                      struct err *err)
{
    struct arena *a = e->process;
    struct rec_meta *slot;
    int is_known, rc = stale_knows(a, e->db, o, &is_known, err);

    if (rc || is_known)
        return rc ? rc : note_generation(e, f, o, err);
    slot = vec_push(a, &f->strange);
    if (slot)
        *slot = (struct rec_meta){ str_fmt(a, STALE_STRANGE "%.*s", STR_ARG(o->owner)),
                                   str_fmt(a, "%.*s %.*s/%.*s", STR_ARG(o->env_uid),
                                           STR_ARG(o->kind), STR_ARG(o->name)) };
    return arena_status(a, err);
}

static int has_thing(const struct world *world, const char *kind, struct str id, struct str uid)
{
    for (size_t i = 0; i < world->things.n; i++)
        if (str_eq_c(world->things.p[i].kind, kind) && str_eq(world->things.p[i].id, id) &&
            str_eq(world->things.p[i].env_uid, uid))
            return 1;
    return 0;
}

/* Until somebody has looked. */
static int note_unknown(struct engine *e, struct takeover_found *f, struct str uid, struct err *err)
{
    struct rec_environment *env;
    int rc = find_environment(e, f, uid, &env, err);

    if (!rc)
        env->sync = env->health = S("unknown");
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int note_lost(struct engine *e, struct takeover_found *f, const struct world *world,
                     struct err *err)
{
    struct rec_instance *rows;
    size_t n;

    if (DB_SELECT(e->db, e->process, instance,
                  "WHERE state NOT IN ('gone', 'making') AND provider_id <> ''", &rows, &n, err))
        return err->code;
    f->lost = rows;
    for (size_t i = 0; i < n; i++) {
        if (has_thing(world, "instance", rows[i].provider_id, rows[i].env))
            continue;
        rows[i].state = S("lost");
        f->lost[f->n_lost++] = rows[i];
        if (note_unknown(e, f, rows[i].env, err))
            return err->code;
    }
    return 0;
}

/* An edge that has none of it leads nowhere: as before the first switch, so that the next plan makes one. */
static int note_unswitched(struct engine *e, struct takeover_found *f, const struct world *world,
                           struct err *err)
{
    struct rec_resource *rows;
    size_t n;

    if (DB_SELECT(e->db, e->process, resource,
                  "WHERE kind = 'switch' AND valid_to IS NULL AND status <> 'gone'", &rows, &n,
                  err))
        return err->code;
    f->unswitched = rows;
    for (size_t i = 0; i < n; i++) {
        if (has_thing(world, "switch", rows[i].provider_id, rows[i].env))
            continue;
        rows[i].status = S("gone");
        rows[i].incarnation++;
        rows[i].provider_id = STR_NONE;
        rows[i].outputs = S("{}");
        rows[i].observed = (struct digest){ { 0 } };
        f->unswitched[f->n_unswitched++] = rows[i];
        if (note_unknown(e, f, rows[i].env, err))
            return err->code;
    }
    return 0;
}

int takeover_meet(struct engine *e, const struct world *world, struct err *err)
{
    struct takeover_found *f = arena_new(e->process, struct takeover_found);
    int64_t copied;

    if (!f)
        return arena_status(e->process, err);
    if (stale_epoch(e->process, e->db, &copied, err))
        return err->code;
    f->epoch = world->epoch;
    for (size_t i = 0; i < world->things.n; i++)
        if (note_thing(e, f, &world->things.p[i], err))
            return err->code;
    /* a provider that was not listed may have anything: nothing is said to be missing then */
    if (!world->unlisted.n && (note_lost(e, f, world, err) || note_unswitched(e, f, world, err)))
        return err->code;
    e->found = f;
    e->epoch_floor = (f->epoch > copied ? f->epoch : copied) + ENGINE_LIVES_UNHEARD;
    return 0;
}

void takeover_tell(struct engine *e)
{
    struct str url = e->options.takeover->url;
    const struct peer_mark mark = {
        .installation = e->installation,
        .by = str_fmt(e->process, "unix:%.*s",
                      STR_ARG(value_get_text(e->options.daemon, S("socket"), S("")))),
        .epoch = e->epoch,
    };
    struct err err = ERR_INIT;

    if (!str_starts(url, S("unix:")))
        return;
    if (peer_mark_write(e->process, str_slice(url, 5, url.n), &mark, &err))
        LOG(LOG_WARN,
            "the daemon before cannot be told that it is over: it has to be kept from starting",
            LOG_S("url", url), LOG_C("err", err.text));
}

/* --- what is written ----------------------------------------------------------------------------- */

static struct value *names_of(struct arena *a, const struct takeover_found *f)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < f->strange.n && i < NAMES_SHOWN; i++)
        value_add(a, list, value_text(a, f->strange.p[i].v));
    return list;
}

static void put_notes(struct engine *e, struct tx *tx)
{
    const struct follow_takeover *t = e->options.takeover;
    const struct takeover_found *f = e->found;
    struct arena *a = e->process;
    struct value *at = value_map(a);

    value_set_int(a, at, S("after_seq"), t->seq);
    value_set_int(a, at, S("after_ms"), t->time_ms);
    value_set_int(a, at, S("missing"), t->missing);
    value_set_int(a, at, S("heard_ms"), t->heard_ms);
    value_set_int(a, at, S("strange"), (int64_t)f->strange.n);
    value_set_int(a, at, S("lost_instances"), (int64_t)f->n_lost);
    if (f->strange.n)
        value_set(a, at, S("strange_names"), names_of(a, f));
    tx_note(tx, S("copy"), json_format(a, at));
    tx_note(tx, S("reason"), json_format(a, value_text(a, t->reason)));
}

static int put_rows(struct engine *e, struct tx *tx, struct err *err)
{
    const struct takeover_found *f = e->found;
    struct rec_replica row;
    int rc = replica_row(e->db, e->process, &row, err);

    row.state = S("taken_over");
    if (!rc)
        rc = tx_put(tx, REC_replica, &row, err);
    for (size_t i = 0; !rc && i < f->strange.n; i++)
        rc = tx_put(tx, REC_meta, &f->strange.p[i], err);
    for (size_t i = 0; !rc && i < f->environments.n; i++)
        rc = tx_put(tx, REC_environment, &f->environments.p[i], err);
    for (size_t i = 0; !rc && i < f->n_lost; i++)
        rc = tx_put(tx, REC_instance, &f->lost[i], err);
    for (size_t i = 0; !rc && i < f->n_unswitched; i++)
        rc = tx_put_resource(tx, &f->unswitched[i], err);
    return rc;
}

int takeover_write(struct engine *e, struct err *err)
{
    const struct follow_takeover *t = e->options.takeover;
    const struct engine_event event = { .kind = S("daemon.took_over"),
                                        .actor = t->actor,
                                        .subject = t->url };
    struct tx *tx;

    if (engine_tx(e, &event, &tx, err))
        return err->code;
    put_notes(e, tx);
    if (put_rows(e, tx, err)) {
        tx_rollback(tx);
        return err->code;
    }
    LOG(LOG_WARN, "taken over", LOG_S("from", t->url), LOG_S("by", t->actor),
        LOG_S("reason", t->reason));
    return tx_commit(tx, err);
}
