/* One environment of the new database. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/recover_rows.h"

#include "base/guard.h"
#include "base/sys.h"
#include "providers/kit.h"
#include "reconciler/core/object.h"
#include "specs/spec.h"
#include "state/documents.h"
#include "state/resources.h"

/* An epoch: no idempotency key, no plan's id and no route generation of before comes again. */
#define RECOVER_TURNS 1000000

/* --- resources ----------------------------------------------------------------------------------- */

/* What it was asked for is not in the world as a whole: what is shown of it stands for it. */
static int put_document(struct recover *r, const struct owned *o, struct digest *ret,
                        struct err *err)
{
    struct str body = json_format(r->a, o->observed);

    *ret = documents_digest(S("operation"), body);
    return tx_document(r->tx, S("operation"), ret, body, err);
}

/* Versions of its outputs, as far as the copy knows them: who refers to one is not made anew. */
static struct str copied_outputs(struct recover *r, const struct owned *o)
{
    struct err ignored = ERR_INIT; /* then it does not know them */
    struct rec_resource row;

    return r->copy && !resources_now(r->copy, r->a, o->env_uid, o->kind, o->name, &row, &ignored) &&
                   row.incarnation == o->incarnation
               ? row.outputs
               : S("{}");
}

static int put_resource(struct recover *r, const struct recover_env *e, const struct owned *o,
                        struct err *err)
{
    struct rec_resource row = {
        .env = e->uid,
        .kind = o->kind,
        .name = o->name,
        .incarnation = o->incarnation,
        .turn = r->epoch * RECOVER_TURNS,
        .provider = o->provider,
        .provider_id = o->id,
        .owner = o->owner,
        .outputs = json_format(r->a, o->outputs),
        .status = S("ready"),
        .protect = S(""),
        .drift = S("{}"),
        .reason = S("recovered"),
    };

    if (object_is_kind(
            o->kind)) { /* what was asked for is not known, and its outputs are secrets */
        row.outputs = copied_outputs(r, o);
        row.protect = S("retain");
        return tx_put_resource(r->tx, &row, err);
    }
    if (put_document(r, o, &row.desired, err))
        return err->code;
    row.observed = row.desired;
    return tx_put_resource(r->tx, &row, err);
}

static int put_artifact(struct recover *r, const struct recover_env *e, const struct owned *o,
                        struct err *err)
{
    struct rec_artifact row = { .key = o->key,
                                .made_for = e->uid,
                                .state = S("ready"),
                                .bytes = value_get_int(o->outputs, S("bytes"), 0),
                                .used_ms = r->now_ms };

    if (!str_eq_c(value_get_text(o->observed, S("state"), S("")), "built") ||
        digest_is_none(&o->key))
        return 0;
    (void)digest_from_hex(value_get_text(o->outputs, S("digest"), S("")),
                          &row.output_digest); /* absent: none */
    return tx_put(r->tx, REC_artifact, &row, err);
}

/* A run of a job goes on where it still runs, and says how it ended where that can be known. */
static int put_job_run(struct recover *r, const struct recover_env *e, const struct owned *o,
                       struct err *err)
{
    size_t at = str_find_char(o->name, '@');
    int runs = !str_eq_c(value_get_text(o->observed, S("state"), S("lost")), "lost");
    struct rec_job_run row = { .env = e->uid,
                               .job = str_slice(o->name, 0, at),
                               .cause = S("person"),
                               .actor = S("reeve"),
                               .state = runs ? S("running") : S("unknown"),
                               .provider = o->provider,
                               .owner = o->owner,
                               .began_ms = r->now_ms,
                               .ended_ms = runs ? REC_NONE : r->now_ms,
                               .exit = REC_NONE,
                               .message = S("recovered"),
                               .is_left = 1 };

    if (at == STR_NPOS || str_to_i64(str_slice(o->name, at + 1, o->name.n), &row.at_ms))
        return 0;
    (void)digest_from_hex(o->revision, &row.revision); /* none: it is only taken away */
    return tx_put(r->tx, REC_job_run, &row, err);
}

/* One that ran to its end must not run again. */
static int put_release(struct recover *r, const struct recover_env *e, const struct owned *o,
                       struct err *err)
{
    const struct rec_release row = { .env = e->uid,
                                     .key = o->key,
                                     .service = str_slice(o->name, 0, str_find_char(o->name, '@')),
                                     .state = S("done"),
                                     .done_seq = tx_seq(r->tx) };

    if (!str_eq_c(value_get_text(o->observed, S("state"), S("")), "exited") ||
        value_get_int(o->observed, S("exit"), -1) || digest_is_none(&o->key))
        return 0;
    return tx_put(r->tx, REC_release, &row, err);
}

typedef int recover_fn(struct recover *r, const struct recover_env *e, const struct owned *o,
                       struct err *err);

