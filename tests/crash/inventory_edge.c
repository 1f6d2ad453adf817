/* What the haproxy driver left below `edge`, and what its proxy serves. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/crash/inventory.h"

#define ANSWER_MAX (1 << 20)
#define LINES_MAX 512

/* One command to the proxy's socket; its answer, or "". The text lives until the next call. */
static char *ask_proxy(const struct inventory *in, const char *command)
{
    static char answer[ANSWER_MAX];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t n = 0;
    ssize_t got;

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/edge/admin.sock", in->dir); /* short */
    if (fd >= 0 && !connect(fd, (const struct sockaddr *)&at, sizeof(at)) &&
        write(fd, command, strlen(command)) == (ssize_t)strlen(command))
        while (n < sizeof(answer) - 1 && (got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
            n += (size_t)got;
    if (fd >= 0)
        (void)close(fd); /* all was read */
    answer[n] = 0;
    return answer;
}

/* --- the file ------------------------------------------------------------------------------------ */

static void look_at_line(struct inventory *in, const char *line)
{
    char kind[32], id[96], owner[64];
    struct thing *t;

    if (sscanf(line, " # rv %31s %95s %63s", kind, id, owner) != 3 || !strcmp(kind, "edge"))
        return;
    t = inventory_find(in, kind, owner);
    if (!t)
        inventory_wrong(in, "orphan: the edge has %s %s of %s", kind, id, owner);
    else if (strcmp(t->id, id))
        inventory_wrong(in, "duplicate: %s/%s is %s, the edge has %s", kind, t->name, t->id, id);
    else
        t->n_found++;
}

static void look_at_file(struct inventory *in)
{
    static char line[ANSWER_MAX];
    char path[INVENTORY_PATH_MAX];
    FILE *f;

    inventory_path(path, "%s/edge/haproxy.cfg", in->dir);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        look_at_line(in, line);
    if (f)
        (void)fclose(f); /* it was only read */
}

/* --- maps ---------------------------------------------------------------------------------------- */

struct lines {
    char text[LINES_MAX][INVENTORY_TEXT_MAX];
    size_t n;
};

static void add_line(struct lines *l, const char *text)
{
    if (*text && l->n < LINES_MAX)
        (void)snprintf(l->text[l->n++], INVENTORY_TEXT_MAX, "%s", text);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void sort_lines(struct lines *l)
{
    qsort(l->text, l->n, sizeof(l->text[0]), compare_lines);
}

static void read_map_file(const struct inventory *in, const char *map, struct lines *ret)
{
    char path[INVENTORY_PATH_MAX], line[INVENTORY_TEXT_MAX];
    FILE *f;

    ret->n = 0;
    inventory_path(path, "%s/edge/%s", in->dir, map);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        add_line(ret, line);
    }
    if (f)
        (void)fclose(f); /* it was only read */
    sort_lines(ret);
}

/* `show map` puts an address before each entry. */
static void read_map_proxy(const struct inventory *in, const char *map, struct lines *ret)
{
    char command[64], *rest = NULL;

    ret->n = 0;
    (void)snprintf(command, sizeof(command), "show map %s\n", map);
    for (char *line = strtok_r(ask_proxy(in, command), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *space = strchr(line, ' ');

        if (space)
            add_line(ret, space + 1);
    }
    sort_lines(ret);
}

/* Generations are read from the front of entries of sets.map and from the values of gen.map. */
static void look_at_generation(struct inventory *in, const char *map, const char *line)
{
    const char *number = !strcmp(map, "gen.map") ? strrchr(line, ' ') : line;
    char name[32];

    if (strcmp(map, "gen.map") && strcmp(map, "sets.map"))
        return;
    (void)snprintf(name, sizeof(name), "G%d", number ? atoi(number) : -1);
    for (size_t i = 0; i < in->n_things; i++)
        if (!strcmp(in->things[i].kind, "routes") && !strcmp(in->things[i].name, name))
            return;
    inventory_wrong(in, "orphan: %s has '%s', and there is no routes/%s", map, line, name);
}

static void look_at_map(struct inventory *in, const char *map)
{
    static struct lines file, proxy;

    read_map_file(in, map, &file);
    read_map_proxy(in, map, &proxy);
    for (size_t i = 0; i < file.n; i++)
        look_at_generation(in, map, file.text[i]);
    if (file.n != proxy.n)
        inventory_wrong(in, "%s has %zu entries, the proxy %zu", map, file.n, proxy.n);
    for (size_t i = 0; i < file.n && i < proxy.n; i++)
        if (strcmp(file.text[i], proxy.text[i]))
            inventory_wrong(in, "%s has '%s', the proxy '%s'", map, file.text[i], proxy.text[i]);
}

/* --- slots: column 18 of `show stat` is the status, 74 the address ------------------------------------ */

#define STAT_STATUS 17
#define STAT_ADDRESS 73

static const char *stat_column(const char *line, int column, char *ret, size_t size)
{
    for (; column && line; column--)
        line = strchr(line, ',') ? strchr(line, ',') + 1 : NULL;
    (void)snprintf(ret, size, "%.*s", line ? (int)strcspn(line, ",\n") : 0, line ? line : "");
    return ret;
}

static int is_instance(const struct inventory *in, const char *address)
{
    for (size_t i = 0; i < in->n_things; i++)
        if (!strcmp(in->things[i].kind, "instance") && !strcmp(in->things[i].address, address))
            return 1;
    return 0;
}

static void look_at_slots(struct inventory *in)
{
    char name[64], status[64], address[64], *rest = NULL;
    size_t n = 0;

    for (const char *line = strtok_r(ask_proxy(in, "show stat\n"), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] != 'b' || stat_column(line, 1, name, sizeof(name))[0] != 's' ||
            !strncmp(stat_column(line, STAT_STATUS, status, sizeof(status)), "MAINT", 5))
            continue;
        n++;
        if (!is_instance(in, stat_column(line, STAT_ADDRESS, address, sizeof(address))))
            inventory_wrong(in, "orphan: the proxy has a server %s (%s)", address, status);
    }
    if (n != inventory_count(in, "instance"))
        inventory_wrong(in, "the proxy has %zu servers for %zu instances", n,
                        inventory_count(in, "instance"));
}

void inventory_compare_edge(struct inventory *in)
{
    static const char *const kinds[] = { "backend", "routes", "switch", "address" };
    static const char *const maps[] = { "r.map",     "gen.map",      "sets.map",
                                        "paths.map", "guard.map",    "rules.map",
                                        "users.map", "networks.map", "headers.map" };

    look_at_file(in);
    for (size_t i = 0; i < in->n_things; i++)
        for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
            if (!strcmp(in->things[i].kind, kinds[k]) && in->things[i].n_found != 1)
                inventory_wrong(in, "%s/%s: the edge has %d", kinds[k], in->things[i].name,
                                in->things[i].n_found);
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        look_at_map(in, maps[i]);
    look_at_slots(in);
}
