/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/programs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/str.h"

#define PROGRAMS_PATH_BYTES 4096

static struct str programs_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    return (struct str){ path, slash ? (size_t)(slash - path) : 0 };
}

int programs_find_self(struct arena *a, const char **ret, struct err *err)
{
    char path[PROGRAMS_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_sys(err, "path of this program");
    *ret = str_to_c(a, (struct str){ path, (size_t)n });
    return arena_status(a, err);
}

int programs_find_keeper(struct arena *a, const char *self, const char **ret, struct err *err)
{
    const char *named = getenv("REEVE_KEEPER");
    struct str dir = programs_dir(self);
    const char *const places[] = {
        named && *named ? named : NULL,
        str_fmt(a, "%.*s/keeper", STR_ARG(dir)).p,
        str_fmt(a, "%.*s/../libexec/reeve/keeper", STR_ARG(dir)).p,
    };

    for (size_t i = 0; i < N_ELEMENTS(places); i++)
        if (places[i] && !access(places[i], X_OK)) {
            *ret = places[i];
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "no keeper program beside '%s': set $REEVE_KEEPER", self);
}

const char *programs_beside(struct arena *a, const char *keeper, const char *name)
{
    return str_fmt(a, "%.*s/%s", STR_ARG(programs_dir(keeper)), name).p;
}
