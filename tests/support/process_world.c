/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/process_world.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/api/drivers.h"
#include "tests/support/test_ports.h"

void world_init(struct world *w, unsigned n_ports)
{
    struct rv_result ret = { .size = sizeof(ret) };
    const char *keeper = getenv("REEVE_KEEPER");
    char full[256];

    memset(w, 0, sizeof(*w));
    assert_non_null(keeper);
    assert_non_null(realpath(keeper, full));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rvpXXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->port_from = test_ports(n_ports);
    assert_true(w->port_from);
    w->port_to = w->port_from + n_ports - 1;
    test_host_init(&w->t);
    w->driver = process_driver();
    (void)snprintf(w->config, sizeof(w->config),
                   "{\"directory\":\"%s\",\"keeper\":\"%s\",\"ports\":\"%u-%u\"}", w->dir, full,
                   w->port_from, w->port_to);
    assert_int_equal(w->driver->open(&w->t.host, test_rv(w->config), 1, &w->self, &ret), 0);
}

static void world_end_keepers(struct world *w)
{
    DIR *runs = opendir(str_fmt(&w->t.arena, "%s/run", w->dir).p);
    struct dirent *entry;

    while (runs && (entry = readdir(runs))) {
        pid_t keeper = (pid_t)world_state(w, entry->d_name, "keeper");
        pid_t child = (pid_t)world_state(w, entry->d_name, "pid");

        if (keeper > 1)
            (void)kill(keeper, SIGKILL);
        if (child > 1)
            (void)kill(-child, SIGKILL);
    }
    if (runs)
        closedir(runs);
}

void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    world_end_keepers(w);
    w->driver->close(w->self);
    (void)sys_remove_all(w->dir, &err);
    test_host_fini(&w->t);
}

const char *world_file(struct world *w, const char *path)
{
    struct err err = ERR_INIT;
    struct str text;

    if (sys_read_file(&w->t.arena, str_fmt(&w->t.arena, "%s/%s", w->dir, path).p, 16u << 20, &text,
                      &err))
        return "";
    return text.p;
}

void world_write(struct world *w, const char *path, const char *text)
{
    char *full = str_to_c(&w->t.arena, str_fmt(&w->t.arena, "%s/%s", w->dir, path));
    char *slash = strrchr(full, '/');
    struct err err = ERR_INIT;

    *slash = 0;
    assert_int_equal(sys_mkdir_all(full, 0755, &err), 0);
    *slash = '/';
    assert_int_equal(sys_write_file(full, 0644, str_from_c(text), &err), 0);
}

int world_has(struct world *w, const char *path)
{
    return sys_exists(str_fmt(&w->t.arena, "%s/%s", w->dir, path).p);
}

int64_t world_state(struct world *w, const char *owner, const char *name)
{
    const char *text = world_file(w, str_fmt(&w->t.arena, "run/%s/state", owner).p);
    const char *at = strstr(text, str_fmt(&w->t.arena, "\"%s\":", name).p);

    return at ? atoll(at + strlen(name) + 3) : -1;
}

void world_wait(struct world *w, int (*fn)(struct world *w, void *ctx), void *ctx, const char *what)
{
    int64_t until_ms = sys_mono_ms() + 30000;

    while (!fn(w, ctx)) {
        if (sys_mono_ms() > until_ms)
            fail_msg("waited in vain until %s", what);
        (void)poll(NULL, 0, 5);
    }
}

int world_is_dead(struct world *w, void *pid)
{
    char path[32], text[256] = "", *at;
    FILE *f;

    (void)w;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)pid);
    f = fopen(path, "re");
    if (!f)
        return 1;
    at = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
    fclose(f);
    return !at || at[2] == 'Z'; /* init has not looked yet */
}

void world_skip_where_impossible(const struct rv_result *ret)
{
    static const char *const impossible[] = { "isolation: no user namespaces", "isolation: a /proc",
                                              "view of the machine: Operation not permitted",
                                              "view of the machine: Function not implemented" };

    for (size_t i = 0; i < N_ELEMENTS(impossible); i++)
        if (test_rv_has(ret->message, impossible[i])) {
            print_message("SKIPPED: %.*s\n", (int)ret->message.n, ret->message.p);
            skip();
        }
}
