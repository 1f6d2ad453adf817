/* Programs that run at their times. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/refs.h"
#include "specs/rule.h"

void normalise_job(struct normalise *n, const struct value_entry *job, struct spec_resource *ret)
{
    static const struct str taken[] = { S_INIT("command"), S_INIT("schedule"),
                                        S_INIT("concurrency"), S_INIT("timeout_ms") };
    const struct value *in = job->value;
    struct value *desired = value_map(n->arena);

    ret->provider = rule_provider(n, "services", value_get(in, S("provider")), ret->place);
    normalise_take_all(n, desired, in, taken);
    if (value_get(in, S("schedule")))
        normalise_take(n, desired, in, S("tz"));
    normalise_artifact(n, desired, in, ret);
    value_set(n->arena, desired, S("environment"),
              refs_variables(n, value_get(in, S("environment")), REFS_RUN, ret));
    normalise_resources(n, desired, in, ret);
    ret->desired = desired;
}
