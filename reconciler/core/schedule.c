/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/schedule.h"

/* Steps of PROTOCOL 2 that the schedule itself must know. */
enum { STEP_RELEASE = 3, STEP_SWITCH = 6, STEP_PROVEN = 8 };

struct moves {
    struct schedule_move *p;
    size_t n, max;
};

static void add_move(struct moves *m, struct schedule_move move)
{
    if (m->n < m->max)
        m->p[m->n++] = move;
}

static const struct plan_item *item_at(const struct schedule *s, size_t i)
{
    return &s->plan->items.p[i];
}

static int is_ended(enum item_status status)
{
    return status == ITEM_DONE || status == ITEM_SKIPPED;
}

static int was_begun(enum item_status status)
{
    return status != ITEM_NONE && status != ITEM_SKIPPED;
}

static int needs_met(const struct schedule *s, const struct plan_item *item)
{
    for (size_t i = 0; i < item->needs.n; i++)
        if (!is_ended(s->items[item->needs.p[i]]))
            return 0;
    return 1;
}

/* --- one lane of a group ------------------------------------------------------------------------- */

struct tally {
    int open, begun, left, parked;
    int failed;       /* first item that failed; -1: none */
    int deepest;      /* highest step begun */
    int at;           /* step of the last item begun */
    int release_open; /* a release runs; or nobody knows whether it did */
    int release_parked;
};

static struct tally tally_lane(const struct schedule *s, size_t group, enum plan_lane lane)
{
    const struct plan_group *g = &s->plan->groups.p[group];
    struct tally t = { .failed = -1 };

    for (size_t i = g->first_item; i < g->first_item + g->n_items; i++) {
        const struct plan_item *item = item_at(s, i);
        enum item_status status = s->items[i];

        if (item->lane != lane)
            continue;
        t.left += !is_ended(status);
        if (!was_begun(status))
            continue;
        t.begun++;
        t.open += status == ITEM_OPEN;
        t.parked += status == ITEM_PARKED;
        if (status == ITEM_FAILED && t.failed < 0)
            t.failed = (int)i;
        t.release_open |= item->step == STEP_RELEASE && status == ITEM_OPEN;
        t.release_parked |= item->step == STEP_RELEASE && status == ITEM_PARKED;
        t.at = item->step;
        if (item->step > t.deepest)
            t.deepest = item->step;
    }
    return t;
}

/* It will never be done: it failed, or its group goes back, or what it needs will not be done. */
static int is_lost(const struct schedule *s, size_t i)
{
    const struct plan_item *item = item_at(s, i);

    if (s->items[i] != ITEM_NONE)
        return s->items[i] == ITEM_FAILED;
    if (item->group >= 0)
        return s->groups[item->group] != GROUP_ROLLING && s->groups[item->group] != GROUP_PROVEN;
    for (size_t n = 0; n < item->needs.n; n++)
        if (is_lost(s, item->needs.p[n]))
            return 1;
    return 0;
}

/* An item outside that a group waits for in vain, or -1. */
static int find_lost_need(const struct schedule *s, size_t group)
{
    const struct plan_group *g = &s->plan->groups.p[group];

    for (size_t i = g->first_item; i < g->first_item + g->n_items; i++) {
        const struct plan_item *item = item_at(s, i);

        if (item->lane != LANE_MAIN || s->items[i] != ITEM_NONE)
            continue;
        for (size_t n = 0; n < item->needs.n; n++) {
            size_t need = item->needs.p[n];

            if (item_at(s, need)->group != (int)group && is_lost(s, need))
                return (int)need;
        }
    }
    return -1;
}

/* --- moves of groups ----------------------------------------------------------------------------- */

/* A newer commit waits from the switch on, and for a release; a person only where it cannot be left:
 * while a release runs, while what was un-routed is stopped, when it is proven. */
static int group_wants_out(const struct schedule *s, const struct tally *t)
{
    switch (s->wish) {
    case WISH_NONE:
        return 0;
    case WISH_SUPERSEDE:
        return !t->release_open && !t->release_parked && t->deepest < STEP_SWITCH;
    case WISH_CANCEL:
        return !t->release_open && t->at < STEP_PROVEN;
    }
    return 0;
}

static void move_rolling_group(const struct schedule *s, size_t group, struct moves *m)
{
    struct tally t = tally_lane(s, group, LANE_MAIN);
    struct schedule_move out = { .kind = MOVE_REVERT, .group = (int)group, .culprit = t.failed };
    int lost = find_lost_need(s, group);

    if (!t.left) {
        add_move(m, (struct schedule_move){ .kind = MOVE_PROVEN, .group = (int)group });
    } else if (t.failed >= 0 || group_wants_out(s, &t)) {
        add_move(m, out);
    } else if (lost >= 0) {
        out.culprit = s->items[lost] == ITEM_FAILED ? lost : -1;
        add_move(m, out);
    }
}

