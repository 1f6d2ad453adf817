/* SPDX-License-Identifier: Apache-2.0 */
#include "state/migrate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "state/db_impl.h"
#include "state/schema.h"
#include "state/tx.h"

#define MIGRATION(version, min_reader, sql) { (version), (min_reader), (sql) },
static const struct migration migrate_steps[] = {
#include REEVE_MIGRATIONS /* state/migrations.def; in tests that of a later program */
};
#undef MIGRATION

static int migrate_meta_int(struct db *db, struct arena *a, struct str key, int64_t *ret,
                            struct err *err)
{
    struct str text;
    int rc = db_meta(db, a, key, &text, err);

    if (rc)
        return rc;
    if (str_to_i64(text, ret))
        return err_set(err, ERR_CORRUPT, "state: meta '%.*s' is '%.*s'", STR_ARG(key),
                       STR_ARG(text));
    return 0;
}

static int migrate_put_meta(struct tx *tx, struct str key, struct str value, struct err *err)
{
    return tx_put(tx, REC_meta, &(struct rec_meta){ .k = key, .v = value }, err);
}

static int migrate_put_version(struct tx *tx, struct arena *a, const struct migration *m,
                               struct err *err)
{
    int rc = migrate_put_meta(tx, S("schema"), str_fmt(a, "%" PRId64, m->version), err);

    if (rc)
        return rc;
    return migrate_put_meta(tx, S("min_reader"), str_fmt(a, "%" PRId64, m->min_reader), err);
}

static int migrate_say_created(struct db *db, struct arena *a, const struct migration *last,
                               const struct db_birth *birth, struct err *err)
{
    const struct tx_head head = { .time_ms = birth->time_ms,
                                  .actor = S("reeve"),
                                  .cause = S(""),
                                  .kind = S("state.created"),
                                  .subject = birth->installation };
    struct tx *tx = NULL;
    int rc = tx_begin(db, &head, &tx, err);

    if (!rc)
        rc = migrate_put_meta(tx, S("installation"), birth->installation, err);
    if (!rc)
        rc = migrate_put_meta(tx, S("epoch"), S("0"), err);
    if (!rc && birth->lost.p)
        tx_note(tx, S("lost"), birth->lost);
    if (!rc)
        rc = migrate_put_version(tx, a, last, err);
    if (!rc)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return rc;
}

/* A copy that begins without old bodies hears of these rows in a snapshot alone: until then they are as for any file. */
static int migrate_stand_in(struct db *db, struct arena *a, const struct migration *last,
                            const struct db_birth *birth, struct err *err)
{
    const struct rec_meta rows[] = {
        { S("installation"), birth->installation },
        { S("schema"), str_fmt(a, "%" PRId64, last->version) },
        { S("min_reader"), str_fmt(a, "%" PRId64, last->min_reader) },
    };
    struct str known;
    int rc = db_meta(db, a, S("installation"), &known, err);

    for (size_t i = 0; !rc && !known.p && i < N_ELEMENTS(rows); i++)
        rc = db_write_row(db, REC_meta, STMT_UPSERT, &rows[i], err);
    return rc;
}

static int migrate_create(struct db *db, struct arena *a, const struct migration *last,
                          const struct db_birth *birth, struct err *err)
{
    char pragma[64];
    int rc = db_batch_begin(db, err);

    if (rc)
        return rc;
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d", SCHEMA_APPLICATION_ID);
    (void)snprintf(db->installation, sizeof(db->installation), "%.*s",
                   STR_ARG(birth->installation));
    rc = db_exec(db, pragma, err);
    if (!rc)
        rc = db_exec(db, schema_sql(), err);
    if (!rc)
        rc = birth->fill ? birth->fill(db, birth->fill_ctx, err)
                         : migrate_say_created(db, a, last, birth, err);
    if (!rc)
        rc = migrate_stand_in(db, a, last, birth, err);
    if (!rc)
        return db_batch_commit(db, err);
    db_batch_abandon(db);
    return err_wrap(err, "make a new state");
}

/* Whole or not at all. The copy is a file of its own: opening it does no harm to the locks of ours. */
static int migrate_copy(struct db *db, struct arena *a, const char *path, int64_t version,
                        struct err *err)
{
    char *copy = str_to_c(a, str_fmt(a, "%s.v%" PRId64, path, version));
    char *temp = str_to_c(a, str_fmt(a, "%s.v%" PRId64 ".new", path, version));
    char *dir = str_to_c(a, str_from_c(path));
    AUTO_CLOSE int fd = -1;
    int rc = arena_status(a, err);

