/*
 * scope: which environments somebody may know of. SPDX-License-Identifier: Apache-2.0
 *
 * A list of names and of patterns, in which '*' is any run of characters; NULL is all of them. Who has a
 * scope learns nothing of what lies outside of it, not even whether it is there.
 *
 * Thread   any.
 */
#pragma once

#include "specs/value.h"

int scope_has(const struct value *scope, struct str env);
