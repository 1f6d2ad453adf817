/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/notify.h"
#include "reconciler/core/notify_link.h"
#include "reconciler/core/retry.h"
#include "reconciler/core/windows.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/notify_rules.h"
#include "reconciler/engine/zones.h"
#include "specs/json_io.h"
#include "state/outbox.h"

#define NOTIFY_BODY_MAX (1u << 20)
#define NOTIFY_LOOK_MS 3600000 /* at the latest: a clock may have been set */

enum { NOTIFY_REST, NOTIFY_PICK, NOTIFY_START, NOTIFY_ALL_SENT };

/* clang-format off */
static const struct task_state notify_states[] = {
    /*                    name     successors                              on error           deadline_ms */
    [NOTIFY_REST]     = { "REST",  TO(NOTIFY_PICK),                        NOTIFY_PICK,       0 },
    [NOTIFY_PICK]     = { "PICK",  TO(NOTIFY_START),                       NOTIFY_START,      0 },
    [NOTIFY_START]    = { "START", TO2(NOTIFY_REST, NOTIFY_ALL_SENT),      NO_ERROR_EDGE,     0 },
    [NOTIFY_ALL_SENT] = { "SENT",  TO2(NOTIFY_REST, NOTIFY_PICK),          NOTIFY_REST,       0 },
};
/* clang-format on */

struct pick { /* one recipient */
    struct notify_task *n;
    struct arena *a;
    struct str target;
    struct rec_outbox *rows;
    struct value **bodies;
    size_t n_rows;
    const struct value *config;
};

/* Programs take one after the other. */
static int is_read_by_people(const struct value *config)
{
    struct str type = value_get_text(config, S("type"), S(""));

    return str_eq_c(type, "slack") || str_eq_c(type, "smtp") || str_eq_c(type, "webhook");
}

static enum notify_severity severity_of(const struct rec_outbox *row, const struct value *body)
{
    const struct notify_event *e = notify_events_find(row->word);

    return e ? e->severity
             : (enum notify_severity)value_get_int(value_get(body, S("says")), S("severity"),
                                                   NOTIFY_INFO);
}

/* --- who and when -------------------------------------------------------------------------------- */

static int quiet_until(struct pick *p, int64_t now_ms, int64_t *ret, struct err *err)
{
    const struct value *quiet = value_get(p->config, S("quiet"));
    struct windows_end end;
    struct map zones;

    *ret = 0;
    if (!value_count(quiet))
        return 0;
    map_init(&zones, p->a);
    if (zones_add(p->a, quiet, &zones, err))
        return err->code;
    if (windows_freeze(quiet, &zones, now_ms, &end))
        *ret = end.at_ms == TZ_NEVER ? NOTIFY_NEVER : end.at_ms;
    return 0;
}

static int find_config(struct pick *p, struct err *err)
{
    const struct notify_rules rules = { p->n->engine->db, p->n->engine->options.daemon };

    if (notify_rules_find(&rules, p->a, p->rows[0].env, p->target, p->rows[0].word, &p->config,
                          err))
        return err->code;
    if (!p->config && !notify_rules_is_of_daemon(p->target)) /* it was so when it happened */
        p->config = value_get(p->bodies[0], S("config"));
    return 0;
}

static int load(struct pick *p, struct err *err)
{
    if (outbox_waiting_for(p->n->engine->db, p->a, p->target, NOTIFY_DIGEST_MAX, &p->rows,
                           &p->n_rows, err))
        return err->code;
    p->bodies = arena_new_n(p->a, struct value *, p->n_rows + 1);
    for (size_t i = 0; p->bodies && i < p->n_rows; i++)
        if (json_parse(p->a, p->rows[i].body, NOTIFY_BODY_MAX, &p->bodies[i], err))
            return err_wrap(err, "message '%.*s'", STR_ARG(p->rows[i].uid));
    return p->n_rows ? find_config(p, err) : arena_status(p->a, err);
}

