/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_groups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"

#define GROUPS_PERIOD_US 100000 /* in which a program gets its share of the processors */
#define GROUPS_STEPS_MAX 100000 /* of one removal; a program may make groups below its own */
#define GROUPS_FILE_MAX 4096

static const char *const groups_words[KIT_N_GROUPS] = {
    [KIT_GROUP_CPUS] = "cpus", [KIT_GROUP_MEMORY] = "memory", [KIT_GROUP_PIDS] = "pids"
};

const char *kit_groups_word(enum kit_group group)
{
    return groups_words[group];
}

/* --- limits -------------------------------------------------------------------------------------- */

enum groups_form { FORM_NUMBER, FORM_PERIOD, FORM_QUOTA, FORM_BOTH, FORM_ZERO };

/* In this order. The sum of memory and swap can be set below neither, so one of them is set twice; a machine
 * that counts no swap has no such file. */
/* clang-format off */
static const struct groups_file {
    int version;
    enum kit_group group;
    const char *name;
    enum groups_form form;
    int may_fail;
} groups_files[] = {
    { 1, KIT_GROUP_CPUS,   "cpu.cfs_period_us",           FORM_PERIOD, 0 },
    { 1, KIT_GROUP_CPUS,   "cpu.cfs_quota_us",            FORM_QUOTA,  0 },
    { 1, KIT_GROUP_MEMORY, "memory.limit_in_bytes",       FORM_NUMBER, 1 },
    { 1, KIT_GROUP_MEMORY, "memory.memsw.limit_in_bytes", FORM_NUMBER, 1 },
    { 1, KIT_GROUP_MEMORY, "memory.limit_in_bytes",       FORM_NUMBER, 0 },
    { 1, KIT_GROUP_PIDS,   "pids.max",                    FORM_NUMBER, 0 },
    { 2, KIT_GROUP_CPUS,   "cpu.max",                     FORM_BOTH,   0 },
    { 2, KIT_GROUP_MEMORY, "memory.swap.max",             FORM_ZERO,   1 },
    { 2, KIT_GROUP_MEMORY, "memory.max",                  FORM_NUMBER, 0 },
    { 2, KIT_GROUP_PIDS,   "pids.max",                    FORM_NUMBER, 0 },
};
/* clang-format on */

static struct str groups_text(struct arena *a, enum groups_form form, int64_t limit)
{
    int64_t quota_us = limit * (GROUPS_PERIOD_US / 1000);

    switch (form) {
    case FORM_NUMBER:
        return str_fmt(a, "%" PRId64, limit);
    case FORM_PERIOD:
        return str_fmt(a, "%d", GROUPS_PERIOD_US);
    case FORM_QUOTA:
        return str_fmt(a, "%" PRId64, quota_us);
    case FORM_BOTH:
        return str_fmt(a, "%" PRId64 " %d", quota_us, GROUPS_PERIOD_US);
    case FORM_ZERO:
        return S("0");
    }
    UNREACHABLE();
}

static int groups_write(struct arena *a, struct str dir, const struct groups_file *file,
                        int64_t limit, struct err *err)
{
    const char *path = str_fmt(a, "%.*s/%s", STR_ARG(dir), file->name).p;
    struct str text = groups_text(a, file->form, limit);
    AUTO_CLOSE int fd = -1;

    if (arena_status(a, err))
        return err->code;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if ((fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n) && !file->may_fail)
        return err_sys(err, "limits: write %.*s to '%s'", STR_ARG(text), path);
    return 0;
}

/* --- making -------------------------------------------------------------------------------------- */

static int groups_mkdir(struct arena *a, struct str path, struct err *err)
{
    const char *name = str_to_c(a, path);

    if (arena_status(a, err))
        return err->code;
    return mkdir(name, 0755) && errno != EEXIST ? err_sys(err, "limits: make '%s'", name) : 0;
}

static int groups_has(const struct value *dirs, struct str dir)
{
    for (size_t i = 0; i < value_count(dirs); i++)
        if (str_eq(value_item(dirs, i)->u.text, dir))
            return 1;
    return 0;
}

static int groups_make_one(struct arena *a, const struct value *parent, enum kit_group group,
                           struct str owner, int64_t limit, struct value *dirs, struct err *err)
{
    struct str dir = str_fmt(a, "%.*s/%.*s", STR_ARG(value_get_text(parent, S("path"), S(""))),
                             STR_ARG(owner));
    int version = (int)value_get_int(parent, S("version"), 1);

