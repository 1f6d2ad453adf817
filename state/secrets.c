/* SPDX-License-Identifier: Apache-2.0 */
#include "state/secrets.h"

int secrets_now_of(struct db *db, struct arena *a, struct str env, struct str name,
                   struct rec_secret_version **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, secret_version,
                     "WHERE env = $1 AND name = $2 AND gone_ms IS NULL"
                     " ORDER BY seen_ms DESC, version DESC LIMIT 1",
                     ret, ret_n, err, DB_T(env), DB_T(name));
}

int secrets_now(struct db *db, struct arena *a, struct str env, struct rec_secret_version **ret,
                size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, secret_version,
                     "AS s WHERE env = $1 AND gone_ms IS NULL AND NOT EXISTS (SELECT 1"
                     " FROM secret_versions AS t WHERE t.env = s.env AND t.name = s.name"
                     " AND t.gone_ms IS NULL AND (t.seen_ms > s.seen_ms"
                     " OR (t.seen_ms = s.seen_ms AND t.version > s.version))) ORDER BY name",
                     ret, ret_n, err, DB_T(env));
}