    if (!rc)
        rc = sys_remove_all(temp, err); /* of an attempt that died */
    if (!rc)
        rc = db_copy(db, temp, err);
    if (rc)
        return err_wrap(err, "copy the state before upgrading it");
    fd = open(temp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fsync(fd) || rename(temp, copy))
        return err_sys(err, "keep '%s'", copy);
    return sys_fsync_dir(dirname(dir), err);
}

static int migrate_say_upgraded(struct db *db, struct arena *a, int64_t from,
                                const struct migration *last, int64_t time_ms, struct err *err)
{
    const struct tx_head head = { .time_ms = time_ms,
                                  .actor = S("reeve"),
                                  .cause = S(""),
                                  .kind = S("state.migrated"),
                                  .subject = db_installation(db) };
    struct tx *tx = NULL;
    int rc = tx_begin(db, &head, &tx, err);

    if (!rc)
        rc = migrate_put_version(tx, a, last, err);
    if (rc) {
        tx_rollback(tx);
        return rc;
    }
    tx_note(tx, S("from"), str_fmt(a, "%" PRId64, from));
    tx_note(tx, S("to"), str_fmt(a, "%" PRId64, last->version));
    return tx_commit(tx, err);
}

static int migrate_upgrade(struct db *db, struct arena *a, int64_t from,
                           const struct migration *steps, size_t n_steps, int64_t time_ms,
                           struct err *err)
{
    int rc = db_batch_begin(db, err);

    for (size_t i = 0; i < n_steps && !rc; i++)
        if (steps[i].version > from)
            rc = db_exec(db, steps[i].sql, err);
    if (!rc)
        rc = migrate_say_upgraded(db, a, from, &steps[n_steps - 1], time_ms, err);
    if (!rc)
        return db_batch_commit(db, err);
    db_batch_abandon(db);
    return err_wrap(err, "upgrade the state from version %" PRId64, from);
}

/* What the file is: *ret_version 0 when it is new. */
static int migrate_look(struct db *db, struct arena *a, const char *path, int64_t *ret_version,
                        int64_t *ret_min_reader, struct err *err)
{
    struct rec_meta installation = { .k = S("installation") };
    int64_t n_tables, id;
    int rc = db_number(db, S("SELECT count(*) FROM sqlite_schema"), NULL, 0, &n_tables, err);

    *ret_version = *ret_min_reader = 0;
    if (!rc)
        rc = db_number(db, S("PRAGMA application_id"), NULL, 0, &id, err);
    if (rc || !n_tables)
        return rc;
    if (id != SCHEMA_APPLICATION_ID)
        return err_set(err, ERR_REFUSED, "'%s' is a database, but not a state of reeve", path);
    rc = migrate_meta_int(db, a, S("schema"), ret_version, err);
    if (!rc)
        rc = migrate_meta_int(db, a, S("min_reader"), ret_min_reader, err);
    if (!rc)
        rc = db_get(db, a, REC_meta, &installation, err);
    if (!rc)
        (void)snprintf(db->installation, sizeof(db->installation), "%.*s",
                       STR_ARG(installation.v)); /* 36 characters */
    return rc;
}

int migrate_run(struct db *db, const char *path, const struct migration *steps, size_t n_steps,
                const struct db_birth *birth, struct err *err)
{
    const struct migration *last = &steps[n_steps - 1];
    AUTO_ARENA struct arena a;
    int64_t version, min_reader;
    int rc;

    arena_init(&a, 0);
    rc = migrate_look(db, &a, path, &version, &min_reader, err);
    if (rc)
        return rc;
    if (min_reader > last->version)
        return err_set(err, ERR_REFUSED,
                       "'%s' was written by a newer reeve: it needs one that reads schema %" PRId64
                       ", this one reads %" PRId64,
                       path, min_reader, last->version);
    if (version >= last->version)
        return 0;
    if (db->mode == DB_READ)
        return err_set(err, ERR_CONFLICT,
                       "'%s' has schema %" PRId64 ", this reeve reads %" PRId64
                       ": its daemon upgrades it when it starts",
                       path, version, last->version);
    if (!version)
        return migrate_create(db, &a, last, birth, err);
    rc = migrate_copy(db, &a, path, version, err);
    if (rc)
        return rc;
    return migrate_upgrade(db, &a, version, steps, n_steps, birth->time_ms, err);
}

int migrate_open(struct db *db, const char *path, const struct db_birth *birth, struct err *err)
{
    return migrate_run(db, path, migrate_steps, N_ELEMENTS(migrate_steps), birth, err);
}
