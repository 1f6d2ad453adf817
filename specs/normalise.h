/*
 * normalise: one environment on its way to resources. SPDX-License-Identifier: Apache-2.0
 *
 * The parts of normalise_environment() (spec.h) share this. Documents are merged and filled once;
 * refs resolves what refers to something else, rule says what the daemon allows, specs_policy
 * what a spec should not hold, normalise_service and normalise_domain write the canonical form.
 *
 * Memory   all in `arena`; values borrow from the bundle until value_copy_content().
 */
#pragma once

#include "specs/schema.h"

struct normalise {
    struct arena *arena;
    const struct normalise_input *in;
    struct spec_messages *m;
    const struct value *document; /* environment on top of application, filled */
    struct str branch;
    struct value *services; /* those that are enabled */
    const struct value *domains, *secrets;
    struct map used_secrets; /* name -> struct value *: {store, path, key} */
};

/* An error about a part of the environment; fmt is a literal. */
#define normalise_complain(n, place, rule, hint, ...)                                              \
    spec_message_add((n)->m, SPEC_ERROR, (place), S(rule), (hint), __VA_ARGS__)

/* "did you mean 'NAME'?" among the keys of a map, or STR_NONE. */
struct str normalise_hint(struct arena *a, struct str wanted, const struct value *map);

/* Copy a field where it is there. */
void normalise_take(struct normalise *n, struct value *to, const struct value *from,
                    struct str name);

/* Desired form, provider and needs of one resource. */
void normalise_service(struct normalise *n, const struct value_entry *service,
                       struct spec_resource *ret);
void normalise_domain(struct normalise *n, const struct value_entry *domain,
                      struct spec_resource *ret);
