/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/copy_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/vec.h"
#include "reconciler/engine/copy_file.h"
#include "reconciler/engine/stale.h"
#include "state/ballast.h"
#include "state/events.h"

struct copies {
    struct copy *p;
    size_t n, cap;
};

int copy_place_of(struct arena *a, const struct value *daemon, struct copy_place *ret)
{
    const struct value *state = value_get(daemon, S("state")),
                       *backup = value_get(state, S("backup"));
    struct str file = value_get_text(state, S("file"), S(""));
    size_t slash = file.n;

    while (slash && file.p[slash - 1] != '/')
        slash--;
    ret->dir = value_get_text(backup, S("directory"), S(""));
    ret->keep = value_get_int(backup, S("keep"), 1);
    ret->keys = str_fmt(a, "%.*skeys", STR_ARG(str_slice(file, 0, slash))).p;
    ret->work = str_fmt(a, "%.*s.copy", STR_ARG(file)).p;
    return backup != NULL;
}

/* --- names --------------------------------------------------------------------------------------- */

static struct str name_prefix(struct arena *a, const struct copy_place *at)
{
    return str_fmt(a, "reeve-%.*s-", STR_ARG(at->installation));
}

/* "PREFIX" EPOCH "-" SEQ ".copy"; 0, or -1: another file. */
static int parse_name(struct arena *a, const struct copy_place *at, struct str name,
                      struct copy *ret)
{
    struct str prefix = name_prefix(a, at), rest, epoch;

    if (!str_starts(name, prefix) || !str_ends(name, S(".copy")))
        return -1;
    rest = str_slice(name, prefix.n, name.n - prefix.n - 5);
    if (!str_next(&rest, '-', &epoch) || str_to_i64(epoch, &ret->epoch) ||
        str_to_i64(rest, &ret->seq))
        return -1;
    ret->file = str_fmt(a, "%.*s/%.*s", STR_ARG(at->dir), STR_ARG(name));
    return 0;
}

static int compare_copies(const void *a, const void *b)
{
    const struct copy *x = a, *y = b;

    return x->epoch != y->epoch ? (x->epoch < y->epoch) - (x->epoch > y->epoch)
                                : (x->seq < y->seq) - (x->seq > y->seq);
}

int copy_list(struct arena *a, const struct copy_place *at, struct copy **ret, size_t *ret_n,
              struct err *err)
{
    struct copies list = { 0 };
    DIR *dir = opendir(str_to_c(a, at->dir));
    struct dirent *entry;

    *ret_n = 0;
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "open '%.*s'", STR_ARG(at->dir));
    while ((entry = readdir(dir))) {
        struct copy one, *slot;

        if (parse_name(a, at, str_from_c(entry->d_name), &one))
            continue;
        slot = vec_push(a, &list);
        if (slot)
            *slot = one;
    }
    (void)closedir(dir); /* only read */
    if (list.n)
        qsort(list.p, list.n, sizeof(list.p[0]), compare_copies);
    *ret = list.p;
    *ret_n = list.n;
    return arena_status(a, err);
}

/* --- making one ---------------------------------------------------------------------------------- */

static int seal_copy(struct arena *a, const struct copy_place *at, const struct copy *copy,
                     struct err *err)
{
    const char *dir = str_to_c(a, at->dir), *to = str_to_c(a, copy->file);
    const char *made = str_fmt(a, "%.*s/.reeve-%.*s.new", STR_ARG(at->dir),
                               STR_ARG(at->installation))
                           .p; /* one name: what died half way is removed by the next */

    if (arena_status(a, err) || sys_remove_all(made, err) ||
        copy_file_seal(at->work, made, at->keys, err))
        return err->code;
    if (rename(made, to))
        return err_sys(err, "keep '%s'", to);
    return sys_fsync_dir(dir, err);
}

static void sweep(const struct copy_place *at, const struct copy *list, size_t n)
{
    for (size_t i = (size_t)at->keep; i < n; i++)
        (void)unlink(list[i].file.p); /* the next time */
}

