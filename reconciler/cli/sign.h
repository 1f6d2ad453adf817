/*
 * sign: a text signed with an SSH key, by ssh-keygen. SPDX-License-Identifier: Apache-2.0
 *
 * The key may be one in a file, which ssh-keygen may ask a passphrase for, or the public half of one in an
 * agent. Good for approvals alone: the namespace is core/people.h's.
 *
 * Memory   in the arena given.
 * Fails    ERR_REFUSED; ssh-keygen itself has said why. ERR_IO.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

int sign_text(struct arena *a, const char *key, struct str text, struct str *ret, struct err *err);
