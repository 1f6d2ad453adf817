/*
 * reference: what stands in a normal form for a value that is known later. SPDX-License-Identifier: Apache-2.0
 *
 *   {"secret": NAME, "version": V}              pinned when the plan is made
 *   {"output": "KIND/NAME", "key": KEY, ...}    of another resource
 *   {"join": [VALUE ..], "with": TEXT}
 *
 * A map that people give names in (variables, headers, paths of a tree) is none of these: the first two take texts of
 * this form alone, and variables and headers may not be called like the words they begin with.
 */
#pragma once

#include "specs/value.h"

enum reference { REFERENCE_NONE, REFERENCE_SECRET, REFERENCE_OUTPUT, REFERENCE_JOIN };

enum reference reference_of(const struct value *v); /* NULL: none */
