/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/guard.h"

#define SERVICE_HAND_MIN 64 /* descriptors are moved above those that they shall become */

static const struct {
    const char *lent, *own;
} service_doors[N_HTTP_DOORS] = {
    [HTTP_DOOR_SOCKET] = { "socket", "own.socket" },
    [HTTP_DOOR_API] = { "api", "own.api" },
    [HTTP_DOOR_HOOKS] = { "hooks", "own.hooks" },
};

/* --- sockets ------------------------------------------------------------------------------------- */

static int service_take(struct http_given *doors, int fd, const char *name, struct err *err)
{
    size_t door = 0;

    while (door < N_HTTP_DOORS && strcmp(name, service_doors[door].lent) &&
           strcmp(name, service_doors[door].own))
        door++;
    if (door == N_HTTP_DOORS)
        return err_set(err, ERR_INVALID,
                       "a socket named '%s' was given: it is socket, api or hooks", name);
    if (doors[door].fd >= 0)
        return err_set(err, ERR_INVALID, "two sockets named '%s' were given", name);
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return err_set(err, ERR_INVALID, "what was given as '%s' is no socket that listens", name);
    doors[door] = (struct http_given){ .fd = fd,
                                       .is_lent = !strcmp(name, service_doors[door].lent) };
    return 0;
}

static void service_names_free(char **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int service_sockets(struct http_given *ret, struct err *err)
{
    char **names = NULL;
    int n, rc = 0;

    for (size_t door = 0; door < N_HTTP_DOORS; door++)
        ret[door] = (struct http_given){ .fd = -1 };
    n = sd_listen_fds_with_names(1, &names);
    if (n < 0)
        return err_set(err, ERR_IO, "sockets that were given: %s", strerror(-n));
    for (int i = 0; i < n && !rc; i++)
        rc = service_take(ret, SD_LISTEN_FDS_START + i, names[i], err);
    service_names_free(names, n);
    return rc;
}

static int service_move(int fd, int to, struct err *err)
{
    if (dup2(fd, to) < 0) /* the copy outlives the program */
        return err_sys(err, "hand a socket on");
    return 0;
}

int service_hand(const struct http_given *doors, struct err *err)
{
    char names[128] = "", count[16], pid[16];
    int high[N_HTTP_DOORS], n = 0, rc = 0;

    for (size_t door = 0; door < N_HTTP_DOORS; door++) {
        size_t used = strlen(names);

        if (doors[door].fd < 0)
            continue;
        high[n] = fcntl(doors[door].fd, F_DUPFD_CLOEXEC, SERVICE_HAND_MIN);
        if (high[n++] < 0)
            return err_sys(err, "hand a socket on");
        (void)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ":" : "",
                       doors[door].is_lent ? service_doors[door].lent : service_doors[door].own);
    }
    for (int i = 0; i < n && !rc; i++)
        rc = service_move(high[i], SD_LISTEN_FDS_START + i, err);
    (void)snprintf(count, sizeof(count), "%d", n);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (!rc && (setenv("LISTEN_FDS", count, 1) || setenv("LISTEN_PID", pid, 1) ||
                setenv("LISTEN_FDNAMES", names, 1)))
        rc = err_sys(err, "hand sockets on");
    return rc;
}

/* --- signs of life ------------------------------------------------------------------------------- */

static void service_live(void *ctx)
{
    struct service *s = ctx;

    (void)sd_notify(0, "WATCHDOG=1"); /* who does not hear it restarts us */
    loop_timer_set(s->alive, loop_mono_ms(s->loop) + s->every_ms);
}

int service_ready(struct service *s, struct loop *loop, struct err *err)
{
    uint64_t within_us = 0;

    *s = (struct service){ .loop = loop };
    if (sd_watchdog_enabled(0, &within_us) > 0) {
        s->every_ms = (int64_t)(within_us / 1000 / 2);
        s->alive = loop_timer_new(loop, service_live, s);
        if (!s->alive)
            return err_set(err, ERR_NOMEM, "service: out of memory");
        service_live(s);
    }
    (void)sd_notify(0, "READY=1\nSTATUS=serving"); /* nobody need listen */
    return 0;
}

void service_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

void service_fini(struct service *s)
{
    if (s->alive)
        loop_timer_free(TAKE(s->alive));
}
