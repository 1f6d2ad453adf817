/*
 * isolation: which classes of isolation this machine can give. SPDX-License-Identifier: Apache-2.0
 *
 * Asked by starting a program that does nothing in each of them.
 *
 * Fails    ERR_REFUSED: a rule's class is not possible, and why; ERR_IO.
 */
#pragma once

#include "providers/kit_launch.h"
#include "reconciler/cli/cli.h"

/* Who gives users to environments of class uid; fd -1: nobody does. */
struct isolation_grant {
    int fd;
    uint32_t uid; /* one that may be had */
};

/* As root, and where a rule names class uid: start who keeps the right to be somebody else. It ends with
 * the descriptor. To be called before config_drop(). */
int isolation_start(struct cli *c, struct isolation_grant *ret, struct err *err);

/* 0: a program ran in it; else the error says what could not be done. */
int isolation_try(const char *launcher, enum launch_class class,
                  const struct isolation_grant *grant, struct err *err);

/* Every class that a rule of the Daemon document names. */
int isolation_check(struct arena *a, const struct value *daemon, const char *keeper,
                    const struct isolation_grant *grant, struct err *err);

/* The groups that isolated code keeps, "adm, docker", because only root could give them up; STR_NONE: none. */
struct str isolation_groups(struct arena *a);

/* Say in the log which rules have none, and what it keeps. */
void isolation_warn(struct arena *a, const struct value *daemon);
