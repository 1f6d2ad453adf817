/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/sign_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"

#define SIGN_TIMEOUT_MS 10000
#define SIGN_SAID_MAX 4096
#define SIGN_MEMORY_BYTES ((int64_t)256 << 20)

static const char *all_directories(const struct engine *e, struct arena *a)
{
    return str_fmt(a, "%.*s/sign", STR_ARG(e->state_dir)).p;
}

int sign_files_tidy(const struct engine *e, struct err *err)
{
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    return sys_remove_all(all_directories(e, &a), err);
}

int sign_files_make(struct sign_run *r, const struct engine *e, struct arena *a, struct err *err)
{
    const char *all = all_directories(e, a);
    char path[sizeof(r->dir)];
    int n = snprintf(path, sizeof(path), "%s/XXXXXX", all);

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_LIMIT, "the path of the state's directory is too long");
    if (sys_mkdir_all(all, 0700, err))
        return err->code;
    if (!mkdtemp(path))
        return err_sys(err, "make '%s'", path);
    memcpy(r->dir, path, sizeof(path));
    return 0;
}

const char *sign_files_path(const struct sign_run *r, struct arena *a, const char *name)
{
    return str_fmt(a, "%s/%s", r->dir, name).p;
}

void sign_files_remove(struct sign_run *r)
{
    struct err unused = ERR_INIT;

    if (r->dir[0])
        (void)sys_remove_all(r->dir, &unused); /* the next start does */
    r->dir[0] = '\0';
}

void sign_files_start(struct sign_run *r, struct task *t, struct arena *a, const char *const *argv,
                      struct str input)
{
    static const char *const no_env[] = { NULL };
    size_t n = 0;

    do {
        PRE(n < N_ELEMENTS(r->argv));
        r->argv[n] = argv[n];
    } while (argv[n++]);
    r->exec = (struct exec_request){ .argv = r->argv,
                                     .env = no_env,
                                     .input = input,
                                     .out_max = SIGN_SAID_MAX,
                                     .err_max = SIGN_SAID_MAX,
                                     .timeout_ms = SIGN_TIMEOUT_MS,
                                     .rlimit_as = SIGN_MEMORY_BYTES,
                                     .rlimit_cpu_s = SIGN_TIMEOUT_MS / 1000 };
    wait_exec_start(t, &r->exec, a, &r->result);
}
