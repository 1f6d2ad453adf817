/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/scale.h"

#define SCALE_WHOLE 10000

int scale_aim_of(const struct value *service, struct scale_aim *ret)
{
    const struct value *range = value_get(service, S("replicas"));
    int64_t reserved = value_get_int(value_get(service, S("reservations")), S("cpus"), SCALE_SHARE);

    if (!value_is(range, VALUE_MAP))
        return 0;
    *ret = (struct scale_aim){
        .min = value_get_int(range, S("min"), 1),
        .max = value_get_int(range, S("max"), 1),
        .use = value_get_int(range, S("cpu"), SCALE_WHOLE),
        .share = value_get_int(value_get(service, S("limits")), S("cpus"), reserved),
        .down_after_ms = value_get_int(range, S("down_after_ms"), 0),
    };
    return 1;
}

struct scale_use scale_measure(const struct scale_sample *before, const struct scale_sample *now,
                               int64_t n)
{
    struct scale_use use = { 0, 0 };

    for (int64_t i = 0; i < n; i++) {
        int64_t used_us = now[i].used_us - before[i].used_us,
                took_ms = now[i].at_ms - before[i].at_ms;

        if (before[i].used_us < 0 || now[i].used_us < 0 || used_us < 0 || took_ms <= 0)
            use.n_missing++;
        else
            use.thousandths += used_us / took_ms;
    }
    return use;
}

static int64_t scale_between(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

/* ceil(current * measured / aim): what is used by all, in parts of what one is to use. */
int64_t scale_right(const struct scale_aim *aim, int64_t current, const struct scale_use *use)
{
    int64_t used = use->thousandths * SCALE_WHOLE, one = aim->share * aim->use,
            beside = current * one / SCALE_WHOLE * SCALE_TOLERANCE;
    int64_t right = (used + one - 1) / one, most = current * SCALE_UP_TIMES;

    if (most < current + SCALE_UP_LEAST)
        most = current + SCALE_UP_LEAST;
    if ((used >= current * one - beside && used <= current * one + beside) ||
        (use->n_missing && right < current))
        right = current;
    return scale_between(right > most ? most : right, aim->min, aim->max);
}

void scale_forget(struct scale_memory *m, int64_t current, struct scale_sample *last)
{
    *m = (struct scale_memory){
        .current = current, .last = last, .round_ms = -1, .few_since_ms = -1, .asked_ms = -1
    };
}

/* Fewer only after a while, and no fewer than were needed in it. */
static int64_t scale_settle(const struct scale_aim *aim, struct scale_memory *m, int64_t right,
                            int64_t now_ms)
{
    if (right >= m->current) {
        m->few_since_ms = -1;
        return right;
    }
    if (m->few_since_ms < 0) {
        m->few_since_ms = now_ms;
        m->few_most = 0;
    }
    if (right > m->few_most)
        m->few_most = right;
    return now_ms - m->few_since_ms < aim->down_after_ms ? m->current : m->few_most;
}

static void scale_remember(struct scale_memory *m, const struct scale_sample *now, int64_t now_ms)
{
    for (int64_t i = 0; i < m->current; i++)
        m->last[i] = now[i];
    m->round_ms = now_ms;
}

struct scale_verdict scale_judge(const struct scale_aim *aim, struct scale_memory *m,
                                 const struct scale_sample *now, int64_t now_ms)
{
    struct scale_verdict ret = { m->current, -1 };
    int64_t gone_ms = now_ms - m->round_ms;
    struct scale_use use;

    if (m->round_ms < 0 || gone_ms > SCALE_STALE_MS) {
        m->few_since_ms = -1;
        scale_remember(m, now, now_ms);
        return ret;
    }
    if (gone_ms < SCALE_WINDOW_MS)
        return ret;
    use = scale_measure(m->last, now, m->current);
    scale_remember(m, now, now_ms);
    if (use.n_missing < m->current)
        ret.measured = use.thousandths * SCALE_WHOLE / (m->current * aim->share);
    ret.wanted = scale_settle(aim, m, scale_right(aim, m->current, &use), now_ms);
    if (ret.wanted == m->current || (m->asked_ms >= 0 && now_ms - m->asked_ms < SCALE_ASK_AGAIN_MS))
        ret.wanted = m->current;
    else
        m->asked_ms = now_ms;
    return ret;
}