    if (!groups_has(dirs, dir)) {
        if (groups_mkdir(a, dir, err))
            return err->code;
        value_add(a, dirs, value_text(a, dir)); /* before more of it is made: it is removed too */
    }
    for (size_t i = 0; i < N_ELEMENTS(groups_files); i++)
        if (groups_files[i].version == version && groups_files[i].group == group &&
            groups_write(a, dir, &groups_files[i], limit, err))
            return err->code;
    return groups_mkdir(a, str_fmt(a, "%.*s/in", STR_ARG(dir)), err);
}

int kit_groups_make(struct arena *a, const struct value *parents, struct str owner,
                    const struct kit_limits *limits, struct value **ret, struct err *err)
{
    struct value *dirs = value_list(a);

    *ret = dirs;
    for (int g = 0; g < KIT_N_GROUPS; g++) {
        const struct value *parent = value_get(parents, str_from_c(groups_words[g]));

        if (parent && limits->of[g] > 0 &&
            groups_make_one(a, parent, (enum kit_group)g, owner, limits->of[g], dirs, err))
            return err->code;
    }
    return arena_status(a, err);
}

/* --- removing ------------------------------------------------------------------------------------ */

/* The first directory in there; 0: none. */
static int groups_first(int dir, char ret[NAME_MAX + 1])
{
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    int found = 0;

    while (list && !found && (entry = readdir(list)))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            (void)snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
            found = 1;
        }
    if (list)
        (void)closedir(list); /* only read */
    else if (again >= 0)
        (void)close(again);
    return found;
}

/* Empty it without following how deep it goes: down where something is left, up where nothing is. */
static int groups_empty(const char *path)
{
    AUTO_CLOSE int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[NAME_MAX + 1];
    int depth = 0, came_up = 0;

    for (int i = 0; at >= 0 && i < GROUPS_STEPS_MAX; i++) {
        int is_in = groups_first(at, name), next;

        if (!is_in && !depth)
            return 0;
        if (is_in && (!unlinkat(at, name, AT_REMOVEDIR) || errno == ENOENT)) {
            came_up = 0;
            continue;
        }
        if (is_in && came_up)
            return -1; /* nothing is in it but processes */
        next = openat(at, is_in ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        came_up = !is_in;
        depth += is_in ? 1 : -1;
        guard_close(&at);
        at = next;
    }
    return -1;
}

int kit_groups_remove(const struct value *dirs)
{
    AUTO_ARENA struct arena a;
    int lives = 0;

    arena_init(&a, 0);
    for (size_t i = 0; i < value_count(dirs); i++) {
        const char *path = str_to_c(&a, value_item(dirs, i)->u.text);

        if (!path || (rmdir(path) && errno != ENOENT && (groups_empty(path) || rmdir(path))))
            lives |= !path || errno != ENOENT;
    }
    return lives;
}

/* --- looking ------------------------------------------------------------------------------------- */

/* The number after `word` at the beginning of a line of a file: "oom_kill 3"; -1: there is none. */
static int64_t groups_number(struct arena *a, struct str dir, const char *file, struct str word)
{
    char text[GROUPS_FILE_MAX];
    AUTO_CLOSE int fd = open(str_fmt(a, "%.*s/%s", STR_ARG(dir), file).p, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct str rest = { text, n > 0 ? (size_t)n : 0 }, line;
    int64_t number;

    while (rest.n && str_next(&rest, '\n', &line))
        if (str_starts(line, word) && !str_to_i64(str_slice(line, word.n, line.n), &number))
            return number;
    return -1;
}

/* Of memory: version 1, or 2. */
static int64_t groups_killed_in(struct arena *a, struct str dir, const char *file)
{
    int64_t killed = groups_number(a, dir, file, S("oom_kill "));

    return killed > 0 ? killed : 0;
}

int64_t kit_groups_killed(struct arena *a, const struct value *dirs)
{
    int64_t killed = 0;

    for (size_t i = 0; i < value_count(dirs); i++)
        killed += groups_killed_in(a, value_item(dirs, i)->u.text, "memory.oom_control") +
                  groups_killed_in(a, value_item(dirs, i)->u.text, "memory.events") +
                  groups_killed_in(a, str_fmt(a, "%.*s/in", STR_ARG(value_item(dirs, i)->u.text)),
                                   "memory.oom_control");
    return killed;
}

/* Version 2 counts in every group, 1 beside the shares alone, in nanoseconds. */
int64_t kit_groups_used_us(struct arena *a, const struct value *dirs)
{
    for (size_t i = 0; i < value_count(dirs); i++) {
        struct str dir = value_item(dirs, i)->u.text;
        int64_t used_us = groups_number(a, dir, "cpu.stat", S("usage_usec ")),
                used_ns = groups_number(a, dir, "cpuacct.usage", S(""));

        if (used_us >= 0 || used_ns >= 0)
            return used_us >= 0 ? used_us : used_ns / 1000;
    }
    return -1;
}
