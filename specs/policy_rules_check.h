/*
 * policy_rules_check: what the checks of policy_rules share. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/guard.h"
#include "specs/policy_rules.h"

#define RULE(id, severity, waivable, check, text, mend)                                            \
    void policy_rules_##check(struct normalise *n, const struct policy_rule *rule);
#define SAID(id, severity, where, text, mend)
#include "specs/policy_rules.def"
#undef RULE
#undef SAID

/* A message of the rule at `place`, unless `of` (a service or job, or NULL) waives it. */
#define complain(n, rule, of, where, ...)                                                          \
    do {                                                                                           \
        if (!policy_rules_is_waived((rule), value_get((of), S("waive"))))                          \
            spec_message_add((n)->m, (rule)->severity, (where), str_from_c((rule)->id),            \
                             str_from_c((rule)->mend), __VA_ARGS__);                               \
    } while (0)

int policy_rules_is_waived(const struct policy_rule *rule, const struct value *waivers);

/* By a part of the environment's name: production, prod or live; dev, development, local or test. */
int policy_rules_is_production(const struct normalise *n);
int policy_rules_is_development(const struct normalise *n);

/* Whether `part` is in the text, letters alike in both cases; NULL-terminated list: any of them. */
int policy_rules_has_part(struct str text, struct str part);
int policy_rules_has_any(struct str text, const char *const *parts);

/* Calls `look` with each variable of each service and job: its value may be a reference. */
typedef void policy_rules_variable_fn(struct normalise *n, const struct policy_rule *rule,
                                      const struct value *of, const struct value_entry *variable);
void policy_rules_each_variable(struct normalise *n, const struct policy_rule *rule,
                                policy_rules_variable_fn *look);
