/* Rows, documents and savepoints that every part of the engine uses. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine_state.h"
#include "state/documents.h"

int engine_tx(struct engine *e, const struct engine_event *event, struct tx **ret, struct err *err)
{
    const struct tx_head head = {
        .time_ms = loop_wall_ms(e->loop),
        .mono_ms = loop_mono_ms(e->loop),
        .epoch = e->epoch,
        .actor = event->actor.p ? event->actor : ENGINE_ACTOR,
        .cause = event->cause.p ? event->cause : S(""),
        .kind = event->kind,
        .subject = event->subject,
        .env = event->env.p ? event->env : S(""),
    };

    return tx_begin(e->db, &head, ret, err);
}

int engine_put_document(struct tx *tx, struct str kind, struct str body, struct digest *ret,
                        struct err *err)
{
    struct digest d = documents_digest(kind, body);
    int rc = tx_document(tx, kind, &d, body, err);

    if (!rc)
        *ret = d;
    return rc;
}

int engine_resource_exists(const struct rec_resource *r)
{
    return !str_eq_c(r->status, "gone");
}

struct str engine_short(struct arena *a, const struct digest *d)
{
    return str_slice(digest_hex(a, d), 0, IDENTITY_SHORT);
}
