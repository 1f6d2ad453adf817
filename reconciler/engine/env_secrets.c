/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_secrets.h"

static int find_version(struct db *db, struct arena *a, struct str env_uid, struct str name,
                        struct str version, struct rec_secret_version *ret, struct err *err)
{
    *ret = (struct rec_secret_version){ .env = env_uid, .name = name, .version = version };
    return db_get(db, a, REC_secret_version, ret, err);
}

static int is_noted(struct db *db, struct arena *a, struct str env_uid, struct str name,
                    struct str version, struct err *err)
{
    struct rec_secret_version row;
    int rc = find_version(db, a, env_uid, name, version, &row, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return row.gone_ms == REC_NONE;
}

static int put_version(struct tx *tx, struct arena *a, struct str env_uid, struct str name,
                       struct str version, struct err *err)
{
    struct rec_secret_version now = { .env = env_uid,
                                      .name = name,
                                      .version = version,
                                      .fingerprint = version,
                                      .seen_ms = tx_time_ms(tx),
                                      .gone_ms = REC_NONE },
                              *rows;
    size_t n;

    if (DB_SELECT(tx_db(tx), a, secret_version, "WHERE env = $1 AND name = $2 AND gone_ms IS NULL",
                  &rows, &n, err, DB_T(env_uid), DB_T(name)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].gone_ms = tx_time_ms(tx);
        if (tx_put(tx, REC_secret_version, &rows[i], err))
            return err->code;
    }
    return tx_put(tx, REC_secret_version, &now, err);
}

int env_secrets_note(struct engine *e, struct arena *a, struct str env_uid, const struct map *pins,
                     struct err *err)
{
    struct tx *tx = NULL;

    for (size_t i = 0; i < pins->n; i++) {
        struct str name = pins->entries[i].key, version = *(struct str *)pins->entries[i].value;
        int noted = is_noted(e->db, a, env_uid, name, version, err);

        if (noted < 0)
            goto fail;
        if (noted)
            continue;
        if (!tx && engine_tx(e,
                             &(struct engine_event){
                                 .kind = S("secret.version"), .subject = name, .env = env_uid },
                             &tx, err))
            return err->code;
        if (put_version(tx, a, env_uid, name, version, err))
            goto fail;
    }
    return tx ? tx_commit(tx, err) : 0;

fail:
    tx_rollback(tx);
    return err->code;
}

/* Every {"secret": NAME, "version": V} below v. */
static int check_value(struct db *db, struct arena *a, struct str env_uid, const struct value *v,
                       struct err *err)
{
    struct str name = value_get_text(v, S("secret"), STR_NONE),
               version = value_get_text(v, S("version"), STR_NONE);
    struct rec_secret_version row;

    if (name.p && version.p) {
        int rc = find_version(db, a, env_uid, name, version, &row, err);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (rc || row.gone_ms != REC_NONE)
            return err_set(
                err, ERR_REFUSED,
                "version %.*s of secret '%.*s' is gone: what it was made with cannot be restored",
                STR_ARG(version), STR_ARG(name));
    }
    for (size_t i = 0; i < value_count(v); i++)
        if (check_value(db, a, env_uid,
                        v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value, err))
            return err->code;
    return 0;
}

int env_secrets_check(struct db *db, struct arena *a, struct str env_uid,
                      const struct environment_spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->resources.n; i++)
        if (check_value(db, a, env_uid, spec->resources.p[i].desired, err))
            return err_wrap(err, "%.*s/%.*s", STR_ARG(spec->resources.p[i].kind),
                            STR_ARG(spec->resources.p[i].name));
    return 0;
}
