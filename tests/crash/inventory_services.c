/* What the process driver left below `services`. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/crash/inventory.h"

#define FILE_MAX 65536

/* The whole file, or "". */
static const char *read_file(const char *path)
{
    static char text[FILE_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        (void)close(fd); /* it was only read */
    text[n > 0 ? n : 0] = 0;
    return text;
}

typedef void entry_fn(struct inventory *in, const char *dir, const char *name);

static void each_entry(struct inventory *in, const char *path, entry_fn *fn)
{
    DIR *d = opendir(path);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            fn(in, path, e->d_name);
    if (d)
        (void)closedir(d); /* it was only read */
}

/* --- keepers ------------------------------------------------------------------------------------- */

/* Held: somebody lives there. */
static int is_locked(const char *dir)
{
    char path[INVENTORY_PATH_MAX];
    int fd, rc;

    inventory_path(path, "%s/lock", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    rc = flock(fd, LOCK_EX | LOCK_NB);
    (void)close(fd); /* and let go */
    return rc != 0;
}

static int count_text(const char *text, const char *word)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

static void look_at_keeper(struct inventory *in, const char *dir, const char *name)
{
    struct thing *t = inventory_find(in, "instance", name);
    char path[INVENTORY_PATH_MAX];
    int starts;

    if (!strcmp(name, ".gone"))
        return;
    if (!t) {
        inventory_wrong(in, "orphan: keeper directory %s", name);
        return;
    }
    t->n_found++;
    inventory_path(path, "%s/%s", dir, name);
    if (!is_locked(path))
        inventory_wrong(in, "nobody keeps %s/%s", t->kind, t->name);
    inventory_path(path, "%s/%s/log", dir, name);
    starts = count_text(read_file(path), "app: version ");
    if (starts != 1)
        inventory_wrong(in, "%s/%s was started %d times", t->kind, t->name, starts);
}

static void look_at_gone(struct inventory *in, const char *dir, const char *name)
{
    (void)dir;
    inventory_wrong(in, "orphan: a deleted keeper directory was left: %s", name);
}

/* --- ports --------------------------------------------------------------------------------------- */

static void look_at_port(struct inventory *in, const char *dir, const char *name)
{
    char path[INVENTORY_PATH_MAX], text[INVENTORY_TEXT_MAX], owner[64] = "", address[32];
    ssize_t n;
    const struct thing *t;

    inventory_path(path, "%s/%s", dir, name);
    n = readlink(path, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "used %63s", owner) != 1)
        return; /* free, and resting */
    (void)snprintf(address, sizeof(address), "127.0.0.1:%.12s", name);
    t = inventory_find(in, "instance", owner);
    if (!t)
        inventory_wrong(in, "orphan: port %s is used by %s", name, owner);
    else if (strcmp(t->address, address))
        inventory_wrong(in, "duplicate: %s has port %s and address %s", t->name, name, t->address);
}

/* --- processes ----------------------------------------------------------------------------------- */

static int n_keepers, n_kept;

/* Keepers carry their directory as argument; what they keep works below it. */
static void look_at_process(struct inventory *in, const char *dir, const char *name)
{
    char path[INVENTORY_PATH_MAX], cwd[INVENTORY_PATH_MAX], run[INVENTORY_PATH_MAX];
    const char *text, *argument;
    ssize_t n;

    if (name[0] < '1' || name[0] > '9')
        return;
    inventory_path(run, "%s/services/run/", in->dir);
    inventory_path(path, "%s/%s/cmdline", dir, name);
    text = read_file(path);
    argument = text + strlen(text) + 1;
    n_keepers += strstr(text, "keeper") && !strncmp(argument, run, strlen(run));
    inventory_path(path, "%s/%s/cwd", dir, name);
    n = readlink(path, cwd, sizeof(cwd) - 1);
    cwd[n > 0 ? n : 0] = 0;
    n_kept += !strncmp(cwd, run, strlen(run));
}

void inventory_compare_services(struct inventory *in)
{
    char path[INVENTORY_PATH_MAX];
    int n = (int)inventory_count(in, "instance");

    inventory_path(path, "%s/services/run", in->dir);
    each_entry(in, path, look_at_keeper);
    inventory_path(path, "%s/services/run/.gone", in->dir);
    each_entry(in, path, look_at_gone);
    inventory_path(path, "%s/services/ports", in->dir);
    each_entry(in, path, look_at_port);
    each_entry(in, "/proc", look_at_process);
    for (size_t i = 0; i < in->n_things; i++)
        if (!strcmp(in->things[i].kind, "instance") && in->things[i].n_found != 1)
            inventory_wrong(in, "instance/%s is not there", in->things[i].name);
    if (n_keepers != n)
        inventory_wrong(in, "%d keepers run for %d instances", n_keepers, n);
    if (n_kept != n)
        inventory_wrong(in, "%d processes run for %d instances", n_kept, n);
}