static int decide(struct pick *p, struct notify_facts *f, struct notify_next *ret, struct err *err)
{
    struct engine *e = p->n->engine;
    struct notify_row *rows = arena_new_n(p->a, struct notify_row, p->n_rows + 1);
    int64_t *sent_ms = arena_new_n(p->a, int64_t, NOTIFY_BURST);
    struct rec_outbox *sent;

    *f = (struct notify_facts){ .rows = rows,
                                .n = p->n_rows,
                                .sent_ms = sent_ms,
                                .collapses = is_read_by_people(p->config),
                                .now_ms = loop_wall_ms(e->loop) };
    if (arena_status(p->a, err) || quiet_until(p, f->now_ms, &f->quiet_until_ms, err) ||
        outbox_sent_since(e->db, p->a, p->target, f->now_ms - NOTIFY_BURST_MS, NOTIFY_BURST, &sent,
                          &f->n_sent, err))
        return err->code;
    for (size_t i = 0; i < f->n_sent; i++)
        sent_ms[i] = sent[i].done_ms;
    for (size_t i = 0; i < p->n_rows; i++)
        rows[i] = (struct notify_row){ p->rows[i].attempt, p->rows[i].next_ms,
                                       severity_of(&p->rows[i], p->bodies[i]) };
    *ret = notify_decide(f);
    return 0;
}

/* --- several that become one --------------------------------------------------------------------- */

static void count(struct pick *p, struct value *counts, struct str word)
{
    value_set_int(p->a, counts, word, value_get_int(counts, word, 0) + 1);
}

/* What all of them say: numbers, and the last lines. */
static struct value *digest_says(struct pick *p, const struct notify_facts *f)
{
    struct value *says = value_map(p->a), *counts = value_map(p->a), *lines = value_list(p->a);
    struct str env = STR_NONE;
    int64_t n = 0, severity = NOTIFY_INFO;

    for (size_t i = p->n_rows; i > 0; i--) {
        const struct value *of = value_get(p->bodies[i - 1], S("says"));
        struct str name = value_get_text(of, S("env"), S(""));

        if (!notify_is_collapsed(f, i - 1))
            continue;
        env = !n || str_eq(env, name) ? name : S("");
        severity = f->rows[i - 1].severity > severity ? (int64_t)f->rows[i - 1].severity : severity;
        count(p, counts, p->rows[i - 1].word);
        if (n++ < NOTIFY_LINES_MAX)
            value_add(p->a, lines, value_copy(p->a, of));
    }
    value_set_text(p->a, says, S("word"), S("digest"));
    if (env.n)
        value_set_text(p->a, says, S("env"), env);
    value_set_int(p->a, says, S("n"), n);
    value_set_int(p->a, says, S("severity"), severity);
    value_set(p->a, says, S("counts"), counts);
    value_set(p->a, says, S("lines"), lines);
    return says;
}

static int put_digest(struct pick *p, const struct notify_facts *f, struct tx *tx,
                      struct rec_outbox *ret, struct err *err)
{
    struct value *body = value_map(p->a);

    *ret = (struct rec_outbox){ .uid = sys_uuid7(p->a, tx_time_ms(tx)),
                                .target = p->target,
                                .next_ms = tx_time_ms(tx),
                                .done_seq = REC_NONE,
                                .env = p->rows[0].env,
                                .word = S("digest"),
                                .made_ms = tx_time_ms(tx),
                                .done_ms = REC_NONE };
    ret->subject = str_fmt(p->a, "digest/%.*s", STR_ARG(ret->uid));
    value_set(p->a, body, S("config"), value_copy_content(p->a, p->config));
    value_set(p->a, body, S("says"), digest_says(p, f));
    ret->body = json_format(p->a, body);
    if (arena_status(p->a, err) || tx_put(tx, REC_outbox, ret, err))
        return err->code;
    for (size_t i = 0; i < p->n_rows; i++) {
        struct rec_outbox row = p->rows[i];

        if (!notify_is_collapsed(f, i))
            continue;
        row.done_seq = tx_seq(tx);
        row.done_ms = tx_time_ms(tx);
        row.outcome = S("collapsed");
        row.digest = ret->uid;
        if (tx_put(tx, REC_outbox, &row, err))
            return err->code;
    }
    p->bodies[0] = body;
    return 0;
}

