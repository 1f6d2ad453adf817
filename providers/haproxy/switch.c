/* switch: which generation of an environment's routes is served. SPDX-License-Identifier: Apache-2.0
 *
 * One entry of the generation map moves all services at once; reading it back is the
 * acknowledgement. Generations only rise, so that an operation that comes late moves nothing. */
#include <inttypes.h>

#include "providers/haproxy/sync.h"
#include "providers/haproxy/types.h"
#include "providers/haproxy/words.h"

static int switch_check(struct haproxy_call *c, const struct value *body)
{
    if (!haproxy_environment_is(value_get_text(body, S("environment"), STR_NONE)))
        return haproxy_fail(c, RV_USER, "environment is not a word");
    if (value_get_int(body, S("generation"), 0) < 1)
        return haproxy_fail(c, RV_USER, "generation is not a number above 0");
    return 0;
}

static int switch_put(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                      struct haproxy_record **ret)
{
    struct str environment = value_get_text(c->desired, S("environment"), S(""));
    int64_t generation = value_get_int(c->desired, S("generation"), 0), now;
    int rc;

    if (r && !str_eq(r->id, environment))
        return haproxy_fail(c, RV_USER, "this switch is '%.*s', not '%.*s'", STR_ARG(r->id),
                            STR_ARG(environment));
    if (!r &&
        (rc = haproxy_refuse_stranger(c, haproxy_model_find(&s->model, S("switch"), environment))))
        return rc;
    if ((rc = haproxy_heal_generations(c, s)))
        return rc;
    now = haproxy_generation_of(&s->model, environment);
    if (generation < now)
        return haproxy_fail(c, RV_STALE,
                            "generation %" PRId64 " of '%.*s' is over: %" PRId64 " is live",
                            generation, STR_ARG(environment), now);
    if ((rc = haproxy_check_generation(c, &s->model, environment, generation)))
        return rc;
    if ((rc = haproxy_sync_routes(c, &s->model))) /* all of them are there, or we stay */
        return rc;
    if (!r && (rc = haproxy_add(c, s, S("switch"), environment, &r)))
        return rc;

    haproxy_model_set(r, c->desired);
    *ret = r;
    if ((rc = haproxy_commit(c, s, r)))
        return rc;
    return haproxy_sync_generation(c, r->id, generation);
}

static int switch_drop(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r)
{
    struct str environment = r ? r->id : kit_str(c->op->id);
    int rc;

    if (r) {
        haproxy_model_remove(&s->model, r);
        if ((rc = haproxy_store_save(c, s)))
            return rc;
    }
    return haproxy_environment_is(environment) ? haproxy_sync_generation(c, environment, 0) : 0;
}

static int switch_observe(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                          struct value *observed, struct value *outputs)
{
    struct str environment = r->id;
    int64_t generation;
    int rc = haproxy_heal_generations(c, s);

    if (rc)
        return rc;
    generation = haproxy_generation_of(&s->model, environment);
    if (!generation)
        return haproxy_fail(c, RV_ABSENT, "no generation of '%.*s' is live", STR_ARG(environment));
    value_set_int(c->arena, observed, S("generation"), generation);
    value_set_int(c->arena, outputs, S("generation"), generation);
    return 0;
}

const struct haproxy_type haproxy_switch_type = { "switch", switch_check, switch_put, switch_drop,
                                                  switch_observe };
