/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/schedule.h"

static const char *const group_state_names[N_GROUP_STATES] = {
    [GROUP_ROLLING] = "rolling",   [GROUP_PROVEN] = "proven", [GROUP_REVERTING] = "reverting",
    [GROUP_REVERTED] = "reverted", [GROUP_HELD] = "held",
};

const char *group_state_name(enum group_state state)
{
    return group_state_names[state];
}

enum group_state group_state_from_name(struct str name)
{
    for (int i = 0; i < N_GROUP_STATES; i++)
        if (str_eq_c(name, group_state_names[i]))
            return (enum group_state)i;
    return GROUP_ROLLING;
}

struct moves {
    struct schedule_move *p;
    size_t n, max;
};

static void add_move(struct moves *m, struct schedule_move move)
{
    if (m->n < m->max)
        m->p[m->n++] = move;
}

static int is_ended(enum item_status status)
{
    return status == ITEM_DONE || status == ITEM_SKIPPED;
}

static int needs_met(const struct schedule *s, const struct plan_item *item)
{
    for (size_t i = 0; i < item->needs.n; i++)
        if (!is_ended(s->items[item->needs.p[i]]))
            return 0;
    return 1;
}

static int is_taken(const struct schedule *s, const struct plan_item *item)
{
    return s->taken && item->lane == LANE_TAIL && map_has(s->taken, item->service);
}

/* Items of a group's lane: how many are open, begun, and not yet ended. */
struct tally {
    int open, begun, left, failed, parked;
    int deepest; /* highest step begun */
    int release_open;
};

static struct tally tally_lane(const struct schedule *s, int group, enum plan_lane lane)
{
    struct tally t = { .failed = -1 };

    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = &s->plan->items.p[i];
        enum item_status status = s->items[i];

        if (item->group != group || item->lane != lane)
            continue;
        t.open += status == ITEM_OPEN;
        t.left += !is_ended(status);
        t.parked += status == ITEM_PARKED;
        if (status == ITEM_FAILED && t.failed < 0)
            t.failed = (int)i;
        if (status == ITEM_NONE || status == ITEM_SKIPPED)
            continue;
        t.begun++;
        t.release_open |= item->step == 3 && status == ITEM_OPEN;
        if (item->step > t.deepest && item->step <= 7)
            t.deepest = item->step;
    }
    return t;
}

static int group_wants_out(const struct schedule *s, const struct tally *t)
{
    if (s->wish == WISH_CANCEL)
        return !t->release_open;
    return s->wish == WISH_SUPERSEDE && !t->release_open && t->deepest < 6;
}

/* Gates and waits of a group that goes back are ended early; effects are awaited. */
static void cancel_gates(const struct schedule *s, int group, struct moves *m)
{
    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = &s->plan->items.p[i];

        if (item->group == group && item->lane == LANE_MAIN && s->items[i] == ITEM_OPEN &&
            item->action == PLAN_GATE)
            add_move(m, (struct schedule_move){ .kind = MOVE_CANCEL, .item = i, .group = group });
    }
}

static void move_rolling_group(const struct schedule *s, int group, struct moves *m)
{
    struct tally t = tally_lane(s, group, LANE_MAIN);

    if (t.failed >= 0 || group_wants_out(s, &t))
        add_move(
            m, (struct schedule_move){ .kind = MOVE_REVERT, .group = group, .culprit = t.failed });
    else if (!t.left)
        add_move(m, (struct schedule_move){ .kind = MOVE_PROVEN, .group = group });
}

static void move_reverting_group(const struct schedule *s, int group, struct moves *m)
{
    struct tally forward = tally_lane(s, group, LANE_MAIN),
                 back = tally_lane(s, group, LANE_REVERT);

    if (forward.open)
        cancel_gates(s, group, m);
    else if (!back.left)
        add_move(m, (struct schedule_move){ .kind = MOVE_REVERTED, .group = group });
}

/* Whether the lane of this item is running now. */
static int lane_runs(const struct schedule *s, const struct plan_item *item)
{
    if (item->group < 0)
        return s->wish == WISH_NONE || item->action == PLAN_MARK;
    switch (item->lane) {
    case LANE_MAIN:
        return s->groups[item->group] == GROUP_ROLLING;
    case LANE_REVERT:
        return s->groups[item->group] == GROUP_REVERTING &&
               !tally_lane(s, item->group, LANE_MAIN).open;
    case LANE_TAIL:
        return s->groups[item->group] == GROUP_PROVEN;
    }
    return 0;
}

