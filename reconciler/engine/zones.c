/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/zones.h"

#include <stdlib.h>

#include "base/sys.h"

#define ZONES_DIR "/usr/share/zoneinfo"

int zones_read(struct arena *a, struct str name, struct tz *ret, struct err *err)
{
    const char *dir = getenv("TZDIR");
    struct str bytes;
    int rc;

    if (!tz_is_name(name))
        return err_set(err, ERR_NOT_FOUND, "'%.*s' is not the name of a time zone", STR_ARG(name));
    rc = sys_read_file(a, str_fmt(a, "%s/%.*s", dir ? dir : ZONES_DIR, STR_ARG(name)).p,
                       TZ_BYTES_MAX, &bytes, err);
    if (rc && rc != ERR_NOMEM)
        return err_set(err, ERR_NOT_FOUND,
                       "time zone '%.*s' is not installed here (package tzdata)", STR_ARG(name));
    return rc ? rc : tz_parse(a, name, bytes, ret, err);
}

int zones_is_there(struct str name)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct tz tz;

    arena_init(&a, 0);
    return !zones_read(&a, name, &tz, &err);
}

int zones_add(struct arena *a, const struct value *windows, struct map *zones, struct err *err)
{
    for (size_t i = 0; i < value_count(windows); i++) {
        struct str name = value_get_text(value_item(windows, i), S("tz"), S("UTC"));
        struct tz *tz = arena_new(a, struct tz);
        int rc;

        if (!tz)
            return arena_status(a, err);
        if (str_eq(name, S("UTC")) || map_has(zones, name))
            continue;
        rc = zones_read(a, name, tz, err);
        if (rc == ERR_NOMEM)
            return rc;
        if (!rc)
            map_put(zones, name, tz);
        *err = ERR_INIT;
    }
    return arena_status(a, err);
}