/* What waits in a group that goes back is ended early: gates, and operations to be tried again. */
static void cancel_main(const struct schedule *s, size_t group, struct moves *m)
{
    const struct plan_group *g = &s->plan->groups.p[group];

    for (size_t i = g->first_item; i < g->first_item + g->n_items; i++)
        if (item_at(s, i)->lane == LANE_MAIN && s->items[i] == ITEM_OPEN)
            add_move(m,
                     (struct schedule_move){ .kind = MOVE_CANCEL, .item = i, .group = (int)group });
}

static void move_reverting_group(const struct schedule *s, size_t group, struct moves *m)
{
    if (!tally_lane(s, group, LANE_MAIN).open && !tally_lane(s, group, LANE_REVERT).left)
        add_move(m, (struct schedule_move){ .kind = MOVE_REVERTED, .group = (int)group });
}

/* --- moves of items ------------------------------------------------------------------------------ */

/* Whether an item of this lane may begin now, were its needs met. */
static int lane_runs(const struct schedule *s, const struct plan_item *item, int main_is_open)
{
    if (item->group < 0)
        return s->wish == WISH_NONE || item->action == PLAN_MARK;
    switch (item->lane) {
    case LANE_MAIN:
        return s->groups[item->group] == GROUP_ROLLING;
    case LANE_REVERT:
        return s->groups[item->group] == GROUP_REVERTING && !main_is_open;
    case LANE_TAIL:
        return s->groups[item->group] == GROUP_PROVEN;
    }
    return 0;
}

static void move_item(const struct schedule *s, size_t i, int main_is_open, struct moves *m)
{
    const struct plan_item *item = item_at(s, i);

    if (s->items[i] != ITEM_NONE || !lane_runs(s, item, main_is_open) || !needs_met(s, item))
        return;
    add_move(m, (struct schedule_move){ .kind = item->only_after >= 0 &&
                                                        !was_begun(s->items[item->only_after])
                                                    ? MOVE_SKIP
                                                    : MOVE_START,
                                        .item = i,
                                        .group = item->group });
}

/* A walk over all items that knows of each group whether its main lane is open. */
struct walk {
    int group, main_is_open;
};

static int walk_main_is_open(const struct schedule *s, struct walk *w, const struct plan_item *item)
{
    if (item->group >= 0 && item->group != w->group)
        *w = (struct walk){ item->group, tally_lane(s, (size_t)item->group, LANE_MAIN).open };
    return item->group >= 0 && w->main_is_open;
}

/* A generation is made of what is live then, and must be the one that is switched to next: while one
 * is made and not yet switched to, no other is begun. */
static int makes_generation(const struct plan_item *item)
{
    return item->action == PLAN_CREATE && str_eq_c(item->kind, "routes");
}

static int edge_is_busy(const struct schedule *s)
{
    struct walk w = { .group = -1 };

    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = item_at(s, i);
        int64_t made = item->action == PLAN_SWITCH
                           ? value_get_int(item->desired, S("routes_item"), -1)
                           : -1;

        if (made < 0 || made >= (int64_t)i || is_ended(s->items[i]) || s->items[i] == ITEM_FAILED)
            continue;
        if (s->items[i] == ITEM_OPEN || s->items[made] == ITEM_OPEN)
            return 1;
        if (was_begun(s->items[made]) && s->items[made] != ITEM_FAILED &&
            lane_runs(s, item, walk_main_is_open(s, &w, item)))
            return 1;
    }
    return 0;
}

/* The move just made begins a generation while another is under way: not now. */
static void keep_one_generation(const struct schedule *s, struct moves *m, size_t n_before,
                                int *edge)
{
    if (m->n == n_before || m->p[n_before].kind != MOVE_START ||
        !makes_generation(item_at(s, m->p[n_before].item)))
        return;
    if (*edge < 0)
        *edge = edge_is_busy(s);
    if (*edge)
        m->n = n_before;
    *edge = 1;
}

size_t schedule_next(const struct schedule *s, struct schedule_move *ret, size_t max)
{
    struct moves m = { .p = ret, .max = max };
    struct walk w = { .group = -1 };
    int edge = -1; /* 1: busy; -1: not looked at */

    for (size_t g = 0; g < s->plan->groups.n; g++) {
        if (s->groups[g] == GROUP_ROLLING)
            move_rolling_group(s, g, &m);
        else if (s->groups[g] == GROUP_REVERTING)
            move_reverting_group(s, g, &m);
    }
    if (m.n)
        return m.n; /* group moves change which items may run: ask again after them */
    for (size_t i = 0; i < s->plan->items.n && m.n < m.max; i++) {
        size_t n_before = m.n;

        move_item(s, i, walk_main_is_open(s, &w, item_at(s, i)), &m);
        keep_one_generation(s, &m, n_before, &edge);
    }
    for (size_t g = 0; g < s->plan->groups.n;
         g++) /* last: what ends in its own time holds up nobody */
        if (s->groups[g] == GROUP_REVERTING)
            cancel_main(s, g, &m);
    return m.n;
}

