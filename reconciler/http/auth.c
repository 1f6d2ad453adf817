/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/auth.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

#define NAME_BUFFER 16384
#define LOGINUID_NONE 4294967295
#define LINK_MAX_BYTES 128

static const struct {
    const char *field;
    unsigned roles;
} role_rows[] = {
    { "admin", AUTH_ALL },
    { "approver", AUTH_VIEWER | AUTH_APPROVER },
    { "operator", AUTH_VIEWER | AUTH_OPERATOR },
    { "viewer", AUTH_VIEWER },
};

const char *auth_role_names(unsigned roles)
{
    if (roles & AUTH_OPERATOR)
        return "operator or admin";
    if (roles & AUTH_APPROVER)
        return "approver or admin";
    return roles & AUTH_ADMIN ? "admin" : "viewer";
}

/* --- names --------------------------------------------------------------------------------------- */

static struct str user_name(struct arena *a, uid_t uid)
{
    char *buffer = arena_alloc(a, NAME_BUFFER);
    struct passwd entry, *found = NULL;

    if (buffer && !getpwuid_r(uid, &entry, buffer, NAME_BUFFER, &found) && found)
        return str_from_c(found->pw_name);
    return S("?"); /* the uid beside it says who */
}

static int user_is(struct arena *a, struct str name, uid_t uid)
{
    char *buffer = arena_alloc(a, NAME_BUFFER), *text = str_to_c(a, name);
    struct passwd entry, *found = NULL;

    return buffer && text && !getpwnam_r(text, &entry, buffer, NAME_BUFFER, &found) && found &&
           found->pw_uid == uid;
}

static int group_is(struct arena *a, struct str name, const struct http_peer *peer)
{
    char *buffer = arena_alloc(a, NAME_BUFFER), *text = str_to_c(a, name);
    struct group entry, *found = NULL;

    if (!buffer || !text || getgrnam_r(text, &entry, buffer, NAME_BUFFER, &found) || !found)
        return 0;
    for (size_t i = 0; i < peer->n_groups; i++)
        if (peer->groups[i] == found->gr_gid)
            return 1;
    return found->gr_gid == peer->gid;
}

static int principal_is(struct arena *a, struct str principal, const struct http_peer *peer)
{
    if (str_starts(principal, S("user:")))
        return user_is(a, str_slice(principal, 5, SIZE_MAX), peer->uid);
    if (str_starts(principal, S("group:")))
        return group_is(a, str_slice(principal, 6, SIZE_MAX), peer);
    return 0;
}

static void add_group(struct arena *a, struct value *list, gid_t gid)
{
    char *buffer = arena_alloc(a, NAME_BUFFER);
    struct group entry, *found = NULL;

    if (buffer && !getgrgid_r(gid, &entry, buffer, NAME_BUFFER, &found) && found)
        value_add(a, list, value_text(a, str_fmt(a, "group:%s", found->gr_name)));
}

/* What the actor can be called by: who signed in, and the groups of the one that asks. */
static struct value *principals_of(struct arena *a, uid_t uid, const struct http_peer *peer)
{
    struct value *list = value_list(a);

    value_add(a, list, value_text(a, str_fmt(a, "user:%.*s", STR_ARG(user_name(a, uid)))));
    add_group(a, list, peer->gid);
    for (size_t i = 0; i < peer->n_groups; i++)
        if (peer->groups[i] != peer->gid)
            add_group(a, list, peer->groups[i]);
    return list;
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

/* --- namespaces ---------------------------------------------------------------------------------- */

static int read_link(const char *path, char *ret)
{
    ssize_t n = readlink(path, ret, LINK_MAX_BYTES - 1);

    if (n < 0)
        return -1;
    ret[n] = 0;
    return 0;
}

/* Under our uid but elsewhere: a process of a namespace we made. Other uids cannot be looked at, and need
 * not be: they have no role by their uid. */
static int is_elsewhere(const struct http_peer *peer)
{
    static const char *const kinds[] = { "user", "pid" };

    if (peer->pid <= 0)
        return 1;
    if (peer->uid != geteuid() && geteuid() != 0)
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        char path[64], ours[LINK_MAX_BYTES], theirs[LINK_MAX_BYTES];

        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        if (read_link(path, ours))
            return 1;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)peer->pid, kinds[i]);
        if (read_link(path, theirs) || strcmp(ours, theirs))
            return 1;
    }
    return 0;
}

/* --- roles --------------------------------------------------------------------------------------- */

static unsigned find_roles(struct arena *a, const struct value *daemon,
                           const struct http_peer *peer)
{
    unsigned roles = AUTH_VIEWER;

    if (peer->uid == 0 || peer->uid == geteuid())
        return AUTH_ALL;
    for (size_t i = 0; i < N_ELEMENTS(role_rows); i++) {
        const struct value *list = value_get(value_at(daemon, S("auth.local")),
                                             str_from_c(role_rows[i].field));

        for (size_t j = 0; j < value_count(list); j++)
            if (principal_is(a, value_item(list, j)->u.text, peer))
                roles |= role_rows[i].roles;
    }
    return roles;
}

int auth_identify(struct arena *a, const struct value *daemon, const struct http_peer *peer,
                  struct auth_actor *ret, struct err *err)
{
    uid_t uid;

    if (peer->uid == (uid_t)-1)
        return err_set(err, ERR_REFUSED, "the kernel does not say who you are");
    if (is_elsewhere(peer))
        return err_set(err, ERR_REFUSED, "process %d lives in another namespace: not a person",
                       (int)peer->pid);
    uid = login_uid(a, peer);
    ret->name = str_fmt(a, "local:%.*s(%u)", STR_ARG(user_name(a, uid)), (unsigned)uid);
    ret->roles = find_roles(a, daemon, peer);
    ret->principals = principals_of(a, uid, peer);
    return arena_status(a, err);
}

int auth_identify_self(struct arena *a, const struct value *daemon, struct auth_actor *ret,
                       struct err *err)
{
    struct http_peer peer = { .uid = geteuid(), .gid = getegid(), .pid = getpid() };
    int n = getgroups(HTTP_GROUPS_MAX, peer.groups);

    peer.n_groups = n > 0 ? (size_t)n : 0;
    return auth_identify(a, daemon, &peer, ret, err);
}
