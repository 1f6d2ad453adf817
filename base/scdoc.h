/*
 * scdoc: text in the source of a man page. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the builder's.
 * Thread   any.
 */
#pragma once

#include "base/str.h"

/* As it is to be read: whatever scdoc(5) would take for its own is escaped. A line end stays one. */
void scdoc_text(struct sb *b, struct str text);
