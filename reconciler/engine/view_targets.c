/* Instances whose services show numbers to Prometheus. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit.h"
#include "reconciler/core/identity.h"
#include "reconciler/engine/view_rows.h"

/* The commit that asked for the revision first: it does not change while the set lives. */
static int commit_of(const struct view *v, const struct rec_set *set, struct str *ret,
                     struct err *err)
{
    struct rec_revision_commit *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, revision_commit,
                       "WHERE env = $1 AND digest = $2 ORDER BY seen_seq, commit_id LIMIT 1", &rows,
                       &n, err, DB_T(set->env), DB_D(&set->revision));

    *ret = n ? rows[0].commit_id : S("");
    return rc;
}

static int document(const struct view *v, const struct digest *digest, struct value **ret,
                    struct err *err)
{
    struct str body;

    return db_document(v->db, v->a, digest, &body, err) ||
                   json_parse(v->a, body, KIT_BODY_MAX, ret, err)
               ? err->code
               : 0;
}

/* What a set was made from, or what was applied to it since: settings that it need not be made anew for. */
static int service_of(const struct view *v, const struct rec_set *set, struct value **ret,
                      struct err *err)
{
    struct rec_resource *rows;
    struct digest key;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, resource,
                       "WHERE env = $1 AND kind = 'service' AND name = $2 AND valid_to IS NULL AND "
                       "desired IS NOT NULL LIMIT 1",
                       &rows, &n, err, DB_T(set->env), DB_T(set->service));

    if (rc)
        return rc;
    if (n && document(v, &rows[0].desired, ret, err))
        return err->code;
    key = identity_set_key(v->a, n ? *ret : NULL);
    return n && digest_eq(&key, &set->set_key) ? 0 : document(v, &set->desired, ret, err);
}

static void add_target(const struct view *v, struct value *list, const struct value *labels,
                       const struct rec_instance *instance)
{
    struct value *one = value_map(v->a), *addresses = value_list(v->a);
    struct value *own = value_copy(v->a, labels);

    value_add(v->a, addresses, value_text(v->a, instance->address));
    value_set(v->a, one, S("targets"), addresses);
    value_set_text(
        v->a, own, S("instance"),
        identity_instance_name(v->a, instance->service, &instance->set_key, instance->ordinal));
    value_set(v->a, one, S("labels"), own);
    value_add(v->a, list, one);
}

static int add_set(const struct view *v, struct value *list, const struct rec_environment *env,
                   const struct rec_set *set, struct err *err)
{
    struct value *service = NULL, *labels = value_map(v->a);
    const struct value *metrics;
    struct rec_instance *rows;
    struct str commit;
    size_t n;

    if (service_of(v, set, &service, err))
        return err->code;
    metrics = value_get(service, S("metrics"));
    if (!metrics)
        return 0;
    if (commit_of(v, set, &commit, err) ||
        DB_SELECT(v->db, v->a, instance,
                  "WHERE env = $1 AND service = $2 AND set_key = $3 AND address <> '' AND state "
                  "NOT IN ('making', 'exited', 'lost', 'gone') ORDER BY ordinal",
                  &rows, &n, err, DB_T(set->env), DB_T(set->service), DB_D(&set->set_key)))
        return err->code;
    value_set_text(v->a, labels, S("__metrics_path__"), value_get_text(metrics, S("path"), S("")));
    value_set_text(v->a, labels, S("environment"), env->name);
    value_set_text(v->a, labels, S("service"), set->service);
    value_set_text(v->a, labels, S("set"),
                   str_slice(digest_hex(v->a, &set->set_key), 0, IDENTITY_SHORT));
    value_set_text(v->a, labels, S("colour"), set->colour);
    value_set_text(v->a, labels, S("commit"), commit);
    for (size_t i = 0; i < n; i++)
        add_target(v, list, labels, &rows[i]);
    return arena_status(v->a, err);
}

int view_targets(const struct view *v, struct value **ret, struct err *err)
{
    const struct str scope = v->scope ? json_format(v->a, v->scope) : S("null");
    struct value *list = value_list(v->a);
    struct rec_environment *envs;
    struct rec_set *sets;
    size_t n_envs, n;
    int rc = DB_SELECT(v->db, v->a, environment,
                       "WHERE deleted_ms IS NULL AND ($1 = 'null' OR EXISTS (SELECT 1"
                       " FROM json_each($1) AS s WHERE name GLOB s.value)) ORDER BY name",
                       &envs, &n_envs, err, DB_T(scope));

    for (size_t i = 0; !rc && i < n_envs; i++) {
        rc = DB_SELECT(v->db, v->a, set, "WHERE env = $1 AND state = 'live' ORDER BY service",
                       &sets, &n, err, DB_T(envs[i].uid));
        for (size_t k = 0; !rc && k < n; k++)
            rc = add_set(v, list, &envs[i], &sets[k], err);
    }
    *ret = list;
    return rc ? rc : arena_status(v->a, err);
}
