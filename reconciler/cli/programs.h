/*
 * programs: where this program and those it starts are. SPDX-License-Identifier: Apache-2.0
 *
 * Fails    ERR_NOT_FOUND says where they were looked for; ERR_IO.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

int programs_find_self(struct arena *a, const char **ret, struct err *err);
/* $REEVE_KEEPER, beside this program, or where it is installed. */
int programs_find_keeper(struct arena *a, const char *self, const char **ret, struct err *err);
/* The others lie beside the keeper. */
const char *programs_beside(struct arena *a, const char *keeper, const char *name);
