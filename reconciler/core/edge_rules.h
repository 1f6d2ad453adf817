/*
 * edge_rules: what the routes of a domain ask of requests. SPDX-License-Identifier: Apache-2.0
 *
 * A domain says it once, a route may say otherwise; what travels with a route to the edge is both as
 * one (docs/drivers.md, `rules`). Pure.
 *
 * Memory   the arena given; shares parts with the domain.
 */
#pragma once

#include "reconciler/core/plan.h"

/* Of one entry of a domain's `routes`. NULL: nothing is asked. */
const struct value *edge_rules_of_route(struct arena *a, const struct value *domain,
                                        const struct value *route);
/* Of each host of its `redirect_from`. */
const struct value *edge_rules_of_redirect(struct arena *a, const struct value *domain);
/* The path whose service the redirects of a domain are switched with; STR_NONE: it has none. */
struct str edge_rules_redirect_service(const struct value *domain);

/* Who comes in at a host of this domain, or more often, and did not before; or which service that asked on all its
 * routes has one that does not ask: "shop.dev/admin is not denied any more". STR_NONE: nobody. */
struct str edge_rules_weaker(struct arena *a, const struct plan_routes *before,
                             const struct plan_routes *after, struct str domain);
