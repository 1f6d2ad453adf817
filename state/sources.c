/* SPDX-License-Identifier: Apache-2.0 */
#include "state/sources.h"

int sources_list(struct db *db, struct arena *a, struct rec_source **ret, size_t *ret_n,
                 struct err *err)
{
    return DB_SELECT(db, a, source, "ORDER BY name", ret, ret_n, err);
}

int sources_head(struct db *db, struct arena *a, struct str source, struct str branch,
                 struct rec_head *ret, struct err *err)
{
    struct rec_head head = { .source = source, .branch = branch };
    int rc = db_get(db, a, REC_head, &head, err);

    if (rc)
        return err_wrap(err, "branch '%.*s' of '%.*s'", STR_ARG(branch), STR_ARG(source));
    *ret = head;
    return 0;
}

int sources_heads(struct db *db, struct arena *a, struct str source, struct rec_head **ret,
                  size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, head, "WHERE source = $1 ORDER BY branch", ret, ret_n, err,
                     DB_T(source));
}
