/*
 * rule: what the daemon's configuration allows an environment. SPDX-License-Identifier: Apache-2.0
 *
 * The repository asks, the rule allows. Each refusal is an error at the place that asked, and names
 * the place of the rule. Without a rule (offline) everything is allowed.
 */
#pragma once

#include "specs/normalise.h"

/* The store of secrets that name none; "" offline. */
struct str rule_default_store(const struct value *rule);

/* `used` is {store, path, key}; the path is compared part by part. */
void rule_check_secret(struct normalise *n, struct str name, const struct value *used,
                       struct value_place place);
/* The provider asked for, or the rule's first; "" when there is none. */
struct str rule_provider(struct normalise *n, const char *kind, const struct value *asked,
                         struct value_place place);
void rule_check_host(struct normalise *n, const struct value *host);
void rule_check_replicas(struct normalise *n, const struct value *replicas);
/* What was written of an approval and is laxer than the rule's floor, which holds; "" for nothing. */
struct str rule_below_floor(struct normalise *n, const struct value *approval);
/* The branch the environment is bound to; the spec may name the same one only. */
struct str rule_branch(struct normalise *n, const struct value *asked);

int rule_name_matches(struct str glob, struct str name); /* '*' is any run */
int rule_host_matches(struct str glob, struct str host); /* '*.' is one label */
