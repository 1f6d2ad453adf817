/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/uids.h"

#include <stdlib.h>

#define UIDS_KEY "uid/"

static int uids_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The environment's number, or 0; `taken` gets all of them, in order. */
static int uids_load(struct engine *e, struct arena *a, struct str env, int64_t **ret_taken,
                     size_t *ret_n, int64_t *ret, struct err *err)
{
    struct rec_meta *rows;
    int64_t *taken;
    size_t n = 0;

    if (DB_SELECT(e->db, a, meta, "WHERE k LIKE 'uid/%'", &rows, &n, err))
        return err->code;
    taken = arena_new_n(a, int64_t, n + 1);
    if (!taken)
        return arena_status(a, err);
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        struct str number = str_slice(rows[i].k, sizeof(UIDS_KEY) - 1, rows[i].k.n);

        if (str_to_i64(number, &taken[i]))
            return err_set(err, ERR_CORRUPT, "the state has a uid '%.*s'", STR_ARG(number));
        if (str_eq(rows[i].v, env))
            *ret = taken[i];
    }
    if (n)
        qsort(taken, n, sizeof(*taken), uids_compare);
    *ret_taken = taken;
    *ret_n = n;
    return 0;
}

static int uids_put(struct engine *e, struct arena *a, struct str env, int64_t uid, struct err *err)
{
    const struct rec_meta row = { .k = str_fmt(a, UIDS_KEY "%lld", (long long)uid), .v = env };
    struct tx *tx;

    if (engine_tx(
            e, &(struct engine_event){ .kind = S("environment.uid"), .subject = row.k, .env = env },
            &tx, err))
        return err->code;
    return tx_finish(tx, tx_put(tx, REC_meta, &row, err), err);
}

int uids_of(struct engine *e, struct arena *a, struct str env, int64_t *ret, struct err *err)
{
    struct str from, rest = value_get_text(e->options.daemon, S("uids"), S(""));
    int64_t *taken = NULL, uid = 0, low = 0, high = -1;
    size_t n = 0;

    if (uids_load(e, a, env, &taken, &n, &uid, err))
        return err->code;
    if (!uid) {
        (void)str_next(&rest, '-', &from);
        if (str_to_i64(from, &low) || str_to_i64(rest, &high))
            return err_set(err, ERR_INVALID, "isolation is uid, and there are no 'uids'");
        uid = low;
        for (size_t i = 0; i < n; i++)
            uid += taken[i] == uid;
        if (uid > high)
            return err_set(err, ERR_LIMIT, "every one of the 'uids' %lld-%lld is taken",
                           (long long)low, (long long)high);
        if (uids_put(e, a, env, uid, err))
            return err->code;
    }
    *ret = uid;
    return 0;
}
