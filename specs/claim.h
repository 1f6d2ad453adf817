/*
 * claim: whether a document of an environment counts where it stands. SPDX-License-Identifier: Apache-2.0
 *
 * A name belongs to one source and one branch: those that the daemon's rule binds it to. Elsewhere a
 * document is checked and nothing more; where it asks to count there, it is refused with its place and
 * that of the rule.
 */
#pragma once

#include "specs/spec.h"

#define CLAIM_TAGS "refs/tags/" /* what a rule binds to begins so where it is a pattern of tags */

enum claim {
    CLAIM_COUNTS,
    CLAIM_ELSEWHERE, /* it counts at another branch, and does not say otherwise */
    CLAIM_DENIED,    /* no rule */
    CLAIM_ASTRAY,    /* it names a branch that its rule does not bind it to */
    CLAIM_TAKEN,     /* the name belongs to another source or branch already */
};

struct claim_case {
    const struct value *daemon, *rule; /* rule NULL: none matches */
    const struct value *document;
    struct str source, branch;
    struct str owner_source, owner_branch; /* of who has the name; p NULL: nobody */
    const struct value *owner_document;    /* NULL: not known */
};

enum claim claim_judge(const struct claim_case *c);
/* Why it does not count; nothing for COUNTS. */
void claim_complain(const struct claim_case *c, enum claim claim, struct spec_messages *m);
