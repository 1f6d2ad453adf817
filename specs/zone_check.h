/*
 * zone_check: the time zones that a document names. SPDX-License-Identifier: Apache-2.0
 *
 * Which of them there are is the machine's to say, so who asks brings that along. Pure.
 */
#pragma once

#include "specs/spec.h"

/* An error at its place for each that is not there: an environment on top of its application, or a Daemon. */
void zone_check(struct spec_messages *m, const struct value *document,
                spec_zone_is_there *is_there);
