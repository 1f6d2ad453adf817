/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/recover_place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/crash.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/history_seal.h"

/* The log and its index belong to the file: SQLite would read them into the new one. */
static const char *const ends[] = { "-wal", "-shm", "" };

static const char *note_path(struct arena *a, const struct recover_place *p)
{
    return str_fmt(a, "%s/aside", p->work).p;
}

int recover_place_of(struct arena *a, struct str file, struct recover_place *ret, struct err *err)
{
    size_t slash = file.n;

    while (slash && file.p[slash - 1] != '/')
        slash--;
    ret->file = str_to_c(a, file);
    ret->dir = slash > 1 ? str_to_c(a, str_slice(file, 0, slash - 1)) : "/";
    ret->work = str_fmt(a, "%.*s.new", STR_ARG(file)).p;
    ret->made = str_fmt(a, "%s/made", ret->work).p;
    return arena_status(a, err);
}

int recover_place_is_open(struct arena *a, const struct recover_place *p)
{
    const char *note = note_path(a, p);

    return note && sys_exists(note) && sys_exists(p->made);
}

int recover_place_finish(struct arena *a, const struct recover_place *p, const char *keys,
                         struct err *err)
{
    const char *note = note_path(a, p);

    if (!note)
        return arena_status(a, err);
    if (!sys_exists(note) || sys_exists(p->made))
        return 0;
    if (history_seal_forget(a, keys, err))
        return err->code;
    return sys_remove_all(p->work, err);
}

static int move_one(struct arena *a, const char *from, const char *to, const char *end,
                    struct err *err)
{
    const char *old = str_fmt(a, "%s%s", from, end).p, *new = str_fmt(a, "%s%s", to, end).p;

    if (!old || !new)
        return arena_status(a, err);
    if (rename(old, new) && errno != ENOENT)
        return err_sys(err, "rename '%s' to '%s'", old, new);
    return 0;
}

int recover_place_back(struct arena *a, const struct recover_place *p, struct err *err)
{
    const char *aside;
    struct str text;

    if (!recover_place_is_open(a, p)) /* what was half made */
        return sys_remove_all(p->work, err);
    if (sys_read_file(a, note_path(a, p), PATH_MAX, &text, err))
        return err->code;
    aside = str_to_c(a, text);
    for (size_t i = N_ELEMENTS(ends); text.n && aside && i; i--)
        if (move_one(a, aside, p->file, ends[i - 1], err))
            return err->code;
    /* The note goes first: without the new file beside it, it says that this one is in its place. */
    if (arena_status(a, err) || sys_fsync_dir(p->dir, err) || sys_remove_all(note_path(a, p), err))
        return err->code;
    return sys_remove_all(p->work, err);
}

int recover_place_swap(struct arena *a, const struct recover_place *p, const char *aside,
                       struct err *err)
{
    CRASH_POINT(RECOVER_AFTER_MADE);
    if (sys_write_file(note_path(a, p), 0600, aside ? str_from_c(aside) : S(""), err) ||
        sys_fsync_dir(p->dir, err))
        return err->code;
    for (size_t i = 0; aside && i < N_ELEMENTS(ends); i++) {
        if (move_one(a, p->file, aside, ends[i], err))
            return err->code;
        CRASH_POINT(RECOVER_BETWEEN_FILES);
    }
    if (rename(p->made, p->file))
        return err_sys(err, "put '%s' in its place", p->made);
    if (sys_fsync_dir(p->dir, err))
        return err->code;
    CRASH_POINT(RECOVER_AFTER_PLACED);
    return 0;
}
