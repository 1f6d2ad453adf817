/*
 * verbs: the functions of verbs.def. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "reconciler/cli/cli.h"

#define VERB(name, group, need, min, max, args, options, function, help, more) cli_verb_fn function;
#include "reconciler/cli/verbs.def"
#undef VERB
