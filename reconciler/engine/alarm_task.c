/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/alarm_task.h"

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/alarm.h"
#include "reconciler/engine/env_task.h"

#define DOWN "provider.down/"
#define DISK_LOW "disk.low"

enum { ALARM_REST, ALARM_LOOK, ALARM_LOOKED };

/* clang-format off */
static const struct task_state alarm_states[] = {
    /*                 name      successors        on error       deadline_ms */
    [ALARM_REST]   = { "REST",   TO(ALARM_LOOK),   ALARM_LOOK,    0 },
    [ALARM_LOOK]   = { "LOOK",   TO(ALARM_LOOKED), ALARM_LOOKED,  0 },
    [ALARM_LOOKED] = { "LOOKED", TO(ALARM_REST),   NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct trouble { /* what a row of meta stands for */
    struct str key, subject;
    const char *begins, *ends; /* kinds of events */
    struct str why;
};

/* --- rows ---------------------------------------------------------------------------------------- */

static int write_trouble(struct alarm_task *x, const struct trouble *t, int is_on, struct err *err)
{
    const struct rec_meta row = { t->key, t->why };
    struct tx *tx;
    int rc;

    if (engine_tx(x->engine,
                  &(struct engine_event){ .kind = str_from_c(is_on ? t->begins : t->ends),
                                          .subject = t->subject },
                  &tx, err))
        return err->code;
    rc = is_on ? tx_put(tx, REC_meta, &row, err) : tx_remove(tx, REC_meta, &row, err);
    if (tx_finish(tx, rc, err))
        return err->code;
    if (is_on)
        LOG(LOG_ERROR, "trouble", LOG_S("with", t->subject), LOG_S("why", t->why));
    else
        LOG(LOG_INFO, "the trouble is over", LOG_S("with", t->subject));
    return 0;
}

/* --- providers ----------------------------------------------------------------------------------- */

static struct trouble of_provider(struct arena *a, struct str name, struct str why)
{
    return (struct trouble){ .key = str_fmt(a, DOWN "%.*s", STR_ARG(name)),
                             .subject = str_fmt(a, "provider/%.*s", STR_ARG(name)),
                             .begins = "provider.down",
                             .ends = "provider.back",
                             .why = why };
}

/* Who cannot go on without it. */
static int add_waiters(struct alarm_task *x, struct str name, struct sb *b, struct err *err)
{
    struct rec_environment *rows;
    size_t n;

    if (DB_SELECT(x->engine->db, &x->round, environment,
                  "WHERE deleted_ms IS NULL AND uid IN (SELECT env FROM resources WHERE"
                  " provider = $1 AND provider_id IS NOT NULL AND valid_to IS NULL AND"
                  " status <> 'gone') ORDER BY name LIMIT $2",
                  &rows, &n, err, DB_T(name), DB_I(ALARM_WAITERS_MAX + 1)))
        return err->code;
    for (size_t i = 0; i < n && i < ALARM_WAITERS_MAX; i++)
        sb_addf(b, "%s%.*s", i ? ", " : "; who needs it: ", STR_ARG(rows[i].name));
    if (n > ALARM_WAITERS_MAX)
        sb_add_c(b, " and others");
    return 0;
}

static int look_at_provider(struct alarm_task *x, struct provider_line *line, struct err *err)
{
    struct arena *a = &x->round;
    struct str name = line->provider->name, why, known;
    struct trouble t = of_provider(a, name, S(""));
    struct alarm_provider facts;
    struct sb b;
    int is_down;

    provider_line_alarm(line, x->engine->loop, a, &facts, &why);
    if (db_meta(x->engine->db, a, t.key, &known, err))
        return err->code;
    is_down = alarm_provider(&facts, known.p != NULL);
    if (is_down == (known.p != NULL))
        return 0;
    sb_init(&b, a);
    sb_add(&b, why);
    if (is_down && add_waiters(x, name, &b, err))
        return err->code;
    t.why = sb_str(&b);
    return write_trouble(x, &t, is_down, err);
}

/* Nobody asks one that the configuration does not name any more. */
static int forget_providers(struct alarm_task *x, struct err *err)
{
    struct rec_meta *rows;
    size_t n;

    if (DB_SELECT(x->engine->db, &x->round, meta, "WHERE k GLOB '" DOWN "*' ORDER BY k", &rows, &n,
                  err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct str name = str_slice(rows[i].k, S(DOWN).n, rows[i].k.n);
        struct trouble t = of_provider(&x->round, name, rows[i].v);

        if (!provider_line_find(x->engine, name) && write_trouble(x, &t, 0, err))
            return err->code;
    }
    return 0;
}

/* --- the disk ------------------------------------------------------------------------------------ */

static int look_at_disk(struct alarm_task *x, struct err *err)
{
    struct engine *e = x->engine;
    struct trouble t = {
        .key = S(DISK_LOW), .subject = S("disk"), .begins = DISK_LOW, .ends = "disk.back"
    };
    struct alarm_disk facts = { .lacks_ballast = e->lacks_ballast };
    struct str known;
    int is_low;

    if (sys_disk_free(e->state_dir.p, &facts.free_bytes, &facts.size_bytes, err) ||
        db_meta(e->db, &x->round, t.key, &known, err))
        return err->code;
    is_low = alarm_disk(&facts, known.p != NULL);
    if (is_low == (known.p != NULL))
        return 0;
    t.why = str_fmt(&x->round, "%lld of %lld MiB are free where the state is%s",
                    (long long)(facts.free_bytes >> 20), (long long)(facts.size_bytes >> 20),
                    facts.lacks_ballast ? ", and the ballast was needed" : "");
    return write_trouble(x, &t, is_low, err);
}

/* --- the task ------------------------------------------------------------------------------------ */

static int alarm_look(struct task *t, struct err *err)
{
    struct alarm_task *x = container_of(t, struct alarm_task, task);
    struct engine *e = x->engine;

    for (size_t i = 0; i < e->n_lines; i++)
        if (look_at_provider(x, &e->lines[i], err))
            return err->code;
    return forget_providers(x, err) ? err->code : look_at_disk(x, err);
}

static enum task_verdict alarm_step(struct task *t)
{
    struct alarm_task *x = container_of(t, struct alarm_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case ALARM_REST:
        wait_until_start(t, loop_mono_ms(t->loop) + ALARM_LOOK_MS);
        return task_then(t, ALARM_LOOK);
    case ALARM_LOOK:
        wait_work_start(t, POOL_STATE, alarm_look);
        return task_then(t, ALARM_LOOKED);
    case ALARM_LOOKED:
        if (t->rc && !x->n_failures++)
            LOG(LOG_WARN, "whether something is in trouble is not known, tried again",
                LOG_C("err", t->err.text));
        if (!t->rc)
            x->n_failures = 0;
        t->rc = 0;
        arena_reset(&x->round);
        return task_goto(t, ALARM_REST);
    }
    UNREACHABLE();
}

void alarm_task_start(struct alarm_task *x, struct engine *e)
{
    *x = (struct alarm_task){ .engine = e };
    arena_init(&x->round, 0);
    task_start(&x->task, e->loop, "alarm", alarm_states, N_ELEMENTS(alarm_states), ALARM_REST,
               alarm_step, engine_task_ended, e);
}

void alarm_task_stop(struct alarm_task *x)
{
    if (x->engine)
        task_cancel(&x->task, ERR_CANCELLED);
}

void alarm_task_fini(struct alarm_task *x)
{
    if (x->engine)
        arena_fini(&x->round);
}
