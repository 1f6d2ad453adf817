/*
 * isolation: which classes of isolation this machine can give. SPDX-License-Identifier: Apache-2.0
 *
 * Asked by starting a program that does nothing in each of them.
 *
 * Fails    ERR_REFUSED: a rule's class is not possible, and why; ERR_IO.
 */
#pragma once

#include "providers/kit_launch.h"
#include "specs/value.h"

/* 0: a program ran in it; else the error says what could not be done. */
int isolation_try(const char *launcher, enum launch_class class, struct err *err);

/* Every class that a rule of the Daemon document names. */
int isolation_check(struct arena *a, const struct value *daemon, const char *keeper,
                    struct err *err);

/* Say in the log which rules have none. */
void isolation_warn(const struct value *daemon);
