/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/admit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"

#define LINK_MAX_BYTES 128
#define LINE_MAX_BYTES 256

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

/* The first line of /proc/WHO/FILE that begins so. */
static int read_line(const char *who, const char *file, const char *begins, char *ret)
{
    char path[64];
    FILE *f;
    int found = 0;

    (void)snprintf(path, sizeof(path), "/proc/%s/%s", who, file);
    f = fopen(path, "re");
    while (f && !found && fgets(ret, LINE_MAX_BYTES, f))
        found = str_starts(str_from_c(ret), str_from_c(begins));
    if (f)
        (void)fclose(f);
    return found ? 0 : -1;
}

static size_t count_words(struct str line)
{
    size_t n = 0;

    for (size_t i = 0; i < line.n; i++)
        n += !strchr(" \t\n", line.p[i]) && (!i || strchr(" \t\n", line.p[i - 1]));
    return n;
}

/* Nobody looks into a daemon, a standby that follows us neither, but its numbers are not secret: as many process
 * ids as we have, and our users. Without privileges nobody makes a namespace that maps them all. */
static int is_shut_elsewhere(const char *who)
{
    char ours[LINE_MAX_BYTES], theirs[LINE_MAX_BYTES];

    if (read_line("self", "status", "NSpid:", ours) || read_line(who, "status", "NSpid:", theirs) ||
        count_words(str_from_c(ours)) != count_words(str_from_c(theirs)))
        return 1;
    return read_line("self", "uid_map", "", ours) || read_line(who, "uid_map", "", theirs) ||
           strcmp(ours, theirs);
}

/* Under our uid but elsewhere: a process of a namespace we made. Other uids cannot be looked at, and need
 * not be: they have no role by their uid. */
static int is_elsewhere(const struct http_peer *peer)
{
    static const char *const kinds[] = { "user", "pid" };
    char who[16];

    if (peer->pid <= 0)
        return 1;
    if (peer->uid != geteuid() && geteuid() != 0)
        return 0;
    (void)snprintf(who, sizeof(who), "%d", (int)peer->pid);
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        char path[64], ours[LINK_MAX_BYTES], theirs[LINK_MAX_BYTES];

        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        if (read_link(path, ours))
            return 1;
        (void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", who, kinds[i]);
        if (read_link(path, theirs))
            return errno != EACCES || is_shut_elsewhere(who);
        if (strcmp(ours, theirs))
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