static void move_item(const struct schedule *s, size_t i, struct moves *m)
{
    const struct plan_item *item = &s->plan->items.p[i];

    if (is_taken(s, item)) {
        if (s->items[i] == ITEM_NONE)
            add_move(m, (struct schedule_move){ .kind = MOVE_SKIP, .item = i });
        else if (s->items[i] == ITEM_OPEN && item->action == PLAN_GATE)
            add_move(m, (struct schedule_move){ .kind = MOVE_CANCEL, .item = i });
        return;
    }
    if (s->items[i] != ITEM_NONE || !lane_runs(s, item) || !needs_met(s, item))
        return;
    if (item->only_after >= 0 &&
        (s->items[item->only_after] == ITEM_NONE || s->items[item->only_after] == ITEM_SKIPPED))
        add_move(m, (struct schedule_move){ .kind = MOVE_SKIP, .item = i });
    else
        add_move(m, (struct schedule_move){ .kind = MOVE_START, .item = i, .group = item->group });
}

size_t schedule_next(const struct schedule *s, struct schedule_move *ret, size_t max)
{
    struct moves m = { .p = ret, .max = max };

    for (size_t g = 0; g < s->plan->groups.n; g++) {
        if (s->groups[g] == GROUP_ROLLING)
            move_rolling_group(s, (int)g, &m);
        else if (s->groups[g] == GROUP_REVERTING)
            move_reverting_group(s, (int)g, &m);
    }
    if (m.n)
        return m.n; /* group moves change which items may run: ask again after them */
    for (size_t i = 0; i < s->plan->items.n; i++)
        move_item(s, i, &m);
    return m.n;
}

static int any_open(const struct schedule *s, int with_tail)
{
    for (size_t i = 0; i < s->plan->items.n; i++)
        if (s->items[i] == ITEM_OPEN && (with_tail || s->plan->items.p[i].lane != LANE_TAIL))
            return 1;
    return 0;
}

static int any_failed_alone(const struct schedule *s)
{
    for (size_t i = 0; i < s->plan->items.n; i++)
        if (s->plan->items.p[i].group < 0 && s->items[i] == ITEM_FAILED)
            return 1;
    return 0;
}

/* Main items that could still be begun, or a group that is under way. */
static int main_may_go_on(const struct schedule *s)
{
    for (size_t g = 0; g < s->plan->groups.n; g++)
        if (s->groups[g] == GROUP_REVERTING ||
            (s->groups[g] == GROUP_ROLLING && !tally_lane(s, (int)g, LANE_MAIN).parked &&
             !any_failed_alone(s)))
            return 1;
    for (size_t i = 0; i < s->plan->items.n; i++)
        if (s->plan->items.p[i].lane == LANE_MAIN && s->items[i] == ITEM_NONE &&
            lane_runs(s, &s->plan->items.p[i]) && needs_met(s, &s->plan->items.p[i]))
            return 1;
    return 0;
}

enum schedule_end schedule_main_end(const struct schedule *s)
{
    int reverted = 0;

    for (size_t i = 0; i < s->plan->items.n; i++) {
        const struct plan_item *item = &s->plan->items.p[i];

        if (item->group < 0 && item->action == PLAN_MARK && is_ended(s->items[i]))
            return SCHEDULE_APPLIED;
    }
    if (any_open(s, 0) || main_may_go_on(s))
        return SCHEDULE_RUNS;
    for (size_t g = 0; g < s->plan->groups.n; g++)
        reverted |= s->groups[g] == GROUP_REVERTED || s->groups[g] == GROUP_HELD;
    if (any_failed_alone(s))
        return SCHEDULE_FAILED;
    if (s->wish == WISH_SUPERSEDE)
        return SCHEDULE_SUPERSEDED;
    return reverted ? SCHEDULE_REVERTED : SCHEDULE_FAILED;
}

int schedule_is_over(const struct schedule *s)
{
    struct schedule_move move;

    return schedule_main_end(s) != SCHEDULE_RUNS && !any_open(s, 1) && !schedule_next(s, &move, 1);
}
