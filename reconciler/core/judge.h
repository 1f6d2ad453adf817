/*
 * judge: is the world as an operation asked? SPDX-License-Identifier: Apache-2.0
 *
 * One row a kind: what of `observed` must match `desired`. Kinds without a row are as asked when they exist.
 */
#pragma once

#include "specs/value.h"

int judge_is_as_asked(struct str kind, const struct value *desired, const struct value *observed);

enum judge_look { LOOK_AS_ASKED, LOOK_DIFFERS, LOOK_ABSENT, LOOK_FAILED };
