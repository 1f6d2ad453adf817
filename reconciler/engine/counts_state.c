/* Numbers of the state, by any reader. SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "reconciler/engine/counts.h"
#include "reconciler/engine/view.h"
#include "state/events.h"
#include "state/outbox.h"

struct kind { /* of how environments are */
    struct str sync, health;
    size_t n;
};

static struct kind *kind_of(struct metrics *m, struct map *kinds, const struct rec_environment *env)
{
    struct str key = str_fmt(m->a, "%.*s/%.*s", STR_ARG(env->sync), STR_ARG(env->health));
    struct kind *kind = map_find(kinds, key);

    if (kind)
        return kind;
    kind = arena_new(m->a, struct kind);
    if (kind) {
        *kind = (struct kind){ .sync = env->sync, .health = env->health };
        map_put(kinds, key, kind);
    }
    return kind;
}

/* The one that waits is the newest; few environments wait. */
static int put_waiting(const struct view *v, struct metrics *m, const struct rec_environment *env,
                       size_t *n, struct err *err)
{
    struct event made;
    struct rec_plan plan;
    int rc = view_open_plan(v, env->uid, &plan, err);

    if (rc || !plan.env.n || !str_eq_c(plan.state, "waiting"))
        return rc;
    rc = events_get(v->db, v->a, plan.made_seq, &made, err);
    if (rc)
        return rc;
    ++*n;
    METRICS_PUT(m, PLAN_AGE, (double)(v->now_ms - made.time_ms) / 1000, env->name);
    return 0;
}

static int put_environments(const struct view *v, struct metrics *m, struct err *err)
{
    struct rec_environment *rows;
    struct map kinds;
    size_t n, n_plans = 0;
    int rc = DB_SELECT(v->db, v->a, environment, "WHERE deleted_ms IS NULL ORDER BY name", &rows,
                       &n, err);

    map_init(&kinds, m->a);
    for (size_t i = 0; !rc && i < n; i++) {
        struct kind *kind = kind_of(m, &kinds, &rows[i]);

        if (kind)
            kind->n++;
        METRICS_PUT(m, ENVIRONMENT, 1, rows[i].name, rows[i].source, rows[i].sync, rows[i].health);
        if (!str_eq_c(rows[i].sync, "in_sync"))
            rc = put_waiting(v, m, &rows[i], &n_plans, err);
    }
    for (size_t i = 0; i < kinds.n; i++) {
        const struct kind *kind = kinds.entries[i].value;

        METRICS_PUT(m, ENVIRONMENTS, kind->n, kind->sync, kind->health);
    }
    METRICS_PUT(m, PLANS, n_plans);
    return rc;
}

int counts_put_state(struct db *db, struct metrics *m, int64_t now_ms, struct err *err)
{
    const struct view v = { db, m->a, now_ms, NULL };
    const struct value *clock;
    int64_t n, first_ms, seq;
    struct digest hash;
    int rc = put_environments(&v, m, err);

    if (!rc)
        rc = view_clock(&v, &clock, err);
    if (!rc)
        rc = events_head(db, &seq, &hash, err);
    if (!rc)
        rc = outbox_waiting(db, &n, err);
    if (!rc)
        rc = outbox_next_ms(db, m->a, &first_ms, err);
    if (rc)
        return rc;
    METRICS_PUT(m, CLOCK, clock != NULL);
    METRICS_PUT(m, EVENTS, seq);
    METRICS_PUT(m, OUTBOX, n);
    METRICS_PUT(m, OUTBOX_LATE,
                first_ms == REC_NONE || first_ms > now_ms ? 0 : (double)(now_ms - first_ms) / 1000);
    return arena_status(m->a, err);
}
