/*
 * weaken: does a change make checks or approval laxer? SPDX-License-Identifier: Apache-2.0
 *
 * One table of paths (DESIGN 6, class weaken); what is not in it never weakens.
 */
#pragma once

#include "specs/value.h"

/* Of a service or the policy; 0, also when there was nothing before. */
int weaken_judge(struct str kind, const struct value *before, const struct value *after);
