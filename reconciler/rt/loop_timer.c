/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/rt/loop_ops.h"

static int loop_timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static struct loop_timer *loop_timer_meld(struct loop_timer *a, struct loop_timer *b)
{
    struct loop_timer *first, *second;

    if (!a || !b)
        return a ? a : b;
    first = loop_timer_before(b, a) ? b : a;
    second = first == a ? b : a;
    second->prev = first;
    second->next = first->child;
    if (second->next)
        second->next->prev = second;
    first->child = second;
    first->next = first->prev = NULL;
    return first;
}

/* Siblings in pairs from the left, then all of them from the right. */
static struct loop_timer *loop_timer_meld_children(struct loop_timer *list)
{
    struct loop_timer *pairs = NULL, *root = NULL;

    while (list) {
        struct loop_timer *a = list, *b = list->next;

        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = loop_timer_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct loop_timer *next = pairs->next;

        pairs->next = NULL;
        root = loop_timer_meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void loop_timer_remove(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    struct loop_timer *orphans = loop_timer_meld_children(timer->child);

    if (timer == loop->timers) {
        loop->timers = orphans;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        loop->timers = loop_timer_meld(loop->timers, orphans);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->at_ms = -1;
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_fn *fn, void *ctx)
{
    *timer = (struct loop_timer){ .loop = loop, .fn = fn, .ctx = ctx, .at_ms = -1 };
}

int64_t loop_timers_next(const struct loop *loop)
{
    return loop->timers ? loop->timers->at_ms : -1;
}

void loop_timers_fire(struct loop *loop, int64_t now_ms, size_t max)
{
    for (; max && loop->timers && loop->timers->at_ms <= now_ms; max--) {
        struct loop_timer *timer = loop->timers;

        loop_timer_remove(timer);
        timer->fn(timer->ctx); /* may free it, or set it again */
    }
    loop->ops->alarm(loop, loop_timers_next(loop));
}

void loop_timers_clear(struct loop *loop)
{
    while (loop->timers)
        loop_timer_remove(loop->timers);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *ctx)
{
    struct loop_timer *timer = alloc_zero(sizeof(*timer));

    if (timer)
        loop_timer_init(timer, loop, fn, ctx);
    return timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t at_ms)
{
    struct loop *loop = timer->loop;
    int64_t next_ms = loop_timers_next(loop);

    if (timer->at_ms >= 0)
        loop_timer_remove(timer);
    if (at_ms >= 0) {
        timer->at_ms = at_ms;
        timer->order = loop->ops->order(loop);
        loop->timers = loop_timer_meld(loop->timers, timer);
    }
    if (loop_timers_next(loop) != next_ms)
        loop->ops->alarm(loop, loop_timers_next(loop));
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    loop_timer_set(timer, -1);
    alloc_free(timer);
}
