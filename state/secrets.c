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
