/*
 * policy_rules: what a spec should not hold. SPDX-License-Identifier: Apache-2.0
 *
 * policy_rules.def is the table: secrets written out, commands that cannot work, data without a backup,
 * references to nothing. Those with a check are asked of one merged and filled environment; the others are said
 * by who knows more. A rule that may be waived is not asked for what says `waive`, as far as the floor allows.
 */
#pragma once

#include "specs/normalise.h"

struct policy_rule {
    const char *id; /* shown in brackets behind the message */
    enum spec_severity severity;
    int may_be_waived;
    void (*check)(struct normalise *n, const struct policy_rule *rule);
    const char *text, *mend; /* documentation; mend is the hint of each message */
    const char *where;       /* without a check: who says it */
};

const struct policy_rule *policy_rules(size_t *ret_n);
const struct policy_rule *policy_rules_find(struct str id); /* NULL: none */
void policy_rules_check(struct normalise *n);
/* What is waived, as texts: RULE of the document, services.NAME:RULE of a part. */
struct value *policy_rules_waived(const struct normalise *n);

/* What `reeve explain RULE` prints, STR_NONE: there is none; and docs/rules.md. */
struct str policy_rules_explain(struct arena *a, struct str id);
struct str policy_rules_page(struct arena *a);
