/*
 * policy_rules: what a spec should not hold. SPDX-License-Identifier: Apache-2.0
 *
 * A table of rules over one merged and filled environment: references to nothing, secrets written
 * out, commands that cannot work, checks that are missing.
 */
#pragma once

#include "specs/normalise.h"

struct policy_rule {
    const char *id; /* shown in brackets behind the message */
    enum spec_severity severity;
    const char *text, *mend; /* documentation; mend is the hint of each message */
    void (*check)(struct normalise *n, const struct policy_rule *rule);
    int may_be_waived;
};

const struct policy_rule *policy_rules(size_t *ret_n);
void policy_rules_check(struct normalise *n);