static const struct {
    const char *kind;
    recover_fn *put;
} recover_kinds[] = {
    { "artifact", put_artifact },
    { "release", put_release },
};

/* A number that an environment has is never given to another one. */
static int put_user(struct recover *r, const struct recover_env *e, const struct owned *o,
                    struct err *err)
{
    const struct rec_meta row = { .k = str_fmt(r->a, "uid/%lld", (long long)o->user), .v = e->uid };

    return o->user ? tx_put(r->tx, REC_meta, &row, err) : 0;
}

static void note_double(struct recover *r, const struct owned *x, const struct owned *y)
{
    value_add(r->a, r->doubles,
              value_text(
                  r->a, str_fmt(r->a, "%.*s/%.*s of '%.*s' is '%.*s' of %.*s and '%.*s' of %.*s",
                                STR_ARG(x->kind), STR_ARG(x->name), STR_ARG(x->env), STR_ARG(x->id),
                                STR_ARG(x->provider), STR_ARG(y->id), STR_ARG(y->provider))));
}

/* Of two incarnations the newer one stands; the older is on its way out. Two of one incarnation are told: the one
 * that the copy knows stands, else the first. */
static void take_things(struct recover *r, struct recover_env *e, const struct owned *all, size_t n)
{
    struct owned *things = arena_new_n(r->a, struct owned, n + 1);

    for (size_t i = 0; things && i < n; i++) {
        struct owned *last = e->n ? &things[e->n - 1] : NULL;

        if (!last || !str_eq(all[i].kind, last->kind) || !str_eq(all[i].name, last->name)) {
            things[e->n++] = all[i];
            continue;
        }
        if (all[i].incarnation != last->incarnation)
            continue;
        note_double(r, last, &all[i]);
        if (recover_copy_knows(r, &all[i]) && !recover_copy_knows(r, last))
            *last = all[i];
    }
    e->things = things;
}

static int put_things(struct recover *r, const struct recover_env *e, struct err *err)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct owned *o = &e->things[i];

        int is_run = str_eq_c(o->kind, "job");

        if (put_user(r, e, o, err) ||
            (is_run ? put_job_run(r, e, o, err) : put_resource(r, e, o, err)))
            return err_wrap(err, "%.*s/%.*s", STR_ARG(o->kind), STR_ARG(o->name));
        for (size_t k = 0; k < N_ELEMENTS(recover_kinds); k++)
            if (str_eq_c(o->kind, recover_kinds[k].kind) && recover_kinds[k].put(r, e, o, err))
                return err->code;
    }
    return 0;
}

/* --- the environment's own row ------------------------------------------------------------------- */

/* Which source and branch the configuration binds the name to. */
static void find_binding(const struct recover *r, struct rec_environment *row)
{
    const struct value *sources = value_get(r->daemon, S("sources"));

    for (size_t i = 0; i < value_count(sources); i++) {
        struct str source = sources->u.map.entries[i].key;
        const struct value *rule = daemon_rule(r->daemon, source, S("environment"), row->name,
                                               NULL);

        if (!rule || !value_get(rule, S("branch")))
            continue;
        row->source = source;
        row->branch = value_get_text(rule, S("branch"), S(""));
        return;
    }
}

/* The commit that the switch was moved for, else that of anything else. */
static struct str find_commit(const struct recover_env *e)
{
    struct str commit = STR_NONE;

    for (size_t i = 0; i < e->n; i++)
        if (e->things[i].commit.n && (!commit.p || str_eq_c(e->things[i].kind, "switch")))
            commit = e->things[i].commit;
    return commit;
}

/* Of the copy, unless traffic was moved since it was made: then the labels are newer. */
static void set_commit(const struct recover_env *e, struct rec_environment *row)
{
    struct str labelled = find_commit(e);

    if (!labelled.p || (row->commit_id.n && e->copied_generation == e->generation))
        return;
    row->commit_id = labelled;
    row->tree_id = STR_NONE;
}

static int make_row(struct recover *r, struct recover_env *e, struct err *err)
{
    struct rec_environment *row = &e->row;

    if (r->copy && recover_copy_row(r, e, err))
        return err->code;
    if (e->copied.uid.p) {
        *row = e->copied;
        e->name = row->name;
        row->ask = row->ask_actor = STR_NONE;
        row->ask_overrides = 0;
        row->ask_revision = (struct digest){ { 0 } };
    } else {
        *row = (struct rec_environment){
            .uid = e->uid, .name = e->name, .source = S(""), .branch = S(""), .deleted_ms = REC_NONE
        };
        find_binding(r, row);
    }
    set_commit(e, row);
    row->apply_seq = r->epoch * RECOVER_TURNS;
    row->route_gen = r->epoch * RECOVER_TURNS;
    row->sync = S("held");
    row->health = S("unknown");
    row->reason = S("recovered: look at it, then resume it");
    if (map_has(&r->names, row->name) && row->deleted_ms == REC_NONE)
        row->deleted_ms = r->now_ms; /* an older one of the same name */
    if (row->deleted_ms == REC_NONE)
        map_put(&r->names, row->name, NULL);
    return 0;
}

