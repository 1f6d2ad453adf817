/*
 * weaken: does a change make checks or approval laxer? SPDX-License-Identifier: Apache-2.0
 *
 * One table of paths (DESIGN 6, class weaken); what is not in it never weakens.
 */
#pragma once

#include "specs/value.h"

/* What of a service or the policy became laxer, "approval.policy from manual to auto, approval.expires from 15m to 1d";
 * STR_NONE: nothing, also when there was nothing before. */
struct str weaken_fields(struct arena *a, struct str kind, const struct value *before,
                         const struct value *after);
/* The same of fields that shorten what can be restored: class data. */
struct str weaken_data(struct arena *a, struct str kind, const struct value *before,
                       const struct value *after);
