/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/groups.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/sys.h"

/* Is there a keeper's directory with this label, of any provider? */
static int groups_is_known(struct arena *a, const struct value *providers, const char *label)
{
    for (size_t i = 0; i < value_count(providers); i++) {
        struct str dir = value_get_text(providers->u.map.entries[i].value, S("directory"), S(""));
        const char *path = str_fmt(a, "%.*s/run/%s", STR_ARG(dir), label).p;

        if (!path || sys_exists(path))
            return 1;
    }
    return 0;
}

/* A group is made after the directory and goes before it: one without is of a directory that was taken away. */
static void groups_sweep(struct cli *c, struct str parent)
{
    const struct value *providers = value_get(c->daemon, S("providers"));
    const char *path = str_to_c(c->arena, parent);
    DIR *list = path ? opendir(path) : NULL;
    struct dirent *entry;

    while (list && (entry = readdir(list))) {
        struct value *dirs = value_list(c->arena);

        if (entry->d_type != DT_DIR || strncmp(entry->d_name, "rv1", 3) ||
            groups_is_known(c->arena, providers, entry->d_name))
            continue;
        value_add(c->arena, dirs,
                  value_text(c->arena, str_fmt(c->arena, "%s/%s", path, entry->d_name)));
        (void)kit_groups_remove(dirs); /* one in which something lives stays */
    }
    if (list)
        (void)closedir(list); /* only read */
}

/* Where nobody's code is isolated, no limit is kept, and no group is needed. */
static int groups_are_needed(const struct value *daemon)
{
    const struct value *rules = value_get(daemon, S("environments"));

    for (size_t i = 0; i < value_count(rules); i++)
        if (!str_eq_c(value_get_text(value_item(rules, i), S("isolation"), S("none")), "none"))
            return 1;
    return 0;
}

typedef int groups_open_fn(struct arena *a, struct str name, uid_t uid, gid_t gid,
                           struct kit_parents *ret, struct err *err);

static int groups_open(struct cli *c, groups_open_fn *fn, struct kit_parents *ret, struct err *err)
{
    struct str file = value_get_text(value_get(c->daemon, S("state")), S("file"), S(""));
    struct digest d = hash_bytes(file);
    struct str name = str_fmt(c->arena, "reeve-%.*s", 16, digest_hex(c->arena, &d).p);
    uid_t uid = geteuid();
    gid_t gid = getegid();

    *ret = (struct kit_parents){ value_map(c->arena), value_map(c->arena) };
    if (!groups_are_needed(c->daemon))
        return arena_status(c->arena, err);
    if (uid == 0 && config_user(c, &uid, &gid, err))
        return err->code;
    return fn(c->arena, name, uid, gid, ret, err);
}

int groups_look(struct cli *c, struct kit_parents *ret, struct err *err)
{
    return groups_open(c, kit_parents_try, ret, err);
}

int groups_start(struct cli *c, struct kit_parents *ret, struct err *err)
{
    if (groups_open(c, kit_parents_open, ret, err))
        return err->code;
    for (size_t i = 0; i < value_count(ret->kept); i++)
        groups_sweep(c, value_get_text(ret->kept->u.map.entries[i].value, S("path"), S("")));
    return arena_status(c->arena, err);
}
