/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/doctor_isolation.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/cli/groups.h"
#include "reconciler/cli/isolation.h"
#include "reconciler/cli/programs.h"

struct look {
    struct cli *c;
    doctor_found *found;
    void *ctx;
    struct kit_parents groups;
};

/* The classes of isolation, and which of them this machine can give. */
static const struct {
    const char *word, *gives, *mend;
} isolation_rows[] = {
    { "none", "the daemon's user, and all that it sees: for development", "" },
    { "namespace",
      "the daemon's user, with files and processes of its own; the network and its ports are "
      "shared",
      "sysctl kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0; in a "
      "container, one that may make them" },
    { "uid", "a user for each environment, and all of namespace; no port of another user is shared",
      "start the daemon (and reeve doctor) as root, with user: and uids: in the configuration, and "
      "a "
      "rule that says isolation: uid" },
};
#define MEND_ROOT "name a user that is not root: 'user:' in the configuration"

static void look_at_classes(struct look *l)
{
    struct arena *a = l->c->arena;
    struct isolation_grant grant = { .fd = -1 };
    const char *self, *keeper;
    struct err err = ERR_INIT;
    struct str groups;

    if (programs_find_self(a, &self, &err) || programs_find_keeper(a, self, &keeper, &err)) {
        l->found(l->ctx, FINDING_BAD, str_copy(a, str_from_c(err.text)),
                 S("make install puts it there"));
        return;
    }
    /* From here on as the daemon, whose eyes count. */
    if (l->c->daemon && (isolation_start(l->c, &grant, &err) ||
                         groups_look(l->c, &l->groups, &err) || config_drop(l->c, &err)))
        l->found(l->ctx, FINDING_BAD, str_copy(a, str_from_c(err.text)),
                 S("name a user of its own: 'user:' in the configuration"));
    (void)prctl(PR_SET_DUMPABLE, 1); /* the daemon looks where its peers are from */
    for (size_t i = 0; i < N_ELEMENTS(isolation_rows); i++) {
        const char *word = isolation_rows[i].word;
        enum launch_class class = kit_launch_class(str_from_c(word));
        int rc = class == LAUNCH_NONE ? 0
                                      : isolation_try(programs_beside(a, keeper, "reeve-spawn"),
                                                      class, &grant, &err);

        if (rc)
            l->found(l->ctx, FINDING_WARN,
                     str_fmt(a, "isolation %s is not possible: %s", word, err.text),
                     str_from_c(class == LAUNCH_NAMESPACE && !geteuid() ? MEND_ROOT
                                                                        : isolation_rows[i].mend));
        else
            l->found(l->ctx, FINDING_GOOD,
                     str_fmt(a, "isolation %s is possible: %s", word, isolation_rows[i].gives),
                     S(""));
    }
    guard_close(&grant.fd);
    groups = isolation_groups(a);
    if (groups.p)
        l->found(l->ctx, FINDING_WARN,
                 str_fmt(a, "isolation namespace keeps the groups %.*s, and what they may read",
                         STR_ARG(groups)),
                 S("start the daemon as a user without them, or as root with user: in the "
                   "configuration"));
}

/* What limits of resources are kept by, or why they are not. */
static void look_at_limits(const struct look *l)
{
    struct arena *a = l->c->arena;

    for (int g = 0; g < KIT_N_GROUPS; g++) {
        struct str word = str_from_c(kit_groups_word((enum kit_group)g));
        struct str why = value_get_text(l->groups.unkept, word, STR_NONE);
        struct str path = value_get_text(value_get(l->groups.kept, word), S("path"), S(""));

        if (why.p)
            l->found(
                l->ctx, FINDING_WARN,
                str_fmt(a, "limits.%.*s is not kept: %.*s", STR_ARG(word), STR_ARG(why)),
                S("start the daemon (and reeve doctor) as root; where groups are of version 2, "
                  "in a "
                  "scope: systemd-run --scope -p Delegate=yes reeve serve. A number of processes "
                  "is kept all the same"));
        else if (path.n)
            l->found(l->ctx, FINDING_GOOD,
                     str_fmt(a, "limits.%.*s is kept by control groups in '%.*s'", STR_ARG(word),
                             STR_ARG(path)),
                     S(""));
    }
}

void doctor_isolation(struct cli *c, doctor_found *found, void *ctx)
{
    struct look l = { .c = c, .found = found, .ctx = ctx };

    look_at_classes(&l);
    look_at_limits(&l);
}
