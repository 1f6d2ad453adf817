/* SPDX-License-Identifier: Apache-2.0 */
#include "state/documents.h"

#include "base/guard.h"
#include "state/db_impl.h"

struct digest documents_digest(struct str kind, struct str body)
{
    struct hash h;

    hash_init(&h);
    hash_add_str(&h, S("reeve/"));
    hash_add_str(&h, kind);
    hash_add_str(&h, S("/1\n"));
    hash_add_str(&h, body);
    return hash_end(&h);
}

int documents_put(struct db *db, struct str kind, const struct digest *digest, struct str body,
                  int *ret_new, struct err *err)
{
    const struct db_bind binds[] = { DB_D(digest), DB_T(kind), DB_T(body) };
    int rc = stmt_change(db,
                         S("INSERT INTO documents (digest, kind, body) VALUES ($1, $2, $3)"
                           " ON CONFLICT (digest) DO NOTHING"),
                         binds, N_ELEMENTS(binds), err);

    if (rc)
        return rc;
    *ret_new = sqlite3_changes(db->handle) > 0;
    return 0;
}

int db_document(struct db *db, struct arena *a, const struct digest *digest, struct str *ret_body,
                struct err *err)
{
    const struct db_bind key = DB_D(digest);
    AUTO_STMT sqlite3_stmt *st = NULL;
    struct digest actual;
    struct str kind, body;
    int rc = stmt_first(db, S("SELECT kind, body FROM documents WHERE digest = $1"), &key, 1, &st,
                        err);

    if (rc < 0)
        return rc;
    if (!rc)
        return err_set(err, ERR_NOT_FOUND, "document '%s' is not stored", digest_hex(a, digest).p);
    kind = stmt_text(a, st, 0);
    body = stmt_text(a, st, 1);
    if (arena_status(a, err))
        return ERR_NOMEM;
    actual = documents_digest(kind, body);
    if (!digest_eq(&actual, digest))
        return err_set(err, ERR_CORRUPT, "document '%s' does not have its digest",
                       digest_hex(a, digest).p);
    *ret_body = body;
    return 0;
}