/* --- the end ------------------------------------------------------------------------------------- */

static int any_open(const struct schedule *s, int with_tail)
{
    for (size_t i = 0; i < s->plan->items.n; i++)
        if (s->items[i] == ITEM_OPEN && (with_tail || item_at(s, i)->lane != LANE_TAIL))
            return 1;
    return 0;
}

static int any_alone(const struct schedule *s, enum item_status status)
{
    for (size_t i = 0; i < s->plan->items.n; i++)
        if (item_at(s, i)->group < 0 && s->items[i] == status)
            return 1;
    return 0;
}

/* Main items and reverts that could be begun. */
static int any_startable(const struct schedule *s)
{
    struct walk w = { .group = -1 };

    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = item_at(s, i);

        if (item->lane != LANE_TAIL && s->items[i] == ITEM_NONE &&
            lane_runs(s, item, walk_main_is_open(s, &w, item)) && needs_met(s, item))
            return 1;
    }
    return 0;
}

/* What goes waits for what a tail takes away before. */
static int any_waits_for_tail(const struct schedule *s)
{
    for (size_t i = 0; s->wish == WISH_NONE && i < s->plan->items.n; i++) {
        const struct plan_item *item = item_at(s, i);

        if (item->group >= 0 || s->items[i] != ITEM_NONE || item->action == PLAN_MARK)
            continue;
        for (size_t n = 0; n < item->needs.n; n++) {
            size_t need = item->needs.p[n];

            if (item_at(s, need)->lane == LANE_TAIL && !is_ended(s->items[need]) &&
                !is_lost(s, need) && s->groups[item_at(s, need)->group] == GROUP_PROVEN)
                return 1;
        }
    }
    return 0;
}

/* A group that is under way goes on by itself or by a person, who settles what is parked. A way back
 * that failed for good does not: the next plan finds what is left. */
static int any_group_under_way(const struct schedule *s)
{
    for (size_t g = 0; g < s->plan->groups.n; g++)
        if (s->groups[g] == GROUP_ROLLING ||
            (s->groups[g] == GROUP_REVERTING && tally_lane(s, g, LANE_REVERT).failed < 0))
            return 1;
    return 0;
}

static int is_applied(const struct schedule *s)
{
    for (size_t i = s->plan->items.n; i-- > 0;)
        if (item_at(s, i)->group < 0 && item_at(s, i)->action == PLAN_MARK)
            return is_ended(s->items[i]);
    return 0;
}

static int any_group(const struct schedule *s, enum group_state state)
{
    for (size_t g = 0; g < s->plan->groups.n; g++)
        if (s->groups[g] == state)
            return 1;
    return 0;
}

int schedule_is_shared(const struct schedule *s, int group)
{
    int is_shared = 0;

    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = item_at(s, i);

        if (item->group == group && item->lane == LANE_MAIN && item->action == PLAN_SWITCH &&
            was_begun(s->items[i]) &&
            (plan_item_share(item) < PLAN_SHARE_ALL || s->items[i] == ITEM_DONE))
            is_shared = plan_item_share(item) < PLAN_SHARE_ALL;
    }
    return is_shared;
}

enum schedule_end schedule_main_end(const struct schedule *s)
{
    if (is_applied(s))
        return SCHEDULE_APPLIED;
    if (any_open(s, 0) || any_group_under_way(s) || any_startable(s) || any_waits_for_tail(s) ||
        (s->wish == WISH_NONE && any_alone(s, ITEM_PARKED)))
        return SCHEDULE_RUNS;
    if (any_alone(s, ITEM_FAILED) || any_group(s, GROUP_REVERTING))
        return SCHEDULE_FAILED;
    if (s->wish == WISH_SUPERSEDE)
        return SCHEDULE_SUPERSEDED;
    return any_group(s, GROUP_REVERTED) || any_group(s, GROUP_HELD) ? SCHEDULE_REVERTED
                                                                    : SCHEDULE_FAILED;
}

int schedule_is_over(const struct schedule *s)
{
    struct schedule_move move;

    return schedule_main_end(s) != SCHEDULE_RUNS && !any_open(s, 1) && !schedule_next(s, &move, 1);
}
