/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_slot.h"

#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/op_task.h"
#include "reconciler/engine/provider_line.h"

#define OP_SLOTS 16 /* where nothing is said */
#define OP_SHARE                                                                                   \
    4 /* then one provider has this part of them: one that hangs leaves the rest to others */

void op_slot_open(struct engine *e)
{
    const struct value *limits = value_get(e->options.daemon, S("limits"));
    const struct value *each = value_get(limits, S("per_provider"));
    int64_t share;

    e->slots.max = value_get_int(limits, S("concurrency"), OP_SLOTS);
    share = e->slots.max / OP_SHARE ? e->slots.max / OP_SHARE : 1;
    for (size_t i = 0; i < e->n_lines; i++)
        e->lines[i].slots_max = value_get_int(each, e->lines[i].provider->name, share);
}

static int has_room(const struct engine *e, const struct provider_line *line)
{
    return e->slots.n < e->slots.max && (!line || line->slots < line->slots_max);
}

static void take(struct op_task *op, struct provider_line *line)
{
    op->has_slot = 1;
    op->engine->slots.n++;
    if (line)
        line->slots++;
}

static struct op_queue *queue_of(struct op_task *op)
{
    struct provider_line *line = provider_line_find(op->engine, op->rec.provider);

    return line ? &line->waiting : &op->engine->slots.rest;
}

static void push(struct op_queue *q, struct op_task *op)
{
    if (!q->first)
        q->end = &q->first;
    *q->end = op;
    q->end = &op->next_waiting;
    op->next_waiting = NULL;
    op->is_waiting = 1;
}

static void pull(struct op_queue *q, struct op_task *op)
{
    struct op_task **at = &q->first;

    while (*at != op)
        at = &(*at)->next_waiting;
    *at = op->next_waiting;
    if (q->end == &op->next_waiting)
        q->end = at;
    op->is_waiting = 0;
}

int op_slot_take(struct op_task *op)
{
    struct engine *e = op->engine;
    struct provider_line *line = provider_line_find(e, op->rec.provider);

    if (op->has_slot || op->item->lane == LANE_REVERT)
        return 1;
    if (op->is_waiting)
        return 0;
    if (has_room(e, line)) {
        take(op, line);
        return 1;
    }
    push(queue_of(op), op);
    return 0;
}

static void grant_queue(struct engine *e, struct op_queue *q, struct provider_line *line)
{
    while (q->first && has_room(e, line)) {
        struct op_task *op = q->first;

        pull(q, op);
        take(op, line);
        wait_signal(&op->task);
    }
}

/* Whoever finds room now; each time another provider comes first. */
static void grant(struct engine *e)
{
    grant_queue(e, &e->slots.rest, NULL);
    for (size_t i = 0; i < e->n_lines; i++) {
        struct provider_line *line = &e->lines[(e->slots.turn + i) % e->n_lines];

        grant_queue(e, &line->waiting, line);
    }
    e->slots.turn++;
}

void op_slot_drop(struct op_task *op)
{
    struct provider_line *line = provider_line_find(op->engine, op->rec.provider);

    if (op->is_waiting)
        pull(queue_of(op), op);
    if (!op->has_slot)
        return;
    op->has_slot = 0;
    op->engine->slots.n--;
    if (line)
        line->slots--;
}

void op_slot_leave(struct op_task *op)
{
    int had_slot = op->has_slot;

    op_slot_drop(op);
    if (had_slot)
        grant(op->engine);
}
