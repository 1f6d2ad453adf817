/*
 * diff: what changed between two canonical documents, path by path. SPDX-License-Identifier: Apache-2.0
 *
 * Maps are compared key by key, everything else as a whole. Texts are shown as they are, other values
 * as JSON, secrets as secret(VERSION). NULL is absent.
 */
#pragma once

#include "reconciler/core/plan.h"

/* Appends to line->changes in order of path. */
void diff_values(struct arena *a, const struct value *before, const struct value *after,
                 struct plan_line *line);
