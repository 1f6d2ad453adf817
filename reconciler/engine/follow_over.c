/* A standby is asked to go on as the daemon. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/follow_state.h"
#include "reconciler/engine/installation.h"
#include "reconciler/engine/secret_key.h"

#define OVER_ASK_MS 3000 /* of a machine that is off nobody says that it is */

/* Keys are in no event: without them values that were sealed cannot be read, and every version of a secret is a
 * new one, which rolls what was given it. */
static int check_keys(struct follow *f, struct arena *a, struct str installation, struct err *err)
{
    static const char *const names[] = { "fingerprint", "sealed" };
    struct str known = STR_NONE;

    if (installation_read(a, f->keys.p, &known, err))
        return err->code;
    if (known.p && !str_eq(known, installation))
        return err_set(err, ERR_REFUSED, "'%.*s/installation' is of another installation",
                       STR_ARG(f->keys));
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        char key[SECRET_KEY_BYTES];
        int rc = secret_key_read_old(f->keys.p, names[i], key, err);

        explicit_bzero(key, sizeof(key));
        if (rc == ERR_NOT_FOUND)
            return err_set(err, ERR_REFUSED,
                           "'%.*s/%s' is missing: copy the keys and sealed values of the other "
                           "daemon there, or give them up: --without-keys",
                           STR_ARG(f->keys), names[i]);
        if (rc)
            return rc;
    }
    return 0;
}

/* By a reader: POOL_STATE may be writing. */
static int check_copy(struct follow *f, struct arena *a, int without_keys, struct err *err)
{
    struct rec_secret_version *rows;
    struct db *db;
    size_t n;
    int is_whole, rc = db_open(f->file.p, DB_READ, &db, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? err_set(err, ERR_REFUSED, "nothing of '%.*s' was copied yet",
                                             STR_ARG(f->options.url))
                                   : rc;
    rc = replica_is_whole(db, &is_whole, err);
    if (!rc && !is_whole)
        rc = err_set(err, ERR_REFUSED,
                     "the copy is not whole: the snapshot that it begins with has not come");
    if (!rc)
        rc = DB_SELECT(db, a, secret_version, "WHERE gone_ms IS NULL LIMIT 1", &rows, &n, err);
    if (!rc && n && !without_keys)
        rc = check_keys(f, a, db_installation(db), err);
    db_close(db);
    return rc;
}

/* What is copied by now is what it goes on from. */
static int decide(struct follow *f, struct command_call *call, struct err *err)
{
    struct value *v = value_map(&call->arena);

    if (f->taken.actor.p)
        return err_set(err, ERR_CONFLICT, "%.*s takes over already", STR_ARG(f->taken.actor));
    f->taken = (struct follow_takeover){ .actor = str_copy(f->a, call->in.actor),
                                         .reason = str_copy(f->a, call->in.reason),
                                         .url = f->options.url,
                                         .seq = f->at.seq,
                                         .time_ms = f->at.time_ms,
                                         .missing = follow_behind(f),
                                         .heard_ms = f->at.heard_ms };
    value_set_int(&call->arena, v, S("seq"), f->at.seq);
    value_set_int(&call->arena, v, S("time_ms"), f->at.time_ms);
    value_set_int(&call->arena, v, S("missing"), follow_behind(f));
    value_set_int(&call->arena, v, S("heard_ms"), f->at.heard_ms);
    value_set_text(&call->arena, v, S("message"), S("it takes over"));
    if (arena_status(&call->arena, err) || arena_status(f->a, err)) {
        f->taken = (struct follow_takeover){ 0 };
        return ERR_NOMEM;
    }
    call->result = v;
    return 0;
}

/* --- asking for it ------------------------------------------------------------------------------- */

/*   ASK -> JUDGE       ASK: whether the other one answers, whatever a person believes; a failure is what is hoped for */
enum { OVER_ASK, OVER_JUDGE };

/* clang-format off */
static const struct task_state over_states[] = {
    /*               name     successors      on error       deadline_ms */
    [OVER_ASK]   = { "ASK",   TO(OVER_JUDGE), OVER_JUDGE,    0 },
    [OVER_JUDGE] = { "JUDGE", 0,              NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct over {
    struct follow *f;
    int without_keys;
    struct peer_call ask;
};

/* What stands before a daemon that is gone says so itself. */
static int is_alive(const struct over *o)
{
    return o->ask.reply.status >= 200 && o->ask.reply.status < 500;
}

static enum task_verdict over_judge(struct command_call *call)
{
    struct over *o = call->found;
    struct task *t = &call->task;
    struct err err = ERR_INIT;

    if (t->cancelled)
        return task_done(t);
    if (is_alive(o))
        (void)err_set(&err, ERR_CONFLICT,
                      "the daemon at %.*s answers: it is not fenced. Stop it, and say it again",
                      STR_ARG(o->f->options.url));
    t->rc = 0;
    t->err = ERR_INIT;
    if (err.code || check_copy(o->f, &call->arena, o->without_keys, &err) ||
        decide(o->f, call, &err))
        return task_fail(t, &err);
    o->f->options.over(o->f->options.over_ctx);
    return task_done(t);
}

static enum task_verdict over_step(struct task *t)
{
    struct command_call *call = container_of(t, struct command_call, task);
    struct over *o = call->found;

    if (t->state == OVER_JUDGE)
        return over_judge(call);
    if (!o)
        return task_fail(t, &(struct err){ .code = ERR_NOMEM, .text = "out of memory" });
    peer_start(&o->f->peer, t, &call->arena, S("?limit=0"), OVER_ASK_MS, &o->ask);
    return task_then(t, OVER_JUDGE);
}

void follow_take_over(struct follow *f, struct command_call *call, int without_keys,
                      task_ended *ended, void *ctx)
{
    struct over *o = arena_new(&call->arena, struct over);

    call->found = o;
    if (o)
        *o = (struct over){ .f = f, .without_keys = without_keys };
    task_start(&call->task, f->options.loop, "takeover", over_states, (int)N_ELEMENTS(over_states),
               OVER_ASK, over_step, ended, ctx);
}

const struct follow_takeover *follow_taken(const struct follow *f)
{
    return f->taken.actor.p ? &f->taken : NULL;
}
