/*
 * doctor_isolation: which classes of isolation, and which limits, this machine can give. SPDX-License-Identifier: Apache-2.0
 *
 * Each class is tried. From then on this process is the user that the daemon becomes, where the configuration can be
 * read: what is looked at afterwards is looked at with its eyes.
 *
 * Memory   texts live in the arena of `c`.
 * Thread   the only one: it forks.
 */
#pragma once

#include "reconciler/cli/cli.h"
#include "reconciler/cli/doctor_look.h"

void doctor_isolation(struct cli *c, doctor_found *found, void *ctx);
