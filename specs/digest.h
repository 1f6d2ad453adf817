/*
 * digest: stable identity of a value. SPDX-License-Identifier: Apache-2.0
 *
 * digest(T, v) = SHA-256("reeve/" T "/1\n" + canonical JSON), PROTOCOL section 3.
 */
#pragma once

#include "base/hash.h"
#include "specs/value.h"

struct digest digest_value(struct arena *scratch, struct str type, const struct value *v);
