/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/history_keep.h"

#include "base/log.h"
#include "state/events.h"
#include "state/retain.h"

#define SNAPSHOTS_KEPT 4

static int64_t keep_ms(const struct engine *e)
{
    return value_get_int(value_get(e->options.daemon, S("state")), S("history"), 0);
}

int history_keep_is_asked(const struct engine *e)
{
    return keep_ms(e) > 0;
}

/* The first event is the state of a new database. */
static int snapshot_when_due(struct engine *e, struct arena *a, int64_t now_ms, struct err *err)
{
    const struct tx_head head = { .time_ms = now_ms,
                                  .mono_ms = loop_mono_ms(e->loop),
                                  .epoch = e->epoch,
                                  .actor = ENGINE_ACTOR,
                                  .cause = S("state.history") };
    struct event last;
    int64_t seq;

    if (retain_newest(e->db, INT64_MAX, &seq, err) ||
        events_get(e->db, a, seq ? seq : 1, &last, err))
        return err->code;
    if (now_ms - last.time_ms < keep_ms(e) / SNAPSHOTS_KEPT)
        return 0;
    return retain_snapshot(e->db, &head, err);
}

int history_keep_prune(struct engine *e, struct arena *a, int *ret_goes_on, struct err *err)
{
    int64_t now_ms = loop_wall_ms(e->loop), upto, n = 0;

    *ret_goes_on = 0;
    if (!keep_ms(e))
        return 0;
    if (snapshot_when_due(e, a, now_ms, err) ||
        events_seq_at(e->db, now_ms - keep_ms(e), &upto, err) || retain_drop(e->db, upto, &n, err))
        return err->code;
    if (n)
        LOG(LOG_INFO, "what old events wrote is removed",
            LOG_S("events", str_fmt(a, "%lld", (long long)n)));
    if (db_give_back(e->db, ret_goes_on, err))
        return err->code;
    *ret_goes_on |= n == RETAIN_DROP_MAX;
    return 0;
}
