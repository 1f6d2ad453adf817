/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/covers.h"

#include <pwd.h>
#include <unistd.h>

/* Directories that belong to the system: of what lies in them only the file itself is covered. */
static const struct str covers_system[] = {
    S_INIT(""),     S_INIT("/run"), S_INIT("/var/run"), S_INIT("/var"),
    S_INIT("/etc"), S_INIT("/usr"), S_INIT("/home"),    S_INIT("/srv"),
};

static void covers_add(struct arena *a, struct value *list, struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (path.n < 2 || path.p[0] != '/')
        return; /* absent, or everything */
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(value_item(list, i)->u.text, path))
            return;
    value_add(a, list, value_text(a, path));
}

/* A file that is made again is another one, and no cover is on it: its directory is covered. */
static void covers_add_file(struct arena *a, struct value *list, struct str path)
{
    struct str dir = path;

    while (dir.n && dir.p[dir.n - 1] != '/')
        dir.n--;
    dir.n -= dir.n > 0;
    for (size_t i = 0; i < sizeof(covers_system) / sizeof(covers_system[0]); i++)
        if (str_eq(dir, covers_system[i]))
            dir = path;
    covers_add(a, list, dir);
}

/* One field of each entry of a map: "KEY" or "KEY.KEY". */
static void covers_add_each(struct arena *a, struct value *list, const struct value *map,
                            const char *field,
                            void (*add)(struct arena *, struct value *, struct str))
{
    for (size_t i = 0; i < value_count(map); i++) {
        const struct value *path = value_at(map->u.map.entries[i].value, str_from_c(field));

        if (value_is(path, VALUE_TEXT))
            add(a, list, path->u.text);
    }
}

/* What opens a store opens all that lies in it. */
static void covers_add_stores(struct arena *a, struct value *list, const struct value *stores)
{
    static const char *const keys[] = { "identity", "auth.token_file",
                                        "auth.approle.secret_id_file" };

    covers_add_each(a, list, stores, "directory", covers_add);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        covers_add_each(a, list, stores, keys[i], covers_add_file);
}

static void covers_add_home(struct arena *a, struct value *list)
{
    const struct passwd *entry = getpwuid(geteuid());

    if (entry && entry->pw_dir)
        covers_add(a, list, str_copy(a, str_from_c(entry->pw_dir)));
}

const struct value *covers_list(struct arena *a, const struct value *daemon, struct str state_dir)
{
    const struct value *sources = value_get(daemon, S("sources"));
    struct value *list = value_list(a);

    covers_add_home(a, list);
    covers_add(a, list, state_dir);
    covers_add_file(a, list, value_get_text(daemon, S("socket"), S("")));
    covers_add(a, list,
               value_get_text(value_get(value_get(daemon, S("state")), S("backup")), S("directory"),
                              S("")));
    covers_add_each(a, list, value_get(daemon, S("providers")), "directory", covers_add);
    covers_add_stores(a, list, value_at(daemon, S("secrets.stores")));
    covers_add_each(a, list, sources, "key_file", covers_add_file);
    for (size_t i = 0; i < value_count(sources); i++) {
        struct str url = value_get_text(sources->u.map.entries[i].value, S("url"), S(""));

        if (str_starts(url, S("file://")))
            covers_add(a, list, str_slice(url, 7, url.n));
    }
    return list;
}
