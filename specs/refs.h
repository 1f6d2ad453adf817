/*
 * refs: what a value refers to. SPDX-License-Identifier: Apache-2.0
 *
 * {secret} becomes {secret, version}; {service} an output that is filled in when the operation that
 * needs it begins; {domain} the text it is; {join} of texts one text. What a build uses is part of
 * the artifact's identity, so it may hold neither secrets nor outputs.
 */
#pragma once

#include "specs/normalise.h"

enum refs_use { REFS_RUN, REFS_BUILD };

/* A map of variables; those whose optional secret is absent are left out. NULL stays NULL. */
struct value *refs_variables(struct normalise *n, const struct value *variables, enum refs_use use,
                             struct spec_resource *of);

/* A secret that is not for a service is held against the daemon's rule; NULL is none. `use` is what it is for. */
void refs_check_secret(struct normalise *n, const struct value *name, const char *use);

/* Add "kind/name" to what a resource needs, once; never itself. */
void refs_need(struct normalise *n, struct spec_resource *of, const char *kind, struct str name);
