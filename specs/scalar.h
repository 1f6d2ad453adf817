/*
 * scalar: what one written word may be. SPDX-License-Identifier: Apache-2.0
 *
 * One row a type (scalars.def): its name, the form a message shows, and the function that reads it. Types that
 * count give an integer in the unit of the canonical form: milliseconds, bytes, basis points.
 *
 * Memory   results borrow the text given.
 * Thread   any.
 */
#pragma once

#include "specs/value.h"

enum scalar_type {
#define SCALAR(id, name, form, match, count) SCALAR_##id,
#include "specs/scalars.def"
#undef SCALAR
    N_SCALARS
};

const char *scalar_name(enum scalar_type type);
const char *scalar_form(enum scalar_type type);
int scalar_is_number(enum scalar_type type); /* scalar_read() sets the number */

/* 0, or -1 when the text is not of this type. */
int scalar_read(enum scalar_type type, struct str text, int64_t *ret_number);

/* A number of this type as it would be written. */
struct str scalar_text(struct arena *a, enum scalar_type type, int64_t number);

/* What YAML 1.1 makes of a plain scalar that is not text ("a boolean"), or NULL. Numbers that all
 * versions of YAML read alike are not among them. */
const char *scalar_yaml11(struct str text);
