/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/hook_call.h"

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

#define HOOK_PRUNE_MAX 1000 /* rows of one event */

enum { HOOK_SECRET, HOOK_DECIDE, HOOK_WRITE, HOOK_ACT };

/* clang-format off */
static const struct task_state hook_states[] = {
    /*                name      successors       on error       deadline_ms */
    [HOOK_SECRET] = { "SECRET", TO(HOOK_DECIDE), HOOK_DECIDE,   30000 },
    [HOOK_DECIDE] = { "DECIDE", TO(HOOK_WRITE),  NO_ERROR_EDGE, 30000 },
    [HOOK_WRITE]  = { "WRITE",  TO(HOOK_ACT),    NO_ERROR_EDGE, 30000 },
    [HOOK_ACT]    = { "ACT",    0,               NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct hook_call *hook_of(struct task *t)
{
    return container_of(t, struct hook_call, task);
}

/* --- whose it is --------------------------------------------------------------------------------- */

static int hears(const struct source_task *s, const struct hook_call_in *in)
{
    struct str type = value_get_text(value_get(s->config, S("webhook")), S("type"), S(""));

    return str_eq(type, in->type) && (!in->source.p || str_eq(s->name, in->source));
}

static int find_source(struct hook_call *c, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < c->engine->n_sources; i++)
        if (hears(c->engine->sources[i], &c->in)) {
            c->source = c->engine->sources[i];
            n++;
        }
    if (n > 1)
        return err_set(err, ERR_NOT_FOUND, "several sources hear %.*s hooks: /hooks/%.*s/SOURCE",
                       STR_ARG(c->in.type), STR_ARG(c->in.type));
    if (!n || hook_type_parse(c->in.type, &c->request.type))
        return err_set(err, ERR_NOT_FOUND, "no source hears these hooks");
    return 0;
}

/* --- who says it: on QUERY ----------------------------------------------------------------------- */

static int hook_read_secret(struct task *t, struct err *err)
{
    struct hook_call *c = hook_of(t);
    struct str name = value_get_text(value_at(c->source->config, S("webhook.secret")), S("secret"),
                                     S(""));

    return secret_store_read_own(c->engine->secrets, name, &c->fresh, err);
}

static int hook_judge(struct task *t, struct err *err)
{
    struct hook_call *c = hook_of(t);

    if (hook_decide(&c->arena, &c->request, &c->decision, err))
        return err->code;
    c->is_about = hook_is_about(&c->decision, c->source->config);
    return 0;
}

/* --- what is kept of it: on STATE ---------------------------------------------------------------- */

static int find_known(struct hook_call *c, struct err *err)
{
    const struct hook_decision *d = &c->decision;
    struct rec_delivery row = { .source = c->source->name, .delivery = d->id }, *rows;
    struct db *db = c->engine->db;
    size_t n = 0;
    int rc = db_get(db, &c->arena, REC_delivery, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    c->is_known = !rc;
    if (c->is_known)
        return 0;
    rc = DB_SELECT(db, &c->arena, delivery,
                   "INDEXED BY deliveries_body WHERE source = $1 AND body_hash = $2 AND at_ms > $3 "
                   "LIMIT 1",
                   &rows, &n, err, DB_T(c->source->name), DB_D(&d->digest),
                   DB_I(loop_wall_ms(c->engine->loop) - HOOK_KEPT_MS));
    c->is_known = n > 0;
    return rc;
}

static struct value *refs_of(struct hook_call *c)
{
    struct value *list = value_list(&c->arena);

    for (size_t i = 0; i < c->decision.refs.n; i++)
        value_add(&c->arena, list, value_text(&c->arena, c->decision.refs.p[i]));
    return list;
}

static int put_delivery(struct hook_call *c, struct tx *tx, struct err *err)
{
    const struct hook_decision *d = &c->decision;
    const struct rec_delivery row = { .source = c->source->name,
                                      .delivery = d->id,
                                      .at_ms = tx_time_ms(tx),
                                      .body_hash = d->digest,
                                      .word = d->word };
    int rc = tx_put(tx, REC_delivery, &row, err);

    tx_note(tx, S("refs"), json_format(&c->arena, refs_of(c)));
    if (d->repository.p)
        tx_note(tx, S("repository"), json_format(&c->arena, value_text(&c->arena, d->repository)));
    return rc;
}

static int hook_write(struct task *t, struct err *err)
{
    struct hook_call *c = hook_of(t);
    struct tx *tx;

    if (c->engine->stale.p)
        return err_set(err, ERR_BUSY, "the database is older than the world");
    if (find_known(c, err))
        return err->code;
    if (c->is_known)
        return 0;
    if (engine_tx(
            c->engine,
            &(struct engine_event){ .kind = S("hook.heard"),
                                    .subject = c->source->name,
                                    .actor = str_fmt(&c->arena, "hook:%.*s", STR_ARG(c->in.type)) },
            &tx, err))
        return err->code;
    return tx_finish(tx, put_delivery(c, tx, err), err);
}

int hook_call_prune(struct engine *e, struct arena *a, struct err *err)
{
    struct rec_delivery *rows;
    struct tx *tx;
    size_t n;
    int rc = DB_SELECT(e->db, a, delivery, "WHERE at_ms < $1 ORDER BY at_ms LIMIT $2", &rows, &n,
                       err, DB_I(loop_wall_ms(e->loop) - HOOK_KEPT_MS), DB_I(HOOK_PRUNE_MAX));

    if (rc || !n)
        return rc;
    rc = engine_tx(e,
                   &(struct engine_event){ .kind = S("hook.pruned"), .subject = S("deliveries") },
                   &tx, err);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < n; i++)
        rc = tx_remove(tx, REC_delivery, &rows[i], err);
    return tx_finish(tx, rc, err);
}

/* --- steps --------------------------------------------------------------------------------------- */

static int secret_is_fresh(const struct hook_call *c)
{
    const struct source_task *s = c->source;

    return s->hook_secret && loop_mono_ms(c->task.loop) - s->hook_secret_mono_ms < HOOK_SECRET_MS;
}

static enum task_verdict hook_begin(struct hook_call *c)
{
    struct task *t = &c->task;
    struct err err = ERR_INIT;

    if (find_source(c, &err))
        return task_fail(t, &err);
    if (secret_is_fresh(c))
        return task_goto(t, HOOK_DECIDE);
    wait_work_start(t, POOL_QUERY, hook_read_secret);
    return task_then(t, HOOK_DECIDE);
}

/* Every call has a copy of its own: another one may bring the next value meanwhile. */
static enum task_verdict hook_prepare(struct hook_call *c)
{
    struct source_task *s = c->source;
    struct err busy = ERR_INIT;

    if (c->task.rc) { /* who asks has shown nothing yet, and is not told of our stores */
        LOG(LOG_WARN, "the secret of a hook cannot be read", LOG_S("source", s->name),
            LOG_C("err", c->task.err.text));
        (void)err_set(&busy, ERR_BUSY, "hooks of this source cannot be checked now");
        return task_fail(&c->task, &busy);
    }
    if (c->fresh) {
        secret_free(s->hook_secret);
        s->hook_secret = TAKE(c->fresh);
        s->hook_secret_mono_ms = loop_mono_ms(c->task.loop);
    }
    c->request.headers = c->in.headers;
    c->request.body = c->in.body;
    c->request.is_tls = c->in.is_tls;
    c->request.now_ms = loop_wall_ms(c->task.loop);
    c->request.secret = str_copy(&c->arena, secret_reveal(s->hook_secret));
    wait_work_start(&c->task, POOL_QUERY, hook_judge);
    return task_then(&c->task, HOOK_WRITE);
}

static enum task_verdict hook_act(struct hook_call *c)
{
    const struct hook_decision *d = &c->decision;
    struct arena *a = &c->arena;
    size_t n = 0;

    if (!c->is_known && d->verdict == HOOK_LOOK && c->is_about)
        n = source_task_look(c->source, d);
    c->result = value_map(a);
    value_set_text(a, c->result, S("delivery"), d->id);
    value_set_text(a, c->result, S("event"), d->word);
    value_set_text(a, c->result, S("state"),
                   c->is_known ? S("known")
                   : n         ? S("looking")
                               : S("nothing"));
    value_set(a, c->result, S("refs"), refs_of(c));
    LOG(LOG_INFO, "hook", LOG_S("source", c->source->name), LOG_S("delivery", d->id),
        LOG_S("event", d->word),
        LOG_C("state", c->is_known ? "known"
                       : n         ? "looking"
                                   : "nothing"));
    return task_done(&c->task);
}

static enum task_verdict hook_step(struct task *t)
{
    struct hook_call *c = hook_of(t);

    switch (t->state) {
    case HOOK_SECRET:
        return hook_begin(c);
    case HOOK_DECIDE:
        return hook_prepare(c);
    case HOOK_WRITE:
        wait_work_start(t, POOL_STATE, hook_write);
        return task_then(t, HOOK_ACT);
    case HOOK_ACT:
        return hook_act(c);
    }
    UNREACHABLE();
}

void hook_call_start(struct engine *e, struct hook_call *call, task_ended *ended, void *ctx)
{
    call->engine = e;
    task_start(&call->task, e->loop, "hook", hook_states, N_ELEMENTS(hook_states), HOOK_SECRET,
               hook_step, ended, ctx);
}

void hook_call_fini(struct hook_call *call)
{
    secret_free(TAKE(call->fresh));
    arena_wipe(&call->arena);
}
