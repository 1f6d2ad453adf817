/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/admit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"

#define LINK_MAX_BYTES 128

int admit_is_of_range(struct str range, uid_t uid)
{
    struct str rest = range, part;
    int64_t first, last;

    return str_next(&rest, '-', &part) && !str_to_i64(part, &first) && !str_to_i64(rest, &last) &&
           uid >= first && uid <= last;
}

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

int admit_peer(const struct value *daemon, const struct http_peer *peer, struct err *err)
{
    if (peer->uid == (uid_t)-1)
        return err_set(err, ERR_REFUSED, "the kernel does not say who is connected");
    if (admit_is_of_range(value_get_text(daemon, S("uids"), S("")), peer->uid))
        return err_set(err, ERR_REFUSED, "uid %u is one that environments run as: not a person",
                       (unsigned)peer->uid);
    if (is_elsewhere(peer))
        return err_set(err, ERR_REFUSED, "process %d lives in another namespace: not a person",
                       (int)peer->pid);
    return 0;
}
