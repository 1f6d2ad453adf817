/*
 * doctor_rule: which rule a name matches, and what each line of it allows. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "reconciler/cli/cli.h"

/* Of the configuration alone; where the state is there too, whose the name is. ERR_NOT_FOUND: no rule. */
int doctor_rule(struct cli *c, struct str name, struct err *err);
