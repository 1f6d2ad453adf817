/*
 * judge: is the world as an operation asked, and whose fault is it when not? SPDX-License-Identifier: Apache-2.0
 *
 * One row a kind: what of `observed` must match `desired`. Kinds without a row are as asked when they exist.
 */
#pragma once

#include "providers/api/driver.h"
#include "specs/value.h"

int judge_is_as_asked(struct str kind, const struct value *desired, const struct value *observed);

/* A build, a release or an instance that was tried and refused: what was deployed is wrong. */
int judge_is_at_fault(struct str kind, enum rv_verdict verdict, enum rv_acted acted);
