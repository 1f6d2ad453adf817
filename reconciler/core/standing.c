/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/standing.h"

#include "base/guard.h"

/* clang-format off */
static const enum standing_way ways[N_STANDING_ACTS][N_STANDING_BARS] = {
    /*                      freeze               hold               quarantine        over budget */
    [STANDING_COMMIT]  = { STANDING_WAITS,     STANDING_WAITS,    STANDING_PROVEN, STANDING_ASKS },
    [STANDING_RESTART] = { STANDING_RUNS,      STANDING_RUNS,     STANDING_RUNS,   STANDING_RUNS },
    [STANDING_PERSON]  = { STANDING_EXPLAINED, STANDING_REFUSED,  STANDING_RUNS,   STANDING_ASKS }, /* to any proven revision */
    [STANDING_DRIFT]   = { STANDING_HARMLESS,  STANDING_REPORTED, STANDING_PROVEN, STANDING_ASKS },
    [STANDING_SCALE]   = { STANDING_RUNS,      STANDING_WAITS,    STANDING_RUNS,   STANDING_RUNS }, /* within what is applied */
    [STANDING_STOP]    = { STANDING_RUNS,      STANDING_WAITS,    STANDING_RUNS,   STANDING_RUNS },
};

static const struct {
    struct str state, next[N_STANDING_NEWS];
} states[] = {
    /*                         moved                 elsewhere             lacks                 back */
    { S_INIT("open"),       { S_INIT("superseded"), S_INIT("open"),       S_INIT("waiting"),    S_INIT("open") } },
    { S_INIT("waiting"),    { S_INIT("superseded"), S_INIT("waiting"),    S_INIT("waiting"),    S_INIT("waiting") } },
    { S_INIT("approved"),   { S_INIT("superseded"), S_INIT("approved"),   S_INIT("waiting"),    S_INIT("approved") } },
    { S_INIT("rejected"),   { S_INIT("superseded"), S_INIT("rejected"),   S_INIT("rejected"),   S_INIT("rejected") } },
    { S_INIT("superseded"), { S_INIT("superseded"), S_INIT("superseded"), S_INIT("superseded"), S_INIT("open") } },
};
/* clang-format on */

enum standing_way standing_way(enum standing_act act, enum standing_bar bar)
{
    PRE(act < N_STANDING_ACTS && bar < N_STANDING_BARS);
    return ways[act][bar];
}

/* A repair of nothing but what has died, and of what a rollout left behind, restarts. */
static int only_restarts(const struct plan *p)
{
    for (size_t i = 0; i < p->lines.n; i++)
        if (!str_eq_c(p->lines.p[i].kind, "instance") && p->lines.p[i].action != PLAN_DELETE)
            return 0;
    return 1;
}

enum standing_act standing_act(const struct plan *p)
{
    switch (p->cause) {
    case PLAN_CAUSE_COMMIT:
        return STANDING_COMMIT;
    case PLAN_CAUSE_UNDO:
    case PLAN_CAUSE_ROLLBACK:
        return STANDING_PERSON;
    case PLAN_CAUSE_DRIFT:
        return STANDING_DRIFT;
    case PLAN_CAUSE_SCALE:
        return STANDING_SCALE;
    case PLAN_CAUSE_REPAIR:
        return only_restarts(p) ? STANDING_RESTART : STANDING_DRIFT;
    }
    UNREACHABLE();
}

static int disrupts(const struct plan *p)
{
    for (size_t i = 0; i < p->lines.n; i++)
        if (p->lines.p[i].disruption.n && !str_eq_c(p->lines.p[i].disruption, "none"))
            return 1;
    return 0;
}

int standing_plan_waits(const struct plan *p, enum standing_bar bar)
{
    switch (standing_way(standing_act(p), bar)) {
    case STANDING_WAITS:
    case STANDING_REPORTED:
    case STANDING_REFUSED: /* what came in between */
        return 1;
    case STANDING_HARMLESS:
        return disrupts(p);
    case STANDING_RUNS:
    case STANDING_ASKS:
    case STANDING_EXPLAINED:
    case STANDING_PROVEN:
        return 0;
    }
    UNREACHABLE();
}

struct standing_next standing_next(struct str state, enum standing_news news)
{
    size_t i = 0;

    PRE(news < N_STANDING_NEWS);
    while (i < N_ELEMENTS(states) && !str_eq(states[i].state, state))
        i++;
    if (i == N_ELEMENTS(states))
        return (struct standing_next){ state, 0 };
    return (struct standing_next){ states[i].next[news],
                                   news == STANDING_BACK && !str_eq(states[i].next[news], state) };
}
