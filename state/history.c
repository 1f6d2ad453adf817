/* SPDX-License-Identifier: Apache-2.0 */
#include "state/history.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"
#include "specs/json_io.h"
#include "state/db_impl.h"
#include "state/rows.h"

#define HISTORY_BODY_MAX_BYTES (256u << 20)

/* Text inside of a body has its quotes escaped: this is found where the table has rows. */
#define HISTORY_BODIES                                                                             \
    "SELECT body FROM event_bodies WHERE seq <= $1 AND "                                           \
    "instr(body, '\"environments\":[') > 0 ORDER BY seq DESC"

/* 1 and the rows of environments in the next older body (NULL: the text was in a note), 0 at the end. */
static int history_next(struct db *db, sqlite3_stmt *st, struct arena *scratch,
                        const struct value **ret, struct err *err)
{
    struct value *body;
    int rc = stmt_step(db, st, err);

    if (rc <= 0)
        return rc;
    arena_reset(scratch);
    rc = json_parse(scratch, stmt_text(scratch, st, 0), HISTORY_BODY_MAX_BYTES, &body, err);
    if (rc)
        return rc;
    *ret = value_at(body, S("rows.environments"));
    return 1;
}

/* Newest first, the last row of an event before its others: what comes first is how it was. */
static int history_add(struct arena *a, const struct value *rows, struct str uid, struct map *m,
                       struct err *err)
{
    const struct table *t = tables_get(REC_environment);

    for (size_t i = value_count(rows); i--;) {
        struct rec_environment row, *env;
        int rc = rows_parse(t, value_item(rows, i), &row, err);

        if (rc)
            return rc;
        if ((uid.p && !str_eq(row.uid, uid)) || map_has(m, row.uid))
            continue;
        rows_own(t, &row, a);
        env = arena_copy(a, &row, sizeof(row));
        if (!env)
            break;
        map_put(m, env->uid, env);
    }
    return arena_status(a, err);
}

/* Environments as they were at `seq`: that of `uid`, or all. */
static int history_collect(struct db *db, struct arena *a, int64_t seq, struct str uid,
                           struct map *m, struct err *err)
{
    const struct db_bind bind = DB_I(seq);
    AUTO_ARENA struct arena scratch;
    AUTO_STMT sqlite3_stmt *st = NULL;
    const struct value *rows = NULL;
    int rc = stmt_open(db, S(HISTORY_BODIES), &bind, 1, &st, err);

    arena_init(&scratch, 0);
    while (!rc && !(uid.p && m->n)) {
        rc = history_next(db, st, &scratch, &rows, err);
        if (rc <= 0)
            break;
        rc = history_add(a, rows, uid, m, err);
    }
    return rc;
}

int history_environment(struct db *db, struct arena *a, struct str uid, int64_t seq,
                        struct rec_environment *ret, struct err *err)
{
    struct map found;
    int rc;

    map_init(&found, a);
    rc = history_collect(db, a, seq, uid, &found, err);
    if (rc)
        return rc;
    if (!found.n)
        return err_set(err, ERR_NOT_FOUND, "environment '%.*s' was not there at event %" PRId64,
                       STR_ARG(uid), seq);
    *ret = *(const struct rec_environment *)found.entries[0].value;
    return 0;
}

static int history_by_name(const void *a, const void *b)
{
    return str_cmp(((const struct rec_environment *)a)->name,
                   ((const struct rec_environment *)b)->name);
}

int history_environments(struct db *db, struct arena *a, int64_t seq, struct rec_environment **ret,
                         size_t *ret_n, struct err *err)
{
    VEC(struct rec_environment) list = { 0 };
    struct map found;
    int rc;

    map_init(&found, a);
    rc = history_collect(db, a, seq, STR_NONE, &found, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < found.n; i++) {
        const struct rec_environment *env = found.entries[i].value;
        struct rec_environment *slot = env->deleted_ms == REC_NONE ? vec_push(a, &list) : NULL;

        if (slot)
            *slot = *env;
    }
    if (list.n > 1)
        qsort(list.p, list.n, sizeof(*list.p), history_by_name);
    *ret = list.p;
    *ret_n = list.n;
    return arena_status(a, err);
}
