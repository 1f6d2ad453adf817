/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/auth.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/sys.h"

#define NAME_BUFFER 16384
#define GROUP_BUFFER_MAX ((size_t)4 << 20) /* of one with many members */
#define LOGINUID_NONE 4294967295

/* --- names --------------------------------------------------------------------------------------- */

static struct str user_name(struct arena *a, uid_t uid)
{
    char *buffer = arena_alloc(a, NAME_BUFFER);
    struct passwd entry, *found = NULL;

    if (buffer && !getpwuid_r(uid, &entry, buffer, NAME_BUFFER, &found) && found)
        return str_from_c(found->pw_name);
    return S("?"); /* the uid beside it says who */
}

/* The uid that signed in before it became root; `uid` itself where there is none. */
static uid_t login_uid(struct arena *a, const struct http_peer *peer)
{
    struct err err = ERR_INIT;
    struct str text;
    int64_t number;

    if (peer->uid != 0 || peer->pid <= 0)
        return peer->uid;
    if (sys_read_file(a, str_fmt(a, "/proc/%d/loginuid", (int)peer->pid).p, 64, &text, &err) ||
        str_to_i64(str_trim(text), &number) || number < 0 || number >= LOGINUID_NONE)
        return peer->uid;
    return (uid_t)number;
}

/* --- principals ---------------------------------------------------------------------------------- */

static void add_user(struct arena *a, struct value *list, uid_t uid)
{
    value_add(a, list, value_text(a, str_fmt(a, "user:%.*s", STR_ARG(user_name(a, uid)))));
}

static void add_group(struct arena *a, struct value *list, gid_t gid)
{
    struct group entry, *found = NULL;
    size_t n = NAME_BUFFER;
    int rc;

    do {
        char *buffer = arena_alloc(a, n);

        rc = buffer ? getgrgid_r(gid, &entry, buffer, n, &found) : ENOMEM;
        n *= 4;
    } while (rc == ERANGE && n <= GROUP_BUFFER_MAX);
    if (!rc && found)
        value_add(a, list, value_text(a, str_fmt(a, "group:%s", found->gr_name)));
}

/* What the actor can be called by: who is connected, who signed in, and the groups. */
static struct value *principals_of(struct arena *a, const struct http_peer *peer, uid_t login)
{
    struct value *list = value_list(a);

    add_user(a, list, peer->uid);
    if (login != peer->uid)
        add_user(a, list, login);
    add_group(a, list, peer->gid);
    for (size_t i = 0; i < peer->n_groups; i++)
        if (peer->groups[i] != peer->gid)
            add_group(a, list, peer->groups[i]);
    return list;
}

static int is_listed(const struct value *list, const struct value *principals)
{
    for (size_t i = 0; i < value_count(list); i++)
        for (size_t j = 0; j < value_count(principals); j++)
            if (value_eq(value_item(list, i), value_item(principals, j)))
                return 1;
    return 0;
}

int auth_identify(struct arena *a, const struct value *daemon, const struct http_peer *peer,
                  struct auth_actor *ret, struct err *err)
{
    const struct value *local = value_at(daemon, S("auth.local"));
    uid_t login = login_uid(a, peer);

    *ret = (struct auth_actor){ .kind = AUTH_LOCAL };
    ret->name = str_fmt(a, "local:%.*s(%u)", STR_ARG(user_name(a, login)), (unsigned)login);
    ret->principals = principals_of(a, peer, login);
    ret->may_break_glass = is_listed(value_at(daemon, S("auth.break_glass")), ret->principals);
    if (local)
        return auth_grant(a, local, AUTH_VIEWER, ret, err);
    ret->roles = peer->uid == 0 || peer->uid == geteuid() ? AUTH_ALL : AUTH_VIEWER;
    return arena_status(a, err);
}
