/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify.h"

static int may_go(const struct notify_facts *f, size_t row)
{
    return !f->quiet_until_ms || f->rows[row].severity == NOTIFY_CRITICAL;
}

int notify_is_collapsed(const struct notify_facts *f, size_t row)
{
    return !f->rows[row].attempt && may_go(f, row);
}

/* Until when too many were sent; 0: they were not. */
static int64_t burst_ends_ms(const struct notify_facts *f)
{
    int64_t first_ms;

    if (f->n_sent < NOTIFY_BURST)
        return 0;
    first_ms = f->sent_ms[NOTIFY_BURST - 1] + NOTIFY_BURST_MS;
    if (first_ms > f->now_ms + NOTIFY_BURST_MS) /* the clock was set back */
        first_ms = f->now_ms + NOTIFY_BURST_MS;
    return first_ms > f->now_ms ? first_ms : 0;
}

static struct notify_next wait_until(int64_t at_ms)
{
    return (struct notify_next){ .move = NOTIFY_WAIT, .at_ms = at_ms };
}

static int find_tried(const struct notify_facts *f, size_t *ret)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->rows[i].attempt && may_go(f, i)) {
            *ret = i;
            return 1;
        }
    return 0;
}

/* Who does not answer is not asked with another message before. */
static int64_t blocked_until_ms(const struct notify_facts *f)
{
    int64_t until_ms = 0;

    for (size_t i = 0; i < f->n; i++)
        if (f->rows[i].attempt && f->rows[i].next_ms > until_ms)
            until_ms = f->rows[i].next_ms;
    if (until_ms > f->now_ms + NOTIFY_LAST_MS) /* the clock was set back */
        until_ms = f->now_ms + NOTIFY_LAST_MS;
    return until_ms;
}

struct notify_next notify_decide(const struct notify_facts *f)
{
    size_t n = 0, first = 0;

    if (blocked_until_ms(f) > f->now_ms)
        return wait_until(blocked_until_ms(f));
    if (find_tried(f, &first))
        return (struct notify_next){ .move = NOTIFY_SEND, .row = first };
    for (size_t i = f->n; i > 0; i--)
        if (notify_is_collapsed(f, i - 1)) {
            first = i - 1;
            n++;
        }
    if (!n)
        return wait_until(f->n ? f->quiet_until_ms : NOTIFY_NEVER);
    if (!f->collapses)
        return (struct notify_next){ .move = NOTIFY_SEND, .row = first };
    if (burst_ends_ms(f))
        return wait_until(burst_ends_ms(f));
    return n > NOTIFY_FLOOD ? (struct notify_next){ .move = NOTIFY_COLLAPSE }
                            : (struct notify_next){ .move = NOTIFY_SEND, .row = first };
}

int64_t notify_delay_ms(int64_t attempt, int64_t asked_ms)
{
    int64_t delay_ms = NOTIFY_FIRST_MS;

    for (int64_t i = 1; i < attempt && delay_ms < NOTIFY_LAST_MS; i++)
        delay_ms *= 2;
    if (asked_ms > delay_ms)
        delay_ms = asked_ms;
    return delay_ms < NOTIFY_LAST_MS ? delay_ms : NOTIFY_LAST_MS;
}

int notify_is_over(int64_t attempt)
{
    int64_t tried_ms = 0;

    for (int64_t i = 1; i <= attempt && tried_ms < NOTIFY_GIVE_UP_MS; i++)
        tried_ms += notify_delay_ms(i, 0);
    return tried_ms >= NOTIFY_GIVE_UP_MS;
}
