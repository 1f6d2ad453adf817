/*
 * refs: what a value refers to. SPDX-License-Identifier: Apache-2.0
 *
 * {secret} becomes {secret, version}; {service}, {database} and {redis} an output that is filled in when the
 * operation that needs it begins; {domain} the text it is; {join} of texts one text. What a build uses is part of
 * the artifact's identity, so its variables may hold neither secrets nor outputs.
 */
#pragma once

#include "specs/normalise.h"

enum refs_use { REFS_RUN, REFS_BUILD };

/* A map of variables; those whose optional secret is absent are left out. NULL stays NULL. */
struct value *refs_variables(struct normalise *n, const struct value *variables, enum refs_use use,
                             struct spec_resource *of);

/* {secret: NAME} that is not for a service: {secret, version}, held against what the daemon's rule says of `use`. */
struct value *refs_secret_for(struct normalise *n, const struct value *reference, const char *use);
/* The same by its name, as in a list of names. */
struct value *refs_secret_named(struct normalise *n, const struct value *name, const char *use);
/* The same without a version: {secret, store, path, key}. `name` is the text behind `secret`. */
struct value *refs_located(struct normalise *n, const struct value *name, const char *use);

/* Add "kind/name" to what a resource needs, once; never itself. */
void refs_need(struct normalise *n, struct spec_resource *of, const char *kind, struct str name);
