/*
 * anchor_s3: a bucket as a place for heads of the history. SPDX-License-Identifier: Apache-2.0
 *
 * An object a head: "PREFIX/INSTALLATION/DOWN-SEQ-HASH-EPOCH-TIME_MS-MAC", where DOWN counts down as SEQ counts up. So a
 * listing begins with the newest, and says all of the line without reading an object; the object holds the line. What was
 * written over has another size or, where versions are kept, comes twice. Where objects are to be locked all versions are
 * listed: a delete that a lock turned into a marker shows, and each object is looked at once it is written, as a store that
 * knows nothing of locks takes it without a word.
 *
 * Names are made of what is in them, so that nobody's object can be another one of the same name: no condition
 * (If-None-Match) is asked for, which some stores refuse.
 */
#pragma once

#include "reconciler/engine/anchor_place.h"

#define ANCHOR_S3_LISTED 100 /* of the newest, held against our history */
#define ANCHOR_S3_ANSWER_MAX (1u << 20)

extern const struct anchor_kind anchor_s3_kind;
