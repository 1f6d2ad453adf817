/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_parents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

#define PARENTS_FILE_MAX (1u << 20)

/* What the kernel calls them. */
static const char *const parents_controllers[KIT_N_GROUPS] = {
    [KIT_GROUP_CPUS] = "cpu", [KIT_GROUP_MEMORY] = "memory", [KIT_GROUP_PIDS] = "pids"
};

static int parents_lists(struct str list, char sep, const char *word)
{
    struct str part;

    while (list.n && str_next(&list, sep, &part))
        if (str_eq_c(str_trim(part), word))
            return 1;
    return 0;
}

/* --- finding ------------------------------------------------------------------------------------- */

/* "35 31 0:32 /ROOT /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory" */
struct parents_mount {
    struct str root, point, type, options;
};

static int parents_read_mount(struct str line, struct parents_mount *ret)
{
    struct str part;

    *ret = (struct parents_mount){ 0 };
    for (int i = 0; i < 5; i++) {
        if (!str_next(&line, ' ', &part))
            return -1;
        if (i == 3)
            ret->root = part;
        if (i == 4)
            ret->point = part;
    }
    while (str_next(&line, ' ', &part) && !str_eq_c(part, "-"))
        if (!line.n)
            return -1;
    return str_next(&line, ' ', &ret->type) && str_next(&line, ' ', &part) &&
                   str_next(&line, ' ', &ret->options)
               ? 0
               : -1;
}

/* "4:memory:/shop", or "0::/shop" of version 2 (`controller` ""): where we are. */
static struct str parents_own(struct str own, const char *controller)
{
    struct str line, number, names;

    while (own.n && str_next(&own, '\n', &line))
        if (str_next(&line, ':', &number) && str_next(&line, ':', &names) &&
            (*controller ? parents_lists(names, ',', controller)
                         : str_eq_c(number, "0") && !names.n))
            return line;
    return STR_NONE;
}

/* Our group as a directory; STR_NONE: the mount does not show it. */
static struct str parents_place(struct arena *a, const struct parents_mount *m, struct str own)
{
    if (!own.p || str_starts(own, S("/..")))
        return STR_NONE;
    if (!str_eq_c(m->root, "/")) { /* of a container that is shown its own part alone */
        if (str_starts(own, m->root) && (own.n == m->root.n || own.p[m->root.n] == '/'))
            own = str_slice(own, m->root.n, own.n);
        else if (!str_eq_c(own, "/"))
            return STR_NONE;
    }
    return str_eq_c(own, "/") ? m->point : str_fmt(a, "%.*s%.*s", STR_ARG(m->point), STR_ARG(own));
}

static void parents_add(struct arena *a, struct value *found, int group, struct str path,
                        int version)
{
    struct value *one = value_map(a);
    struct str word = str_from_c(kit_groups_word((enum kit_group)group));

    if (!path.n || value_get(found, word))
        return;
    value_set_text(a, one, S("path"), path);
    value_set_int(a, one, S("version"), version);
    value_set(a, found, word, one);
}

struct value *kit_parents_find(struct arena *a, struct str mountinfo, struct str own)
{
    struct value *found = value_map(a);

    for (int version = 1; version <= 2; version++) {
        struct str rest = mountinfo, line;

        while (rest.n && str_next(&rest, '\n', &line)) {
            struct parents_mount m;

            if (parents_read_mount(line, &m) ||
                !str_eq_c(m.type, version == 1 ? "cgroup" : "cgroup2"))
                continue;
            for (int g = 0; g < KIT_N_GROUPS; g++)
                if (version == 2 || parents_lists(m.options, ',', parents_controllers[g]))
                    parents_add(
                        a, found, g,
                        parents_place(a, &m,
                                      parents_own(own, version == 2 ? "" : parents_controllers[g])),
                        version);
        }
    }
    return found;
}

/* --- making -------------------------------------------------------------------------------------- */

struct parents_user {
    uid_t uid;
    gid_t gid;
    struct value *done; /* [{path, back?: what is written there again}]: what was not so before */
};

