/*
 * forge: what of each type of forge is asked and told. SPDX-License-Identifier: Apache-2.0
 *
 * A commit that requires checks of a forge which is not asked for any would wait for ever, and a status that it
 * cannot be told would be given up each time: both are refused where they are asked for.
 */
#pragma once

#include "specs/normalise.h"

enum forge_feature {
    FORGE_CHECKS, /* of a commit: `require_checks`, `floor.checks` */
    FORGE_STATUS, /* of a commit: `status.commit_status` */
    N_FORGE_FEATURES,
};

struct forge_of_source {
    struct str source, type; /* type "": it has none */
};

/* Of the source that a rule is for; a rule carries its forge's type. */
struct forge_of_source forge_of_rule(const struct value *rule);
/* 1: the type of forge is asked or told that; "" never is. */
int forge_does(struct str type, enum forge_feature feature);
/* Why not: "source 'shop' has no `forge`". */
struct str forge_lacks(struct arena *a, const struct forge_of_source *f,
                       enum forge_feature feature);
/* An error about a field that asks for it, where the forge does not do it. */
void forge_refuse(struct spec_messages *m, const struct value *asked, struct str path,
                  const struct forge_of_source *f, enum forge_feature feature);
/* What an environment asks of the forge of its rule's source, which is `forge` of the rule. */
void forge_check(struct normalise *n);
