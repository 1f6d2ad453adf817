/* Who is given which right by the Daemon document: what of it changed since the last life is an event. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/engine_life.h"
#include "reconciler/engine/engine_state.h"
#include "specs/digest.h"
#include "specs/json_io.h"

/* Nothing else of `auth` gives a right. Keys of people are public, secrets are references. */
static struct value *rights_of(struct engine *e, struct arena *a)
{
    static const char *const fields[] = { "local", "oidc", "roles", "people", "break_glass" };
    const struct value *auth = value_get(e->options.daemon, S("auth"));
    struct value *map = value_map(a);

    for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
        const struct value *one = value_get(auth, str_from_c(fields[i]));

        if (value_count(one))
            value_set(a, map, str_from_c(fields[i]), value_copy_content(a, one));
    }
    return map;
}

static int write_rights(struct engine *e, const struct value *rights, struct str digest,
                        struct err *err)
{
    const struct rec_meta row = { .k = S("rights"), .v = digest };
    struct tx *tx;

    if (engine_tx(e, &(struct engine_event){ .kind = S("auth.changed"), .subject = S("auth") }, &tx,
                  err))
        return err->code;
    if (tx_put(tx, REC_meta, &row, err)) {
        tx_rollback(tx);
        return err->code;
    }
    for (size_t i = 0; i < value_count(rights); i++)
        tx_note(tx, rights->u.map.entries[i].key,
                json_format(e->process, rights->u.map.entries[i].value));
    return tx_commit(tx, err);
}

int engine_life_rights(struct engine *e, struct err *err)
{
    struct value *rights = rights_of(e, e->process);
    const struct digest digest = digest_value(e->process, S("rights"), rights);
    struct str now = digest_hex(e->process, &digest), before;

    if (arena_status(e->process, err) || db_meta(e->db, e->process, S("rights"), &before, err))
        return err->code;
    if (before.p ? str_eq(before, now) : !value_count(rights))
        return 0;
    return write_rights(e, rights, now, err);
}
