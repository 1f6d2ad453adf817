/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_tell.h"

#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/core/notify_text.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/notify_rules.h"
#include "specs/json_io.h"
#include "state/outbox.h"
#include "state/tables.h"

struct news {
    struct engine *e;
    struct tx *tx;
    struct arena *a;
    enum notify_word word;
    struct str subject, env_uid;
    struct value *says;
};

static void say(struct news *n, const char *key, struct str text)
{
    if (text.n)
        value_set_text(n->a, n->says, str_from_c(key), text);
}

static struct str cut(struct str text)
{
    return notify_text_cut(text, NOTIFY_TEXT_MAX);
}

/* --- facts --------------------------------------------------------------------------------------- */

/* The newest commit that asked for what the plan leads to. */
static int say_commit(struct news *n, const struct rec_plan *plan, struct err *err)
{
    struct rec_revision_commit *rows;
    size_t found;

    if (DB_SELECT(n->e->db, n->a, revision_commit,
                  "WHERE env = $1 AND digest = $2 ORDER BY seen_seq DESC LIMIT 1", &rows, &found,
                  err, DB_T(plan->env), DB_D(&plan->target)))
        return err->code;
    if (!found)
        return 0;
    say(n, "commit", rows[0].commit_id);
    say(n, "author", notify_text_cut(rows[0].author, NOTIFY_FIELD_MAX));
    say(n, "summary", notify_text_cut(rows[0].summary, NOTIFY_FIELD_MAX));
    return 0;
}

static int of_plan(struct news *n, const void *rec, struct err *err)
{
    const struct rec_plan *plan = rec;
    struct str id = digest_hex(n->a, &plan->id);

    n->env_uid = plan->env;
    n->subject = str_fmt(n->a, "plan/%.*s", STR_ARG(id));
    say(n, "plan", engine_short(n->a, &plan->id));
    say(n, "cause", plan->cause);
    say(n, "actor", plan->actor);
    say(n, "text", cut(plan->reason));
    return say_commit(n, plan, err);
}

static int of_environment(struct news *n, const void *rec, struct err *err)
{
    const struct rec_environment *env = rec;

    (void)err;
    n->env_uid = env->uid;
    n->subject = str_fmt(n->a, "environment/%.*s", STR_ARG(env->uid));
    say(n, "commit", env->commit_id);
    say(n, "text", cut(env->reason));
    return 0;
}

static int of_source(struct news *n, const void *rec, struct err *err)
{
    const struct rec_source *source = rec;

    (void)err;
    n->subject = str_fmt(n->a, "source/%.*s", STR_ARG(source->name));
    say(n, "text", cut(source->error));
    return 0;
}

static int of_head(struct news *n, const void *rec, struct err *err)
{
    const struct rec_head *head = rec;

    (void)err;
    n->subject = str_fmt(n->a, "source/%.*s@%.*s", STR_ARG(head->source), STR_ARG(head->branch));
    say(n, "commit", head->commit_id);
    say(n, "text", cut(head->error));
    return 0;
}

static int of_hold(struct news *n, const void *rec, struct err *err)
{
    const struct rec_hold *hold = rec;

    (void)err;
    n->env_uid = hold->env;
    n->subject = str_fmt(n->a, "hold/%.*s", STR_ARG(hold->uid));
    say(n, "text", cut(hold->reason));
    return 0;
}

/* Why the way back fails is what its operation heard last. */
static int say_refusal(struct news *n, const struct rec_rollout *rollout, struct err *err)
{
    struct rec_operation *rows;
    size_t found;

    if (DB_SELECT(n->e->db, n->a, operation,
                  "WHERE plan = $1 AND kind IN ('routes', 'switch') AND outcome IS NULL AND "
                  "message IS NOT NULL ORDER BY item LIMIT 1",
                  &rows, &found, err, DB_D(&rollout->plan)))
        return err->code;
    say(n, "text",
        cut(str_fmt(n->a, "%.*s%s%.*s", STR_ARG(rollout->reason), found ? "; the way back: " : "",
                    STR_ARG(found ? rows[0].message : S("")))));
    return 0;
}

static int of_rollout(struct news *n, const void *rec, struct err *err)
{
    const struct rec_rollout *rollout = rec;

    n->env_uid = rollout->env;
    n->subject = str_fmt(n->a, "rollout/%.*s", STR_ARG(rollout->uid));
    say(n, "plan", engine_short(n->a, &rollout->plan));
    return say_refusal(n, rollout, err);
}

/* What the row stands for is the event's subject. */
static int of_meta(struct news *n, const void *rec, struct err *err)
{
    const struct rec_meta *row = rec;

    (void)err;
    n->subject = tx_subject(n->tx);
    say(n, "text", cut(row->v));
    return 0;
}

static int of_event(struct news *n, const void *rec, struct err *err)
{
    (void)rec;
    (void)err;
    n->env_uid = tx_env(n->tx);
    n->subject = tx_subject(n->tx);
    return 0;
}

