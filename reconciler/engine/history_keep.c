/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/history_keep.h"

#include "base/log.h"
#include "state/events.h"
#include "state/outbox.h"
#include "state/retain.h"

#define SNAPSHOTS_KEPT 4
#define MESSAGES_DROP_MAX 200 /* at once */

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

/* Messages that were told, or given up, that long ago. That one was told once for ever stays known. */
static int prune_outbox(struct engine *e, struct arena *a, int64_t before_ms, int *io_goes_on,
                        struct err *err)
{
    struct rec_outbox *rows;
    struct tx *tx;
    size_t n;
    int rc = outbox_old(e->db, a, before_ms, MESSAGES_DROP_MAX, &rows, &n, err);

    if (rc || !n)
        return rc;
    *io_goes_on |= n == MESSAGES_DROP_MAX;
    if (engine_tx(e, &(struct engine_event){ .kind = S("outbox.pruned"), .subject = S("outbox") },
                  &tx, err))
        return err->code;
    for (size_t i = 0; !rc && i < n; i++) {
        rows[i].body = S(OUTBOX_NO_BODY);
        rc = rows[i].terminal ? tx_put(tx, REC_outbox, &rows[i], err)
                              : tx_remove(tx, REC_outbox, &rows[i], err);
    }
    return tx_finish(tx, rc, err);
}

int history_keep_prune(struct engine *e, struct arena *a, int *ret_goes_on, struct err *err)
{
    int64_t now_ms = loop_wall_ms(e->loop), upto, n = 0;
    int more = 0;

    *ret_goes_on = 0;
    if (!keep_ms(e))
        return 0;
    if (prune_outbox(e, a, now_ms - keep_ms(e), ret_goes_on, err) ||
        snapshot_when_due(e, a, now_ms, err) ||
        events_seq_at(e->db, now_ms - keep_ms(e), &upto, err) || retain_drop(e->db, upto, &n, err))
        return err->code;
    if (n)
        LOG(LOG_INFO, "what old events wrote is removed",
            LOG_S("events", str_fmt(a, "%lld", (long long)n)));
    if (db_give_back(e->db, &more, err))
        return err->code;
    *ret_goes_on |= more || n == RETAIN_DROP_MAX;
    return 0;
}
