/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/zone_check.h"

#include "base/guard.h"

static const struct str zone_paths[] = {
    S_INIT("approval.freeze.*.tz"),       S_INIT("approval.windows.downtime.*.tz"),
    S_INIT("notifications.*.quiet.*.tz"), S_INIT("jobs.*.tz"),
    S_INIT("databases.*.refresh.tz"),     S_INIT("backups.*.tz"),
    S_INIT("backups.*.restore_drill.tz"), S_INIT("environments.*.floor.freeze.*.tz"),
};

static void zone_look(struct spec_messages *m, const struct value *v, struct str path,
                      spec_zone_is_there *is_there)
{
    struct str name;

    if (!v)
        return;
    if (!str_next(&path, '.', &name)) {
        if (value_is(v, VALUE_TEXT) && !str_eq_c(v->u.text, "UTC") && !is_there(v->u.text))
            spec_message_add(m, SPEC_ERROR, v->place, S("zone"), STR_NONE,
                             "time zone '%.*s' is not installed here (package tzdata)",
                             STR_ARG(v->u.text));
        return;
    }
    if (!str_eq_c(name, "*")) {
        zone_look(m, value_get(v, name), path, is_there);
        return;
    }
    for (size_t i = 0; i < value_count(v); i++)
        zone_look(m, v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value, path,
                  is_there);
}

void zone_check(struct spec_messages *m, const struct value *document, spec_zone_is_there *is_there)
{
    for (size_t i = 0; i < N_ELEMENTS(zone_paths); i++)
        zone_look(m, document, zone_paths[i], is_there);
}