/* clang-format off */
static const struct {
    const char *record;
    enum record is;
    int (*gather)(struct news *n, const void *rec, struct err *err);
} sources[] = {
    { "plan",        REC_plan,        of_plan },
    { "environment", REC_environment, of_environment },
    { "source",      REC_source,      of_source },
    { "head",        REC_head,        of_head },
    { "hold",        REC_hold,        of_hold },
    { "rollout",     REC_rollout,     of_rollout },
    { "meta",        REC_meta,        of_meta },
    { "event",       N_RECORDS,       of_event },
};
/* clang-format on */

/* --- rows ---------------------------------------------------------------------------------------- */

static int is_told(struct news *n, struct str target, struct err *err)
{
    struct str word = str_from_c(notify_events[n->word].word);

    return notify_events[n->word].end == NOTIFY_TERMINAL
               ? outbox_has_terminal(n->e->db, n->a, n->subject, target, err)
               : outbox_is_waiting(n->e->db, n->a, n->subject, target, word, err);
}

static int put_row(struct news *n, const struct notify_recipient *to, struct err *err)
{
    struct value *body = value_map(n->a);
    struct rec_outbox row = { .uid = sys_uuid7(n->a, tx_time_ms(n->tx)),
                              .subject = n->subject,
                              .target = to->target,
                              .terminal = notify_events[n->word].end == NOTIFY_TERMINAL,
                              .attempt = 0,
                              .next_ms = tx_time_ms(n->tx),
                              .done_seq = REC_NONE,
                              .env = n->env_uid.p ? n->env_uid : S(""),
                              .word = str_from_c(notify_events[n->word].word),
                              .made_ms = tx_time_ms(n->tx),
                              .done_ms = REC_NONE };
    int rc = is_told(n, to->target, err);

    if (rc)
        return rc < 0 ? rc : 0;
    value_set(n->a, body, S("config"), value_copy_content(n->a, to->config));
    value_set(n->a, body, S("says"), n->says);
    row.body = json_format(n->a, body);
    if (arena_status(n->a, err) || tx_put(n->tx, REC_outbox, &row, err))
        return err->code;
    atomic_store(&n->e->tell.has_news, 1);
    return 0;
}

static int tell(struct news *n, struct err *err)
{
    struct rec_environment env = { .uid = n->env_uid };
    const struct notify_rules rules = { n->e->db, n->e->options.daemon };
    struct notify_recipients hear = { 0 };

    if (n->env_uid.n) {
        int rc = db_get(n->e->db, n->a, REC_environment, &env, err);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (rc)
            *err = ERR_INIT;
    }
    if (notify_rules_hear(&rules, n->a, n->env_uid, env.name.p ? env.name : S(""), n->word, &hear,
                          err))
        return err->code;
    say(n, "word", str_from_c(notify_events[n->word].word));
    say(n, "env", env.name);
    say(n, "subject", n->subject);
    for (size_t i = 0; i < hear.n; i++)
        if (put_row(n, &hear.p[i], err))
            return err->code;
    return 0;
}

static struct str column_text(const struct table *t, const void *rec, const char *column)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq_c(t->columns[i].name, column))
            return tables_is_null(rec, &t->columns[i]) ? STR_NONE
                                                       : tables_text(rec, &t->columns[i]);
    return STR_NONE;
}

/* --- watching ------------------------------------------------------------------------------------ */

static int look(struct engine *e, struct tx *tx, size_t source, const void *rec, struct err *err)
{
    const struct table *t = rec ? tables_get(sources[source].is) : NULL;
    union tables_record before;
    struct arena a;
    int is_known = 0, rc = 0;

    arena_init(&a, 0);
    for (size_t i = 0; !rc && i < notify_events_n_made; i++) {
        const struct notify_made *made = &notify_events_made[i];
        struct news n = { .e = e, .tx = tx, .a = &a, .word = made->word };
        struct str now, was = STR_NONE;

        if (!str_eq_c(str_from_c(made->record), sources[source].record))
            continue;
        now = rec ? column_text(t, rec, made->column) : tx_kind(tx);
        if (!notify_events_is_meant(made, now))
            continue;
        if (rec && !is_known) {
            memcpy(&before, rec, t->size_bytes);
            rc = db_get(e->db, &a, sources[source].is, &before, err);
            is_known = rc ? -1 : 1;
            if (rc && rc != ERR_NOT_FOUND)
                break;
            rc = err->code = 0;
        }
        if (is_known > 0)
            was = column_text(t, &before, made->column);
        if (!notify_events_matches(made, was, now))
            continue;
        n.says = value_map(&a);
        rc = sources[source].gather(&n, rec, err);
        rc = rc ? rc : tell(&n, err);
    }
    arena_fini(&a);
    return rc;
}

static int on_put(void *ctx, struct tx *tx, enum record record, const void *rec, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(sources); i++)
        if (sources[i].is == record)
            return look(ctx, tx, i, rec, err);
    return 0;
}

static int on_end(void *ctx, struct tx *tx, struct err *err)
{
    return look(ctx, tx, N_ELEMENTS(sources) - 1, NULL, err);
}

void notify_tell_open(struct notify_tell *t, struct engine *e)
{
    t->engine = e;
    t->watch = (struct tx_watch){ .put = on_put, .end = on_end, .ctx = e };
    tx_set_watch(e->db, &t->watch);
}
