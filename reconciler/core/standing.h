/*
 * standing: what may happen while something stands in its way, and what becomes of a plan before it begins. SPDX-License-Identifier: Apache-2.0
 *
 * The two tables at the end of DESIGN 6, a row for each line and a column for each of theirs; and a row for what scales. Pure.
 */
#pragma once

#include "reconciler/core/plan.h"

enum standing_act {
    STANDING_COMMIT,  /* the plan of a commit */
    STANDING_RESTART, /* of what has died; the way back of a rollout; certificates, backups */
    STANDING_PERSON,  /* undo and rollback */
    STANDING_DRIFT,   /* the repair of what lives and differs */
    STANDING_SCALE,   /* more or fewer instances, as their use of processors asks for */
    STANDING_STOP,    /* of the previous set, when its time is over */
    N_STANDING_ACTS
};

enum standing_bar {
    STANDING_FREEZE,
    STANDING_HOLD,
    STANDING_QUARANTINE, /* of the group that is wanted */
    STANDING_BUDGET,     /* it takes more than that */
    N_STANDING_BARS
};

enum standing_way {
    STANDING_RUNS,
    STANDING_WAITS,
    STANDING_ASKS,      /* a person, however approval is set */
    STANDING_REFUSED,   /* unless overridden */
    STANDING_EXPLAINED, /* runs, with a reason */
    STANDING_HARMLESS,  /* runs where it disrupts nothing, else waits */
    STANDING_REPORTED,  /* said, not done */
    STANDING_PROVEN,    /* what was proven is wanted instead */
};

enum standing_way standing_way(enum standing_act act, enum standing_bar bar);
/* What a plan is; and whether it waits for the bar to go. */
enum standing_act standing_act(const struct plan *p);
int standing_plan_waits(const struct plan *p, enum standing_bar bar);

enum standing_news {
    STANDING_MOVED,     /* an item of the read set moved, a newer revision, another plan started */
    STANDING_ELSEWHERE, /* anything else in git, the world or the estate */
    STANDING_LACKS,     /* approvals expired, or the policy became stricter */
    STANDING_BACK,      /* it is made again of what it was made of */
    N_STANDING_NEWS
};

struct standing_next {
    struct str state;
    int forgets; /* what was decided before does not count */
};

/* Of a plan that has not begun: open, waiting, approved, rejected, superseded. Others stay as they are. */
struct standing_next standing_next(struct str state, enum standing_news news);
