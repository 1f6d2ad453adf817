/* A world of core, a spec that is wanted of it, and the plan for that. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the scene's arena, which the test ends.
 */
#pragma once

#include "tests/unit/test_core_apply.h"

struct scene {
    struct arena arena;
    struct world world;
    struct environment_spec spec;
    struct plan plan;
};

static inline void given_scene(struct scene *c, const char *before, const char *want,
                               enum plan_cause cause, const char *policy)
{
    arena_init(&c->arena, 0);
    given_world(&c->world, &c->arena);
    if (*before)
        (void)given_applied(&c->world, before, TAIL_RUNS);
    c->spec = given_spec(&c->arena, want);
    if (policy)
        c->spec.policy = given_json(&c->arena, policy);
    if (cause == PLAN_CAUSE_REPAIR)
        c->world.instances.p[0].health = INSTANCE_LOST;
    c->plan = world_plan(&c->world, &c->spec, cause);
}

static inline struct str format_lines(struct scene *c)
{
    struct sb b;

    sb_init(&b, &c->arena);
    for (size_t i = 0; i < c->plan.lines.n; i++) {
        const struct plan_line *line = &c->plan.lines.p[i];
        struct str name = str_slice(line->name, 0, str_find_char(line->name, '@'));

        sb_addf(&b, "%s%s %.*s/%.*s (%.*s, %.*s) [%.*s]", i ? "|" : "",
                plan_action_name(line->action), STR_ARG(line->kind), STR_ARG(name),
                STR_ARG(line->reason), STR_ARG(line->disruption),
                STR_ARG(plan_class_names(&c->arena, line->classes)));
        for (size_t j = 0; j < line->changes.n && line->changes.n < 3; j++)
            sb_addf(&b, " %.*s", STR_ARG(line->changes.p[j].path));
    }
    return sb_str(&b);
}