static int parents_write(struct arena *a, struct str dir, const char *file, struct str text,
                         struct err *err)
{
    const char *path = str_fmt(a, "%.*s/%s", STR_ARG(dir), file).p;
    AUTO_CLOSE int fd = -1;

    if (!path)
        return arena_status(a, err);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
        return err_sys(err, "write %.*s to '%s'", STR_ARG(text), path);
    return 0;
}

/* STR_NONE: the directory goes again; else what is written to the file again. */
static void parents_note(struct arena *a, const struct parents_user *user, struct str path,
                         struct str back)
{
    struct value *one = value_map(a);

    value_set_text(a, one, S("path"), path);
    if (back.p)
        value_set_text(a, one, S("back"), back);
    value_add(a, user->done, one);
}

static int parents_mkdir(struct arena *a, struct str dir, const struct parents_user *user,
                         struct err *err)
{
    const char *path = str_to_c(a, dir);
    int is_made;

    if (arena_status(a, err))
        return err->code;
    is_made = !mkdir(path, 0755);
    if (!is_made && errno != EEXIST)
        return err_sys(err, "make '%s'", path);
    if (is_made)
        parents_note(a, user, dir, STR_NONE);
    if (geteuid() == 0 && chown(path, user->uid, user->gid))
        return err_sys(err, "give '%s' to the daemon's user", path);
    return 0;
}

/* Version 2: who moves a process needs this file of the group that is above both places. */
static int parents_give(struct arena *a, struct str dir, const char *file,
                        const struct parents_user *user, struct err *err)
{
    const char *path = str_fmt(a, "%.*s/%s", STR_ARG(dir), file).p;

    if (!path)
        return arena_status(a, err);
    if (geteuid() == 0 && chown(path, user->uid, user->gid))
        return err_sys(err, "give '%s' to the daemon's user", path);
    return 0;
}

/* We leave the group that shall have children. */
static int parents_move_down(struct arena *a, struct str above, struct str dir,
                             const struct parents_user *user, struct err *err)
{
    struct str ours = str_fmt(a, "%.*s/daemon", STR_ARG(dir));
    struct str before = str_fmt(a, "%.*s/cgroup.procs", STR_ARG(above));

    if (parents_mkdir(a, dir, user, err) || parents_mkdir(a, ours, user, err) ||
        parents_give(a, dir, "cgroup.procs", user, err) ||
        parents_write(a, ours, "cgroup.procs", S("0"), err))
        return err->code;
    parents_note(a, user, before, S("0"));
    return 0;
}

static int parents_enable(struct arena *a, struct str dir, int group,
                          const struct parents_user *user, struct err *err)
{
    struct str word = str_fmt(a, "+%s", parents_controllers[group]), text;
    struct str file = str_fmt(a, "%.*s/cgroup.subtree_control", STR_ARG(dir));
    struct err ignored = ERR_INIT; /* the file says nothing: it is not on */

    if (!sys_read_file(a, file.p, PARENTS_FILE_MAX, &text, &ignored) &&
        parents_lists(str_trim(text), ' ', parents_controllers[group]))
        return 0;
    if (parents_write(a, dir, "cgroup.subtree_control", word, err))
        return err->code;
    parents_note(a, user, file, str_fmt(a, "-%s", parents_controllers[group]));
    return 0;
}

/* `above` is our group, `dir` what we make in it. */
static int parents_open_v2(struct arena *a, struct str above, struct str dir, int group,
                           const struct parents_user *user, struct err *err)
{
    struct str text;

    if (str_ends(above, S(".service"))) /* it is put there again, where then may be no process */
        return err_set(err, ERR_REFUSED,
                       "with groups below it '%.*s' could not be started again by systemd",
                       STR_ARG(above));
    if (sys_read_file(a, str_fmt(a, "%.*s/cgroup.controllers", STR_ARG(above)).p, PARENTS_FILE_MAX,
                      &text, err))
        return err->code;
    if (!parents_lists(str_trim(text), ' ', parents_controllers[group]))
        return err_set(err, ERR_REFUSED, "controller '%s' is not given to '%.*s'",
                       parents_controllers[group], STR_ARG(above));
    if (parents_move_down(a, above, dir, user, err))
        return err->code;
    if (parents_enable(a, above, group, user, err))
        return err_wrap(err, "a group with children has no other processes");
    return parents_enable(a, dir, group, user, err);
}

