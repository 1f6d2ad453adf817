/* SPDX-License-Identifier: Apache-2.0 */
#include "state/sets.h"

int sets_get(struct db *db, struct arena *a, struct str env, struct str service,
             const struct digest *set_key, struct rec_set *ret, struct err *err)
{
    struct rec_set set = { .env = env, .service = service, .set_key = *set_key };
    int rc = db_get(db, a, REC_set, &set, err);

    if (rc)
        return rc;
    *ret = set;
    return 0;
}

int sets_list(struct db *db, struct arena *a, struct str env, struct rec_set **ret, size_t *ret_n,
              struct err *err)
{
    return DB_SELECT(db, a, set,
                     "WHERE env = $1 AND state <> 'gone' ORDER BY service, since_ms, set_key", ret,
                     ret_n, err, DB_T(env));
}

int sets_instances(struct db *db, struct arena *a, struct str env, struct str service,
                   const struct digest *set_key, struct rec_instance **ret, size_t *ret_n,
                   struct err *err)
{
    return DB_SELECT(db, a, instance,
                     "WHERE env = $1 AND service = $2 AND set_key = $3 ORDER BY ordinal", ret,
                     ret_n, err, DB_T(env), DB_T(service), DB_D(set_key));
}

int sets_instances_of_env(struct db *db, struct arena *a, struct str env, struct rec_instance **ret,
                          size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, instance,
                     "WHERE env = $1 AND state <> 'gone' ORDER BY service, set_key, ordinal", ret,
                     ret_n, err, DB_T(env));
}

int sets_routes(struct db *db, struct arena *a, struct str env, int64_t route_gen,
                struct rec_route **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, route, "WHERE env = $1 AND route_gen = $2 ORDER BY route", ret, ret_n,
                     err, DB_T(env), DB_I(route_gen));
}
