/*
 * rule: what the daemon's configuration allows an environment. SPDX-License-Identifier: Apache-2.0
 *
 * The repository asks, the rule allows. Each refusal is an error at the place that asked, and names
 * the place of the rule. Without a rule (offline) everything is allowed.
 */
#pragma once

#include "specs/normalise.h"

/* "by the rule at /etc/reeve.yaml:42:5" */
#define RULE_AT "by the rule at %.*s:%u:%u"
#define RULE_AT_ARG(rule)                                                                          \
    STR_ARG(value_file((rule)->place)), (rule)->place.line, (rule)->place.column

/* Where what is generated lies. */
struct str rule_generated_store(struct normalise *n, struct value_place place);
struct str rule_generated_path(const struct value *rule);
/* Whether what lies in the store is a file of the environment's commit. */
int rule_store_is_in_commit(const struct value *rule, struct str store);
/* The store of secrets that name none; "" offline. */
struct str rule_default_store(const struct value *rule);

/* `used` is {store, path, key}; the path is compared part by part. `use` is what it is for. */
void rule_check_secret(struct normalise *n, struct str name, const struct value *used,
                       const char *use, struct value_place place);
/* The same as an answer, of what was planned long ago; NULL gives nothing. */
int rule_gives_secret(const struct value *rule, const struct value *used, const char *use);
/* The driver of one of the rule's providers; "" when the rule does not say. */
struct str rule_driver(const struct value *rule, struct str provider);
/* The provider asked for, or the rule's first; "" when there is none. `kind` is a member of its `providers`. */
struct str rule_provider(struct normalise *n, const char *kind, const struct value *asked,
                         struct value_place place);
void rule_check_host(struct normalise *n, const struct value *host);
/* The commit's Schema-Change trailer may only raise what a release says. */
void rule_check_trailer(struct normalise *n, const struct value *release);
void rule_check_replicas(struct normalise *n, const struct value *replicas);
/* A build asks for the network. */
void rule_check_network(struct normalise *n, const struct value *asked);
/* What all services may use together. */
void rule_check_sums(struct normalise *n);
/* What all databases may take together, and what nobody knows the price of. */
void rule_check_storage(struct normalise *n, const struct value *databases);
void rule_check_cost(struct normalise *n, struct str what, struct str provider,
                     struct value_place place);
/* What was written of an approval and is laxer than the rule's floor, which holds; "" for nothing. */
struct str rule_below_floor(struct normalise *n, const struct value *approval);
/* Images, buckets and the data of other environments; NULL is nothing. */
void rule_check_image(struct normalise *n, const struct value *image);
void rule_check_bucket(struct normalise *n, const struct value *destination);
void rule_check_seed(struct normalise *n, const struct value *environment);
void rule_check_waiver(struct normalise *n, const struct value *rule_id);
/* The branch the environment is bound to; the spec may name the same one only. */
struct str rule_branch(struct normalise *n, const struct value *asked);

int rule_name_matches(struct str glob, struct str name); /* '*' is any run */
int rule_host_matches(struct str glob, struct str host); /* '*.' is one label */
