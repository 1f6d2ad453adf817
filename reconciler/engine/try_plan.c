/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/try_plan.h"

#include "reconciler/engine/snapshot_load.h"
#include "specs/json_io.h"
#include "specs/policy.h"
#include "specs/reference.h"

/* A snapshot is read from the state of an engine: this one has nothing but that. */
static int load_recorded(struct arena *a, const struct try_plan *in, struct snapshot *ret,
                         struct err *err)
{
    struct registry none = { .n = 0 };
    struct engine engine = { .db = in->db,
                             .providers = &none,
                             .installation = S("none"),
                             .options = { .daemon = in->daemon } };
    struct snapshot_load load = { .engine = &engine,
                                  .cause = PLAN_CAUSE_COMMIT,
                                  .target = in->spec,
                                  .rule = in->rule,
                                  .now_ms = in->now_ms };
    struct rec_environment env;
    int rc = environments_by_name(in->db, a, in->environment, &env, err);

    if (rc)
        return rc;
    load.env_uid = env.uid;
    return snapshot_load(a, &load, ret, err);
}

static struct str edge_of(const struct try_plan *in)
{
    struct str edge = value_get_text(value_get(in->rule, S("providers")), S("domains"), STR_NONE);

    for (size_t i = 0; !edge.p && i < in->spec->resources.n; i++)
        if (str_eq_c(in->spec->resources.p[i].kind, "domain"))
            edge = in->spec->resources.p[i].provider.p ? in->spec->resources.p[i].provider
                                                       : S("edge");
    return edge;
}

static int make_snapshot(struct arena *a, const struct try_plan *in, struct snapshot *ret,
                         struct err *err)
{
    struct map *none = arena_new(a, struct map);
    int rc = in->db ? load_recorded(a, in, ret, err) : ERR_NOT_FOUND;

    if (rc != ERR_NOT_FOUND)
        return rc;
    if (!none)
        return arena_status(a, err);
    map_init(none, a);
    *ret = (struct snapshot){ .installation = S("none"),
                              .env = { .uid = S("none"), .name = in->environment },
                              .target = in->spec,
                              .artifacts = none,
                              .releases = none,
                              .budget = value_get(in->rule, S("budget")),
                              .observed_generation = REC_NONE,
                              .edge_provider = edge_of(in) };
    ret->edge_slots = snapshot_edge_slots(in->daemon, ret->edge_provider);
    return 0;
}

static const struct value *applied_policy(const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq_c(s->recorded[i].kind, "policy"))
            return s->recorded[i].desired;
    return NULL;
}

int try_plan_make(struct arena *a, const struct try_plan *in, struct plan *ret,
                  struct plan_verdict *ret_verdict, struct err *err)
{
    struct value *policy = value_map(a);
    struct snapshot s = { 0 };

    if (make_snapshot(a, in, &s, err) || plan_make(a, &s, ret, err))
        return err->code;
    value_set(a, policy, S("approval"),
              policy_stricter(a, value_get(applied_policy(&s), S("asked")),
                              value_get(in->spec->policy, S("approval"))));
    *ret_verdict = plan_judge(a, ret, policy);
    return arena_status(a, err);
}

/* --- what is known of an environment ------------------------------------------------------------- */

static void put_text(struct arena *a, struct map *to, struct str key, struct str text)
{
    struct str *slot = text.n ? arena_new(a, struct str) : NULL;

    if (!slot)
        return; /* the arena remembers */
    *slot = text;
    map_put(to, key, slot);
}

static void collect(struct arena *a, const struct value *v, struct map *trees, struct map *secrets)
{
    const struct value *of_build = value_get(value_get(v, S("build")), S("trees"));
    struct str secret = value_get_text(v, S("secret"), S(""));

    for (size_t i = 0; i < value_count(of_build); i++)
        put_text(a, trees, of_build->u.map.entries[i].key,
                 of_build->u.map.entries[i].value->u.text);
    if (reference_of(v) == REFERENCE_SECRET)
        put_text(a, secrets, secret, value_get_text(v, S("version"), S("")));
    for (size_t i = 0; value_is(v, VALUE_MAP) && i < value_count(v); i++)
        collect(a, v->u.map.entries[i].value, trees, secrets);
    for (size_t i = 0; value_is(v, VALUE_LIST) && i < value_count(v); i++)
        collect(a, value_item(v, i), trees, secrets);
}

int try_plan_known(struct arena *a, struct db *db, struct str environment, struct map *ret_trees,
                   struct map *ret_secrets, struct err *err)
{
    struct rec_environment env;
    struct rec_resource *rows;
    size_t n;
    int rc = environments_by_name(db, a, environment, &env, err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc || resources_list(db, a, env.uid, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct value *desired;
        struct str body;

        if (!str_eq_c(rows[i].kind, "service") && !str_eq_c(rows[i].kind, "domain"))
            continue;
        if (digest_is_none(&rows[i].desired))
            continue;
        if (db_document(db, a, &rows[i].desired, &body, err) ||
            json_parse(a, body, PLAN_BYTES_MAX, &desired, err))
            return err->code;
        collect(a, desired, ret_trees, ret_secrets);
    }
    return arena_status(a, err);
}

/* --- as an answer -------------------------------------------------------------------------------- */

int try_plan_value(struct arena *a, const struct try_plan *in, struct str state, struct value **ret,
                   struct err *err)
{
    struct value *v = value_map(a), *document;
    struct plan_verdict verdict;
    struct plan plan;
    struct str reason = S("nothing is to be done");

    if (try_plan_make(a, in, &plan, &verdict, err) ||
        json_parse(a, plan_format(a, &plan), PLAN_BYTES_MAX, &document, err))
        return err->code;
    if (verdict.asks)
        reason = str_fmt(a, "would wait (%.*s)", STR_ARG(verdict.reason));
    else if (!plan_is_empty(&plan))
        reason = S("would run at once");
    value_set_text(a, v, S("environment"), in->environment);
    value_set_text(a, v, S("id"), digest_hex(a, &plan.id));
    value_set_text(a, v, S("state"), state);
    value_set_text(a, v, S("reason"), reason);
    value_set(a, v, S("document"), document);
    *ret = v;
    return arena_status(a, err);
}
