/*
 * markdown: a plan as a comment of a forge. SPDX-License-Identifier: Apache-2.0
 *
 * Risk and sums stand first, in our words and numbers. Whatever came from outside is a code span that it
 * cannot leave: no heading, link, image, HTML or mention is ever made of it. Pure.
 *
 * Memory   text grows in the arena of `b`.
 * Limits   MARKDOWN_BYTES_MAX a comment: what does not fit is counted, and the command that shows it named.
 */
#pragma once

#include "reconciler/core/plan.h"

#define MARKDOWN_BYTES_MAX 60000u
#define MARKDOWN_VALUE_MAX 1000u /* bytes of one value; what is longer is cut */

/* One code span, on one line, with a fence longer than any run of backticks in it; of a long run \u{60}. */
void markdown_foreign(struct sb *b, struct str text);
/* `about` as of render_plan(). */
void markdown_plan(struct sb *b, const struct plan *p, const struct value *about);
