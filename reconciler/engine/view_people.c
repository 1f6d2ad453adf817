/* Who signs in, and where they did. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_rows.h"

static int add_person(const struct view *v, struct str name, const struct value *about,
                      struct value *list, struct err *err)
{
    struct rec_password password = { .person = name };
    struct value *one = value_map(v->a);
    struct rec_lockout *lockouts;
    struct rec_session *sessions;
    size_t n_sessions, n_lockouts;
    int rc = db_get(v->db, v->a, REC_password, &password, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    err->code = 0;
    if (DB_SELECT(v->db, v->a, session, "WHERE person = $1", &sessions, &n_sessions, err,
                  DB_T(name)) ||
        DB_SELECT(v->db, v->a, lockout,
                  "WHERE person = $1 AND until_ms > $2 ORDER BY until_ms DESC LIMIT 1", &lockouts,
                  &n_lockouts, err, DB_T(name), DB_I(v->now_ms)))
        return err->code;
    value_set_text(v->a, one, S("name"), name);
    view_set(v, one, "local", value_get_text(about, S("local"), S("")));
    view_set(v, one, "oidc", value_get_text(about, S("oidc"), S("")));
    if (!rc)
        value_set_int(v->a, one, S("password_ms"), password.changed_ms);
    value_set_int(v->a, one, S("sessions"), (int64_t)n_sessions);
    if (n_lockouts)
        value_set_int(v->a, one, S("locked_until_ms"), lockouts[0].until_ms);
    value_add(v->a, list, one);
    return 0;
}

int view_people(const struct view *v, const struct value *people, struct value **ret,
                struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);

    for (size_t i = 0; i < value_count(people); i++)
        if (add_person(v, people->u.map.entries[i].key, people->u.map.entries[i].value, list, err))
            return err->code;
    value_set(v->a, map, S("people"), list);
    *ret = map;
    return arena_status(v->a, err);
}

int view_sessions(const struct view *v, struct str person, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_session *rows;
    size_t n;

    if (DB_SELECT(v->db, v->a, session, "WHERE person = $1 ORDER BY made_ms DESC", &rows, &n, err,
                  DB_T(person)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("address"), rows[i].address);
        value_set_text(v->a, one, S("by"), rows[i].subject.n ? S("oidc") : S("password"));
        value_set_int(v->a, one, S("made_ms"), rows[i].made_ms);
        value_set_int(v->a, one, S("used_ms"), rows[i].used_ms);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("sessions"), list);
    *ret = map;
    return arena_status(v->a, err);
}
