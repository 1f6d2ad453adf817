/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/approvals.h"

#include "reconciler/core/people.h"
#include "specs/json_io.h"
#include "state/plans.h"

#define NEEDS_MAX (1u << 20)

const struct value *approvals_people(const struct engine *e)
{
    return value_at(e->options.daemon, S("auth.people"));
}

struct str approvals_person(const struct engine *e, struct str actor)
{
    struct str person = people_of_actor(approvals_people(e), actor);

    return person.p ? person : actor;
}

int approvals_load(struct engine *e, struct arena *a, const struct rec_plan *plan,
                   struct approval_case *ret, struct err *err)
{
    struct value *needs = value_map(a);
    struct rec_plan_author *authors;
    struct rec_decision *decisions;

    *ret = (struct approval_case){ .people = approvals_people(e),
                                   .starter = plan->actor,
                                   .from_seq = plan->base_seq,
                                   .now_ms = clock_task_due_ms(&e->clock) };
    if (DB_SELECT(e->db, a, plan_author, "WHERE plan = $1 ORDER BY mail", &authors, &ret->n_authors,
                  err, DB_D(&plan->id)) ||
        plans_decisions(e->db, a, &plan->id, &decisions, &ret->n_decisions, err) ||
        (plan->needs.p && json_parse(a, plan->needs, NEEDS_MAX, &needs, err)))
        return err->code;
    ret->authors = authors;
    ret->decisions = decisions;
    ret->needs = needs;
    return 0;
}
