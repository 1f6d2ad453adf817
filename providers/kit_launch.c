/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_launch.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/guard.h"

static const char *const kit_launch_words[] = {
    [LAUNCH_NONE] = "none", [LAUNCH_NAMESPACE] = "namespace", [LAUNCH_UID] = "uid"
};

enum launch_class kit_launch_class(struct str word)
{
    for (size_t i = 0; i < N_ELEMENTS(kit_launch_words); i++)
        if (str_eq_c(word, kit_launch_words[i]))
            return (enum launch_class)i;
    return LAUNCH_N_CLASSES;
}

int kit_launch_add(struct launch *plan, enum launch_how how, struct str path, struct err *err)
{
    struct launch_place *place = &plan->places[plan->n_places];

    if (plan->n_places == LAUNCH_PLACES_MAX || path.n >= LAUNCH_PATH_MAX)
        return err_set(err, ERR_LIMIT, "isolation: '%.*s' is too long or one too many",
                       STR_ARG(path));
    if (!path.n || path.p[0] != '/' || memchr(path.p, 0, path.n))
        return err_set(err, ERR_INVALID, "isolation: '%.*s' is no absolute path", STR_ARG(path));
    place->how = how;
    memcpy(place->path, path.p, path.n); /* the rest is zero */
    plan->n_places++;
    return 0;
}

int kit_launch_add_group(struct launch *plan, struct str path, struct err *err)
{
    if (plan->n_groups == LAUNCH_GROUPS_MAX || path.n >= LAUNCH_PATH_MAX)
        return err_set(err, ERR_LIMIT, "limits: '%.*s' is too long or one too many", STR_ARG(path));
    memcpy(plan->groups[plan->n_groups++], path.p, path.n); /* the rest is zero */
    return 0;
}

int kit_launch_write(const struct launch *plan, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("plan", MFD_CLOEXEC);

    if (fd < 0 || write(fd, plan, sizeof(*plan)) != (ssize_t)sizeof(*plan))
        return err_sys(err, "hand over the plan of isolation");
    *ret_fd = TAKE_FD(fd);
    return 0;
}
