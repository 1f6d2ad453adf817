/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

/* The text of ports/N: "used <owner label> <environment uid>", or "free <wall ms> <environment uid>". */
#define PORTS_TEXT_MAX 160

struct port_row {
    unsigned char is_used, rests;
};

static struct str ports_environment(const struct process_call *c)
{
    const struct value *label = value_get(c->desired, S("label"));

    if (!label)
        label = value_get(c->view.about, S("label"));
    return value_get_text(label, S("env_uid"), S("-"));
}

static struct str ports_read(struct process_call *c, const char *name, struct str *ret_who,
                             struct str *ret_env)
{
    char *text = arena_alloc(&c->arena, PORTS_TEXT_MAX);
    const char *path = str_fmt(&c->arena, "%.*s/%s", STR_ARG(c->self->ports), name).p;
    ssize_t n = text && path ? readlink(path, text, PORTS_TEXT_MAX - 1) : -1;
    struct str rest = { text, n > 0 ? (size_t)n : 0 }, word = S("");

    *ret_who = *ret_env = S("");
    (void)str_next(&rest, ' ', &word);
    (void)str_next(&rest, ' ', ret_who);
    (void)str_next(&rest, ' ', ret_env);
    return word;
}

/* Nobody else listens there now. */
static int ports_probe(int64_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    return fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
           !bind(fd, (struct sockaddr *)&at, sizeof(at));
}

/* Fill `rows` (one a port of the range); returns our own port, or 0. */
static int64_t ports_scan(struct process_call *c, struct port_row *rows)
{
    DIR *dir = opendir(str_to_c(&c->arena, c->self->ports));
    struct str who, env, mine = ports_environment(c);
    int64_t now_ms = sys_wall_ms(), found = 0, since_ms;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        int64_t port = atoi(entry->d_name);
        struct str word;

        if (port < c->self->port_from || port > c->self->port_to)
            continue;
        word = ports_read(c, entry->d_name, &who, &env);
        if (str_eq(word, S("used"))) {
            rows[port - c->self->port_from].is_used = 1;
            if (str_eq(who, c->place.owner))
                found = port;
        } else if (!str_eq(env, mine) && !str_to_i64(who, &since_ms)) {
            rows[port - c->self->port_from].rests = now_ms < since_ms + PROCESS_PORT_REST_MS;
        }
    }
    if (dir)
        (void)closedir(dir); /* only read */
    return found;
}

static int ports_link(struct process_call *c, int64_t port, struct str text)
{
    struct err err = ERR_INIT;
    const char *path = str_fmt(&c->arena, "%.*s/%lld", STR_ARG(c->self->ports), (long long)port).p;
    const char *temp = str_fmt(&c->arena, "%.*s/.new", STR_ARG(c->self->ports)).p;

    if (arena_status(&c->arena, &err))
        return process_fail_err(c, RV_ACTED_MAYBE, &err);
    (void)unlink(temp); /* of one that died here; the lock is ours */
    if (symlink(text.p, temp) || rename(temp, path)) {
        (void)err_sys(&err, "take port %lld", (long long)port);
        return process_fail_err(c, RV_ACTED_MAYBE, &err);
    }
    return 0;
}

static int ports_choose(struct process_call *c, const struct port_row *rows, int64_t preferred,
                        int64_t *ret)
{
    int64_t from = c->self->port_from, to = c->self->port_to;
    int64_t used = 0, resting = 0, busy = 0;

    if (preferred >= from && preferred <= to && !rows[preferred - from].is_used &&
        ports_probe(preferred)) {
        *ret = preferred;
        return 0;
    }
    for (int64_t port = from; port <= to; port++) {
        if (rows[port - from].is_used) {
            used++;
        } else if (rows[port - from].rests) {
            resting++;
        } else if (ports_probe(port)) {
            *ret = port;
            return 0;
        } else {
            busy++;
        }
    }
    return process_fail(c, RV_WAIT, RV_ACTED_NO,
                        "no free port in %lld-%lld: %lld used, %lld held by other programs, %lld "
                        "rest for 24 h after another environment",
                        (long long)from, (long long)to, (long long)used, (long long)busy,
                        (long long)resting);
}

int process_port_take(struct process_call *c, int64_t preferred, int64_t *ret)
{
    AUTO_CLOSE int lock = -1;
    struct port_row *rows = arena_new_n(&c->arena, struct port_row,
                                        (size_t)(c->self->port_to - c->self->port_from + 1));
    int64_t port;

    if (!rows)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "out of memory");
    if (process_lock(c, c->self->ports, &lock))
        return (int)c->ret->verdict;
    port = ports_scan(c, rows);
    if (!port) {
        struct str env = ports_environment(c);

        if (ports_choose(c, rows, preferred, &port) ||
            ports_link(c, port,
                       str_fmt(&c->arena, "used %.*s %.*s", STR_ARG(c->place.owner), STR_ARG(env))))
            return (int)c->ret->verdict;
    }
    *ret = port;
    return 0;
}

int process_port_release(struct process_call *c)
{
    AUTO_CLOSE int lock = -1;
    struct port_row *rows = arena_new_n(&c->arena, struct port_row,
                                        (size_t)(c->self->port_to - c->self->port_from + 1));
    int64_t port;
    struct str who, env;

    if (!rows)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "out of memory");
    if (!sys_exists(str_to_c(&c->arena, c->self->ports)))
        return 0;
    if (process_lock(c, c->self->ports, &lock))
        return (int)c->ret->verdict;
    while ((port = ports_scan(c, rows))) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%lld", (long long)port);
        (void)ports_read(c, name, &who, &env);
        if (ports_link(
                c, port,
                str_fmt(&c->arena, "free %lld %.*s", (long long)sys_wall_ms(), STR_ARG(env))))
            return (int)c->ret->verdict;
    }
    return 0;
}
