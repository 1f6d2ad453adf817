/*
 * memory: what a process that opens secrets keeps others out of. SPDX-License-Identifier: Apache-2.0
 *
 * Values of secrets pass through memory: no core file is written, and nobody of our own uid looks in. A
 * sanitizer looks at itself as a debugger would. Programs that we start inherit the limit; it is 1 and not 0,
 * which a machine whose cores go to a program overlooks (core(5)).
 *
 * Fails    ERR_IO.
 */
#pragma once

#include "base/err.h"

/* After the change of user, which opens it again. */
int memory_shut(struct err *err);