static int head_of(struct arena *a, struct db *db, struct copy *ret, struct err *err)
{
    struct digest hash;

    if (stale_epoch(a, db, &ret->epoch, err))
        return err->code;
    return events_head(db, &ret->seq, &hash, err);
}

/* What the file holds is known when it is made: the database goes on meanwhile. */
static int copy_reader(struct arena *a, const struct copy_place *at, struct db *db,
                       struct copy *ret, struct err *err)
{
    struct db *made = NULL;
    int rc;

    if (sys_remove_all(at->work, err) || db_copy(db, at->work, err) ||
        db_open(at->work, DB_READ, &made, err))
        return err->code;
    rc = head_of(a, made, ret, err);
    db_close(made);
    ret->file = str_fmt(a, "%.*s/%.*s%010lld-%014lld.copy", STR_ARG(at->dir),
                        STR_ARG(name_prefix(a, at)), (long long)ret->epoch, (long long)ret->seq);
    return rc ? rc : arena_status(a, err);
}

/* A copy lies beside the database for a moment: it is not what fills the disk. */
static int check_room(struct arena *a, const char *database, struct err *err)
{
    const char *log = str_fmt(a, "%s-wal", database).p;
    int64_t n_free, size, needs = BALLAST_BYTES;
    struct stat st;

    if (stat(database, &st))
        return err_sys(err, "look at '%s'", database);
    needs += st.st_size;
    if (log && !stat(log, &st))
        needs += st.st_size;
    if (sys_disk_free(database, &n_free, &size, err))
        return err->code;
    return n_free > needs ? 0
                          : err_set(err, ERR_FULL,
                                    "no room for a copy: %lld bytes are free beside '%s', %lld are "
                                    "needed",
                                    (long long)n_free, database, (long long)needs);
}

static int make_copy(struct arena *a, const struct copy_place *at, const char *database,
                     struct db *db, struct err *err)
{
    struct copy *list = NULL, now, made;
    size_t n;

    if (sys_mkdir_all(str_to_c(a, at->dir), 0700, err) || copy_list(a, at, &list, &n, err) ||
        head_of(a, db, &now, err))
        return err->code;
    if (n && compare_copies(&list[0], &now) <= 0)
        return 0;
    if (check_room(a, database, err) || copy_reader(a, at, db, &made, err) ||
        seal_copy(a, at, &made, err) || copy_list(a, at, &list, &n, err))
        return err->code;
    sweep(at, list, n);
    return 1;
}

int copy_make(struct arena *a, const struct copy_place *at, const char *database, struct err *err)
{
    struct err ignored = ERR_INIT;
    struct db *db = NULL;
    int rc = db_open(database, DB_READ, &db, err);

    if (!rc)
        rc = make_copy(a, at, database, db, err);
    db_close(db);
    (void)sys_remove_all(at->work, &ignored); /* the next one removes it */
    return rc < 0 ? err_wrap(err, "copy the database") : rc;
}

int copy_judge(struct arena *a, const struct copy_place *at, struct db *db, struct str *ret_why,
               struct err *err)
{
    struct copy *list, now;
    size_t n;

    *ret_why = STR_NONE;
    if (copy_list(a, at, &list, &n, err) || head_of(a, db, &now, err))
        return err->code;
    if (n && compare_copies(&list[0], &now) < 0)
        *ret_why = str_fmt(a, "copy '%.*s' is newer", STR_ARG(list[0].file));
    return arena_status(a, err);
}

int copy_open(const struct copy_place *at, const struct copy *copy, struct db **ret,
              struct err *err)
{
    if (sys_remove_all(at->work, err) || copy_file_unseal(copy->file.p, at->work, at->keys, err) ||
        db_open(at->work, DB_READ, ret, err))
        return err->code;
    if (!db_check(*ret, err))
        return 0;
    db_close(*ret);
    *ret = NULL;
    return err->code;
}