/* Who was moved down before is still there: it does not begin again below that. */
static struct str parents_above(struct arena *a, const struct value *parent, struct str name)
{
    struct str path = value_get_text(parent, S("path"), S(""));
    struct str ours = str_fmt(a, "/%.*s/daemon", STR_ARG(name));

    return str_ends(path, ours) ? str_slice(path, 0, path.n - ours.n) : path;
}

static int parents_open_one(struct arena *a, struct value *parent, struct str name, int group,
                            const struct parents_user *user, struct err *err)
{
    struct str above = parents_above(a, parent, name);
    struct str dir = str_fmt(a, "%.*s/%.*s", STR_ARG(above), STR_ARG(name));
    int rc = value_get_int(parent, S("version"), 1) == 1
                 ? parents_mkdir(a, dir, user, err)
                 : parents_open_v2(a, above, dir, group, user, err);

    value_set_text(a, parent, S("path"), dir);
    return rc;
}

static int parents_open(struct arena *a, struct str name, const struct parents_user *user,
                        struct kit_parents *ret, struct err *err)
{
    struct str mountinfo = S(""), own = S("");
    struct err ignored = ERR_INIT; /* a kernel without them: nothing is found */
    struct value *found;

    (void)sys_read_file(a, "/proc/self/mountinfo", PARENTS_FILE_MAX, &mountinfo, &ignored);
    (void)sys_read_file(a, "/proc/self/cgroup", PARENTS_FILE_MAX, &own, &ignored);
    found = kit_parents_find(a, mountinfo, own);
    *ret = (struct kit_parents){ value_map(a), value_map(a) };
    for (int g = 0; g < KIT_N_GROUPS; g++) {
        struct str word = str_from_c(kit_groups_word((enum kit_group)g));
        const struct value_entry *parent = value_entry(found, word);
        struct err why = ERR_INIT;

        if (!parent)
            value_set_text(a, ret->unkept, word, S("no control groups for it are mounted here"));
        else if (parents_open_one(a, parent->value, name, g, user, &why))
            value_set_text(a, ret->unkept, word, str_copy(a, str_from_c(why.text)));
        else
            value_set(a, ret->kept, word, parent->value);
    }
    return arena_status(a, err);
}

int kit_parents_open(struct arena *a, struct str name, uid_t uid, gid_t gid,
                     struct kit_parents *ret, struct err *err)
{
    const struct parents_user user = { uid, gid, value_list(a) };

    return parents_open(a, name, &user, ret, err);
}

/* The last thing first: a group goes when nobody is in it, and nothing below it is watched. */
static void parents_undo(struct arena *a, const struct value *done)
{
    for (size_t i = value_count(done); i-- > 0;) {
        const struct value *one = value_item(done, i);
        const char *path = str_to_c(a, value_get_text(one, S("path"), S("")));
        struct str back = value_get_text(one, S("back"), STR_NONE);
        AUTO_CLOSE int fd = -1;

        if (!path)
            continue; /* no memory: it stays, as a daemon's does */
        if (!back.p) {
            (void)rmdir(path); /* somebody made another one in it meanwhile */
            continue;
        }
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            (void)!write(fd, back.p, back.n); /* the same */
    }
}

int kit_parents_try(struct arena *a, struct str name, uid_t uid, gid_t gid, struct kit_parents *ret,
                    struct err *err)
{
    const struct parents_user user = { uid, gid, value_list(a) };
    int rc = parents_open(a, name, &user, ret, err);

    parents_undo(a, user.done);
    return rc;
}
