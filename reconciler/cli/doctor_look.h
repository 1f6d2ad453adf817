/*
 * doctor_look: what of the machine is looked at for the daemon, as findings. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   any.
 */
#pragma once

#include "specs/value.h"

enum finding_level { FINDING_GOOD, FINDING_WARN, FINDING_BAD };

#define DOCTOR_FILES_MIN 4096 /* descriptors: doors, keepers, children of 32 calls */

/* `mend`: what to do where it is not good. Texts lie in the arena. */
typedef void doctor_found(void *ctx, enum finding_level level, struct str what, struct str mend);

/* Whether the first "N.N" in what a program says of itself is less than `min`; where there is none it is not. */
int doctor_is_older(struct str line, struct str min);

/* Descriptors, whether something keeps the clock, and the files of tls; as who reads them then. */
void doctor_look(struct arena *a, const struct value *daemon, doctor_found *found, void *ctx);
