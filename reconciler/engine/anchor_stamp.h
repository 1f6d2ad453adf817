/*
 * anchor_stamp: a time stamp authority as a place for heads of the history. SPDX-License-Identifier: Apache-2.0
 *
 * It is sent the digest of a line and a nonce, by HTTP, and keeps nothing: the line with its time stamp is the proof, and
 * stands in the event that says so (state/anchor.h, time_stamp.h). What comes is looked at before it is kept: whose it
 * is, what it is of, and whether its time is ours.
 */
#pragma once

#include "reconciler/engine/anchor_place.h"

#define ANCHOR_STAMP_APART_MS 600000 /* its clock and ours, either way */

extern const struct anchor_kind anchor_stamp_kind;
