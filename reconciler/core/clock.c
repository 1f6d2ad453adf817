/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/clock.h"

static int is_apart(int64_t step_ms)
{
    return step_ms > CLOCK_APART_MAX_MS || step_ms < -CLOCK_APART_MAX_MS;
}

static enum clock_news note_step(struct clock_watch *c, int64_t step_ms)
{
    if (!c->is_suspect)
        c->due_ms = c->wall_ms;
    c->is_suspect = 1;
    c->stepped_ms += step_ms;
    return CLOCK_STEPPED;
}

static void remember(struct clock_watch *c, int64_t wall_ms, int64_t boot_ms)
{
    c->wall_ms = wall_ms;
    c->boot_ms = boot_ms;
}

void clock_trust(struct clock_watch *c, int64_t wall_ms, int64_t boot_ms)
{
    *c = (struct clock_watch){ .wall_ms = wall_ms, .boot_ms = boot_ms };
}

enum clock_news clock_look(struct clock_watch *c, int64_t wall_ms, int64_t boot_ms)
{
    int64_t step_ms = (wall_ms - c->wall_ms) - (boot_ms - c->boot_ms);
    enum clock_news news = CLOCK_NO_NEWS;

    if (is_apart(step_ms)) {
        news = note_step(c, step_ms);
        c->agreed_boot_ms = boot_ms;
    }
    remember(c, wall_ms, boot_ms);
    if (!c->is_suspect || boot_ms - c->agreed_boot_ms < CLOCK_AGREE_MS)
        return news;
    clock_trust(c, wall_ms, boot_ms);
    return CLOCK_AGREES;
}

enum clock_news clock_resume(struct clock_watch *c, int is_same_boot, int64_t believed_ms,
                             int64_t wall_ms, int64_t boot_ms)
{
    enum clock_news news = CLOCK_NO_NEWS;
    int was_suspect = c->is_suspect;

    if (is_same_boot && boot_ms >= c->boot_ms) {
        news = clock_look(c, wall_ms, boot_ms);
    } else {
        if (wall_ms < believed_ms - CLOCK_APART_MAX_MS)
            news = note_step(c, wall_ms - believed_ms);
        c->agreed_boot_ms = boot_ms;
        remember(c, wall_ms, boot_ms);
    }
    if (news == CLOCK_STEPPED && !was_suspect)
        c->due_ms = believed_ms;
    return news;
}

int64_t clock_due_ms(const struct clock_watch *c)
{
    return c->is_suspect ? c->due_ms : c->wall_ms;
}
