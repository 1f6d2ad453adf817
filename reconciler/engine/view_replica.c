/* A stretch of the history for whoever keeps a copy of it. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/follow_page.h"
#include "reconciler/engine/view.h"

#define PAGE_BYTES_MAX (4u << 20) /* of bodies and documents; the last event may be longer */

int view_replica(const struct view *v, int64_t after_seq, int64_t limit, struct value **ret,
                 struct err *err)
{
    struct replica_page page;
    int rc = replica_read(v->db, v->a, after_seq,
                          limit < FOLLOW_EVENTS_MAX ? limit : FOLLOW_EVENTS_MAX, PAGE_BYTES_MAX,
                          &page, err);

    if (rc)
        return rc;
    *ret = follow_page_value(v->a, &page);
    return arena_status(v->a, err);
}

/* Of a page that is ahead of its asker, too: he has to hear of it. */
int view_replica_is_news(const struct value *page)
{
    return value_count(value_get(page, S("events"))) > 0 ||
           value_get_int(page, S("head_seq"), 0) < value_get_int(page, S("after_seq"), 0);
}
