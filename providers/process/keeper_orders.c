/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/keeper.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int keeper_signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } rows[] = { { "TERM", SIGTERM }, { "INT", SIGINT },    { "QUIT", SIGQUIT },
                 { "HUP", SIGHUP },   { "USR1", SIGUSR1 },  { "USR2", SIGUSR2 },
                 { "KILL", SIGKILL }, { "WINCH", SIGWINCH } };

    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!strcmp(name, rows[i].name))
            return rows[i].number;
    return SIGTERM;
}

struct keeper_counts {
    size_t argv, env, once;
};

static void keeper_order(struct keeper_orders *o, const char *name, char *value,
                         struct keeper_counts *n)
{
    if (!strcmp(name, "arg"))
        o->argv[n->argv++] = value;
    else if (!strcmp(name, "env"))
        o->env[n->env++] = value;
    else if (!strcmp(name, "once"))
        o->once[n->once++] = value;
    else if (!strcmp(name, "dir"))
        o->dir = value;
    else if (!strcmp(name, "restart"))
        o->restart_always = !strcmp(value, "always");
    else if (!strcmp(name, "signal"))
        o->stop_signal = keeper_signal_number(value);
    else if (!strcmp(name, "grace"))
        o->grace_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "timeout"))
        o->timeout_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "log"))
        o->log_bytes = strtoll(value, NULL, 10);
    else if (!strcmp(name, "keep"))
        o->log_keep_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "leave"))
        o->leave_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "launch"))
        o->n_launch = (int)strtol(value, NULL, 10);
    else if (!strcmp(name, "epoch"))
        o->epoch = strtoull(value, NULL, 10);
}

void keeper_orders_forget(struct keeper_orders *o)
{
    if (o->text)
        explicit_bzero(o->text, o->n_text); /* values may be secret */
    free(o->text);
    free(o->argv);
    free(o->env);
    free(o->once);
    *o = (struct keeper_orders){ 0 };
}

int keeper_orders_read(int fd, struct keeper_orders *ret)
{
    struct keeper_orders o = { .stop_signal = SIGTERM, .grace_ms = 10000, .log_bytes = 4 << 20 };
    struct stat st;
    struct keeper_counts counts = { 0 };
    size_t n, n_texts = 0;

    if (fstat(fd, &st) || st.st_size < 1 || st.st_size > KEEPER_INPUT_MAX)
        return -1;
    n = (size_t)st.st_size;
    o.n_text = n;
    o.text = calloc(n + 1, 1);
    if (o.text && pread(fd, o.text, n, 0) == st.st_size && !o.text[n - 1]) {
        for (size_t i = 0; i < n; i++)
            n_texts += !o.text[i];
        o.argv = calloc(n_texts / 2 + 1, sizeof(char *));
        o.env = calloc(n_texts / 2 + 1, sizeof(char *));
        o.once = calloc(n_texts / 2 + 1, sizeof(char *));
    }
    for (char *at = o.text; o.argv && o.env && o.once && n_texts >= 2; n_texts -= 2) {
        char *value = at + strlen(at) + 1;

        keeper_order(&o, at, value, &counts);
        at = value + strlen(value) + 1;
    }
    if (!o.dir || o.n_launch < 0 || counts.argv <= (size_t)o.n_launch) {
        keeper_orders_forget(&o);
        return -1;
    }
    *ret = o;
    return 0;
}