static int put_hold(struct recover *r, const struct recover_env *e, struct err *err)
{
    const struct rec_hold hold = { .uid = sys_uuid7(r->a, r->now_ms),
                                   .env = e->uid,
                                   .actor = S("reeve"),
                                   .reason = S("recovered"),
                                   .until_ms = REC_NONE,
                                   .ended_seq = REC_NONE };

    return e->row.deleted_ms == REC_NONE ? tx_put(r->tx, REC_hold, &hold, err) : 0;
}

static void report_env(struct recover *r, const struct recover_env *e)
{
    struct value *one = value_map(r->a);
    int64_t n_live = 0, n_instances = 0;

    for (size_t i = 0; i < e->sets.n; i++) {
        n_live += str_eq_c(e->sets.p[i].state, "live");
        n_instances += (int64_t)e->sets.p[i].n_instances;
    }
    value_set_text(r->a, one, S("name"), e->row.name);
    value_set_text(r->a, one, S("uid"), e->uid);
    value_set_text(r->a, one, S("source"), e->row.source);
    value_set_int(r->a, one, S("things"), (int64_t)e->n);
    value_set_int(r->a, one, S("live_sets"), n_live);
    value_set_int(r->a, one, S("other_sets"), (int64_t)e->sets.n - n_live);
    value_set_int(r->a, one, S("instances"), n_instances);
    value_set(r->a, one, S("from_copy"), value_bool(r->a, e->copied.uid.p != NULL));
    value_add(r->a, r->report, one);
}

static int write_env(struct recover *r, struct recover_env *e, struct err *err)
{
    recover_sets_find(r, e);
    if (make_row(r, e, err) || put_things(r, e, err) || recover_sets_put(r, e, err) ||
        (r->copy && recover_copy_put(r, e, err)) || put_hold(r, e, err))
        return err->code;
    return tx_put(r->tx, REC_environment, &e->row, err);
}

static int recover_env(struct recover *r, struct recover_env *e, struct err *err)
{
    const struct tx_head head = { .time_ms = r->now_ms,
                                  .mono_ms = sys_mono_ms(),
                                  .epoch = r->epoch,
                                  .actor = S("reeve"),
                                  .cause = S("recover"),
                                  .kind = S("environment.recovered"),
                                  .subject = e->name,
                                  .env = e->uid };
    int rc = tx_begin(r->db, &head, &r->tx, err);

    if (rc)
        return rc;
    if (write_env(r, e, err)) {
        tx_rollback(TAKE(r->tx));
        return err_wrap(err, "environment '%.*s'", STR_ARG(e->name));
    }
    report_env(r, e);
    return tx_commit(TAKE(r->tx), err);
}

/* --- all of them --------------------------------------------------------------------------------- */

/* Newest uid first: of two with one name the newer keeps it. */
static int recover_labelled(struct recover *r, struct map *done, struct err *err)
{
    const struct owned_list *l = &r->world.things;
    size_t to = l->n;

    while (to) {
        size_t from = to - 1;
        struct recover_env e = { 0 };

        while (from && str_eq(l->p[from - 1].env_uid, l->p[to - 1].env_uid))
            from--;
        e = (struct recover_env){ .uid = l->p[from].env_uid, .name = l->p[from].env };
        take_things(r, &e, &l->p[from], to - from);
        map_put(done, e.uid, NULL);
        if (recover_env(r, &e, err))
            return err->code;
        to = from;
    }
    return 0;
}

/* Those of which nothing is left in the world: what they want is still wanted. */
static int recover_unlabelled(struct recover *r, const struct map *done, struct err *err)
{
    struct rec_environment *rows;
    size_t n;

    if (!r->copy)
        return 0;
    if (DB_SELECT(r->copy, r->a, environment, "WHERE uid <> $1 ORDER BY uid DESC", &rows, &n, err,
                  DB_T(S(""))))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct recover_env e = { .uid = rows[i].uid, .name = rows[i].name };

        if (!map_has(done, e.uid) && recover_env(r, &e, err))
            return err->code;
    }
    return 0;
}

int recover_envs(struct recover *r, struct err *err)
{
    struct map done;

    map_init(&done, r->a);
    map_init(&r->names, r->a);
    r->report = value_list(r->a);
    if (recover_labelled(r, &done, err) || recover_unlabelled(r, &done, err))
        return err->code;
    return arena_status(r->a, err);
}