static int drop(struct pick *p, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < p->n_rows; i++) {
        struct rec_outbox row = p->rows[i];

        row.done_seq = tx_seq(tx);
        row.done_ms = tx_time_ms(tx);
        row.outcome = S("dropped");
        row.error = S("the configuration does not name this recipient any more");
        if (tx_put(tx, REC_outbox, &row, err))
            return err->code;
    }
    return 0;
}

/* `f` NULL: nobody is told. */
static int write_rows(struct pick *p, const struct notify_facts *f, struct rec_outbox *ret,
                      struct err *err)
{
    struct engine_event event = { .kind = f ? S("notify.collapsed") : S("notify.dropped"),
                                  .subject = p->target,
                                  .env = p->rows[0].env };
    struct tx *tx;

    if (engine_tx(p->n->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, f ? put_digest(p, f, tx, ret, err) : drop(p, tx, err), err);
}

/* --- picking ------------------------------------------------------------------------------------- */

/* What the Daemon document says now of the environment that it is about. */
static void bind(struct pick *p, struct notify_send *s)
{
    const struct value *daemon = p->n->engine->options.daemon;
    struct rec_environment env = { .uid = s->row.env };
    struct err err = ERR_INIT;

    if (notify_rules_is_of_daemon(s->row.target) ||
        db_get(p->n->engine->db, p->a, REC_environment, &env, &err))
        return; /* nothing is given then */
    s->rule = daemon_rule(daemon, env.source, S("environment"), env.name, NULL);
    s->forge = value_get(value_get(value_get(daemon, S("sources")), env.source), S("forge"));
}

static void prepare(struct pick *p, const struct rec_outbox *row, const struct value *body)
{
    struct engine *e = p->n->engine;
    struct notify_send *s = &p->n->sends[p->n->n_sends++];

    *s = (struct notify_send){ .row = *row, .config = p->config };
    s->message = (struct notify_message){
        .id = row->uid,
        .made_ms = row->made_ms,
        .now_ms = loop_wall_ms(e->loop),
        .severity = severity_of(row, body),
        .says = value_get(body, S("says")),
        .link = notify_link_to(p->a, notify_link_base(p->a, e->options.daemon),
                               value_get(body, S("says"))),
    };
    bind(p, s);
}

/* Of several entries of one recipient the one that hears of this. */
static int choose(struct pick *p, struct str word, struct err *err)
{
    const struct notify_rules rules = { p->n->engine->db, p->n->engine->options.daemon };
    const struct value *config;

    if (notify_rules_find(&rules, p->a, p->rows[0].env, p->target, word, &config, err))
        return err->code;
    p->config = config ? config : p->config;
    return 0;
}

static int pick_one(struct pick *p, struct err *err)
{
    struct notify_task *n = p->n;
    struct notify_facts f;
    struct notify_next next;
    struct rec_outbox digest;

    if (load(p, err) || !p->n_rows)
        return err->code;
    if (!p->config)
        return write_rows(p, NULL, NULL, err);
    if (decide(p, &f, &next, err))
        return err->code;
    if (next.move == NOTIFY_WAIT) {
        if (next.at_ms < n->due_ms)
            n->due_ms = next.at_ms;
        return 0;
    }
    if (next.move == NOTIFY_COLLAPSE) {
        if (write_rows(p, &f, &digest, err))
            return err->code;
        prepare(p, &digest, p->bodies[0]);
    } else {
        if (choose(p, p->rows[next.row].word, err))
            return err->code;
        prepare(p, &p->rows[next.row], p->bodies[next.row]);
    }
    return 0;
}

/* All who wait, once around, from the one behind who was looked at last. */
static int notify_pick(struct task *t, struct err *err)
{
    struct notify_task *n = container_of(t, struct notify_task, task);
    struct str begin = str_from_c(n->after_text), at = begin;
    int is_around = 0;

    n->n_sends = 0;
    n->due_ms = NOTIFY_NEVER;
    while (n->n_sends < NOTIFY_SENDS_MAX) {
        struct pick p = { .n = n, .a = &n->round };

        if (outbox_next_target(n->engine->db, &n->round, at, &p.target, err))
            return err->code;
        if (!p.target.p && !is_around) {
            is_around = 1;
            at = S("");
            continue;
        }
        if (!p.target.p || (is_around && str_cmp(p.target, begin) > 0))
            return 0;
        if (pick_one(&p, err))
            return err_wrap(err, "tell '%.*s'", STR_ARG(p.target));
        at = p.target;
    }
    n->after = at;
    return arena_status(&n->round, err);
}

/* --- the task ------------------------------------------------------------------------------------ */

static void send_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

static int64_t until_mono_ms(const struct notify_task *n)
{
    int64_t left_ms = NOTIFY_LOOK_MS;

    if (n->n_failures)
        left_ms = retry_delay_ms(n->n_failures, 0);
    else if (n->due_ms != NOTIFY_NEVER && n->due_ms - loop_wall_ms(n->engine->loop) < left_ms)
        left_ms = n->due_ms - loop_wall_ms(n->engine->loop);
    return loop_mono_ms(n->engine->loop) + (left_ms > 0 ? left_ms : 1);
}

static enum task_verdict notify_send_all(struct notify_task *n)
{
    struct task *t = &n->task;

    if (t->rc && !n->n_failures++)
        LOG(LOG_ERROR, "what is to be told cannot be read, tried again", LOG_C("err", t->err.text));
    if (!t->rc)
        n->n_failures = 0;
    t->rc = 0;
    (void)snprintf(n->after_text, sizeof(n->after_text), "%.*s", STR_ARG(n->after));
    if (!n->n_sends)
        return task_goto(t, NOTIFY_REST);
    for (size_t i = 0; i < n->n_sends; i++) {
        n->children[i] = &n->sends[i].task;
        notify_send_start(&n->sends[i], n->engine, send_ended, NULL);
    }
    wait_join_start(t, n->children, n->n_sends);
    return task_then(t, NOTIFY_ALL_SENT);
}

static void forget_round(struct notify_task *n)
{
    for (size_t i = 0; i < n->n_sends; i++)
        arena_wipe(&n->sends[i].secret);
    n->n_sends = 0;
    n->after = STR_NONE;
    arena_reset(&n->round);
}

static enum task_verdict notify_step(struct task *t)
{
    struct notify_task *n = container_of(t, struct notify_task, task);

    switch (t->state) {
    case NOTIFY_REST:
        if (t->cancelled)
            return task_done(t);
        forget_round(n);
        wait_signal_start(t, until_mono_ms(n));
        return task_then(t, NOTIFY_PICK);
    case NOTIFY_PICK:
        if (t->cancelled)
            return task_done(t);
        forget_round(n);
        wait_work_start(t, POOL_STATE, notify_pick);
        return task_then(t, NOTIFY_START);
    case NOTIFY_START:
        if (t->cancelled)
            return task_done(t);
        return notify_send_all(n);
    case NOTIFY_ALL_SENT: /* more may be due behind these */
        t->rc = 0;
        return t->cancelled ? task_done(t) : task_goto(t, NOTIFY_PICK);
    }
    UNREACHABLE();
}

void notify_task_start(struct notify_task *n, struct engine *e)
{
    *n = (struct notify_task){ .engine = e };
    arena_init(&n->round, 0);
    n->due_ms = loop_wall_ms(e->loop); /* what a former life left */
    task_start(&n->task, e->loop, "notify", notify_states, N_ELEMENTS(notify_states), NOTIFY_REST,
               notify_step, engine_task_ended, e);
}

void notify_task_wake(void *engine)
{
    struct engine *e = engine;

    if (e->notify.engine)
        wait_signal(&e->notify.task);
}

void notify_task_stop(struct notify_task *n)
{
    if (n->engine)
        task_cancel(&n->task, ERR_CANCELLED);
}

void notify_task_fini(struct notify_task *n)
{
    if (!n->engine)
        return;
    forget_round(n);
    arena_fini(&n->round);
}
