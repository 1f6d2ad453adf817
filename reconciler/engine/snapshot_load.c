/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/snapshot_load.h"

#include <stdlib.h>

#include "providers/kit.h"
#include "specs/json_io.h"
#include "state/quarantine.h"
#include "state/revisions.h"
#include "state/sets.h"

static int load_document(struct arena *a, struct db *db, const struct digest *digest,
                         const struct value **ret, struct err *err)
{
    struct str body;
    struct value *v;

    if (db_document(db, a, digest, &body, err) || json_parse(a, body, PLAN_BYTES_MAX, &v, err))
        return err->code;
    *ret = v;
    return 0;
}

static int is_recorded_kind(struct str kind)
{
    return str_eq_c(kind, "service") || str_eq_c(kind, "domain") || str_eq_c(kind, "policy") ||
           str_eq_c(kind, "job");
}

/* --- objects ------------------------------------------------------------------------------------- */

static enum object_state object_state_of(const struct rec_resource *row)
{
    if (str_eq_c(row->status, "kept"))
        return OBJECT_KEPT;
    if (str_eq_c(row->status, "adopting") || str_eq_c(row->protect, "adopt"))
        return OBJECT_TAKING;
    if (!digest_is_none(&row->desired))
        return OBJECT_READY;
    return row->protect.n || str_eq_c(row->status, "ready") ? OBJECT_FOUND : OBJECT_LEFT;
}

static int load_object(struct arena *a, struct db *db, const struct object_look *look,
                       struct recorded *ret, struct err *err)
{
    const struct rec_resource *row = &look->row;
    struct value *memory;

    *ret = (struct recorded){ .kind = row->kind,
                              .name = row->name,
                              .provider = row->provider,
                              .id = row->provider_id,
                              .digest = row->desired,
                              .state = object_state_of(row),
                              .seen = look->seen,
                              .is_lost = look->is_lost,
                              .protect = row->protect };
    if (json_parse(a, row->drift, KIT_BODY_MAX, &memory, err))
        return err->code;
    ret->memory = memory;
    return digest_is_none(&row->desired) ? 0
                                         : load_document(a, db, &row->desired, &ret->desired, err);
}

/* What each needed is in the revision that was applied last. */
static int load_needs(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                      struct err *err)
{
    struct environment_spec live;
    int rc;

    if (!in->n_objects || digest_is_none(&s->env.live_rev))
        return 0;
    rc = snapshot_load_revision(a, in->engine->db, in->env_uid, &s->env.live_rev, &live, err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    for (size_t i = 0; i < s->n_recorded; i++)
        for (size_t k = 0; k < live.resources.n; k++)
            if (str_eq(live.resources.p[k].kind, s->recorded[i].kind) &&
                str_eq(live.resources.p[k].name, s->recorded[i].name)) {
                s->recorded[i].needs = live.resources.p[k].needs.p;
                s->recorded[i].n_needs = live.resources.p[k].needs.n;
            }
    return 0;
}

/* --- what is recorded ---------------------------------------------------------------------------- */

static int load_row(struct arena *a, struct db *db, const struct rec_resource *row,
                    struct snapshot *s, struct err *err)
{
    struct recorded *r = &s->recorded[s->n_recorded];
    int is_recorded = is_recorded_kind(row->kind);

    if (digest_is_none(&row->desired) || (!is_recorded && !str_eq_c(row->kind, "address")))
        return 0;
    *r = (struct recorded){
        .kind = row->kind,
        .name = row->name,
        .was = row->was,
        .provider = row->provider,
        .digest = row->desired,
    };
    if (!is_recorded && str_eq_c(row->status, "failed"))
        r->digest = (struct digest){ { 0 } }; /* it may be there or not */
    if (is_recorded && load_document(a, db, &r->digest, &r->desired, err))
        return err_wrap(err, "what '%.*s/%.*s' was", STR_ARG(r->kind), STR_ARG(r->name));
    s->n_recorded++;
    return 0;
}

/* Services, domains, jobs and the policy with their documents; addresses by name alone; objects as they were
 * looked at. */
static int load_recorded(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                         struct err *err)
{
    struct rec_resource *rows;
    size_t n;

    if (resources_list(in->engine->db, a, in->env_uid, &rows, &n, err))
        return err->code;
    s->recorded = arena_new_n(a, struct recorded, n + in->n_objects + 1);
    if (!s->recorded)
        return arena_status(a, err);
    for (size_t i = 0; i < n; i++)
        if (load_row(a, in->engine->db, &rows[i], s, err))
            return err->code;
    for (size_t i = 0; i < in->n_objects; i++)
        if (load_object(a, in->engine->db, &in->objects[i], &s->recorded[s->n_recorded++], err))
            return err->code;
    return load_needs(a, in, s, err);
}

static enum instance_health observed_health(const struct snapshot_load *in, struct str name)
{
    for (size_t i = 0; i < in->n_observations; i++)
        if (str_eq(in->observations[i].name, name))
            return in->observations[i].health;
    return INSTANCE_UNKNOWN;
}

/* A previous set that has lost an instance is not warm any more: nobody goes back to it, and where no plan keeps it
 * nobody takes it away. */
static void retire_previous(struct snapshot *s, const struct rec_instance *lost)
{
    for (size_t i = 0; i < s->n_sets; i++) {
        struct rec_set *set = &s->sets[i];

        if (str_eq_c(set->state, "previous") && str_eq(set->service, lost->service) &&
            digest_eq(&set->set_key, &lost->set_key))
            set->state = digest_is_none(&set->kept_by) ? S("failed") : S("draining");
    }
}

static const struct recorded *find_recorded(const struct snapshot *s, struct str service)
{
    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq_c(s->recorded[i].kind, "service") && str_eq(s->recorded[i].name, service))
            return &s->recorded[i];
    return NULL;
}

/* What was left for a person is live and not recorded: its own row names what it was made of, unless the database
 * was lost since. */
static int load_made_of(struct arena *a, struct db *db, struct snapshot *s, struct err *err)
{
    s->made_of = arena_new_n(a, const struct value *, s->n_sets + 1);
    for (size_t i = 0; s->made_of && i < s->n_sets; i++) {
        const struct rec_set *set = &s->sets[i];
        const struct recorded *have = find_recorded(s, set->service);
        int rc;

        if (!str_eq_c(set->state, "live") || (have && digest_eq(&have->digest, &set->desired)))
            continue;
        rc = load_document(a, db, &set->desired, &s->made_of[i], err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
    }
    *err = ERR_INIT;
    return arena_status(a, err);
}

static int load_sets(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                     struct err *err)
{
    struct rec_instance *rows;
    size_t n;

    if (sets_list(in->engine->db, a, in->env_uid, &s->sets, &s->n_sets, err) ||
        sets_instances_of_env(in->engine->db, a, in->env_uid, &rows, &n, err))
        return err->code;
    s->instances = arena_new_n(a, struct observed_instance, n + 1);
    if (!s->instances)
        return arena_status(a, err);
    s->n_instances = n;
    for (size_t i = 0; i < n; i++) {
        struct str name = identity_instance_name(a, rows[i].service, &rows[i].set_key,
                                                 rows[i].ordinal);

        s->instances[i] = (struct observed_instance){ rows[i], observed_health(in, name) };
        if (s->instances[i].health == INSTANCE_LOST)
            retire_previous(s, &rows[i]);
    }
    return load_made_of(a, in->engine->db, s, err);
}

static int load_done(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                     struct err *err)
{
    struct db *db = in->engine->db;
    struct map *artifacts = arena_new(a, struct map), *releases = arena_new(a, struct map);
    struct rec_artifact *made;
    struct rec_release *released;
    size_t n_made, n_released;

    if (!artifacts || !releases)
        return arena_status(a, err);
    map_init(artifacts, a);
    map_init(releases, a);
    if (DB_SELECT(db, a, artifact, "WHERE made_for = $1 AND state = 'ready'", &made, &n_made, err,
                  DB_T(in->env_uid)) ||
        DB_SELECT(db, a, release, "WHERE env = $1 AND state = 'done'", &released, &n_released, err,
                  DB_T(in->env_uid)))
        return err->code;
    for (size_t i = 0; i < n_made; i++)
        map_put(artifacts, digest_hex(a, &made[i].key), &made[i].output_digest);
    for (size_t i = 0; i < n_released; i++)
        map_put(releases, digest_hex(a, &released[i].key), &released[i]);
    s->artifacts = artifacts;
    s->releases = releases;
    return 0;
}

static int compare_drivers(const void *a, const void *b)
{
    return str_cmp(((const struct snapshot_driver *)a)->name,
                   ((const struct snapshot_driver *)b)->name);
}

/* All providers: a new version of one makes new plans. */
static int load_drivers(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                        struct err *err)
{
    const struct registry *r = in->engine->providers;

    s->drivers = arena_new_n(a, struct snapshot_driver, r->n + 1);
    if (!s->drivers)
        return arena_status(a, err);
    for (size_t i = 0; i < r->n; i++) {
        const struct rv_driver *d = r->list[i].driver;
        struct rv_str schema = d->schema();

        s->drivers[s->n_drivers++] = (struct snapshot_driver){ str_from_c(d->name),
                                                               str_from_c(d->version),
                                                               hash_bytes(kit_str(schema)) };
    }
    qsort(s->drivers, s->n_drivers, sizeof(*s->drivers), compare_drivers);
    return 0;
}

int64_t snapshot_edge_slots(const struct value *daemon, struct str provider)
{
    return value_get_int(
        value_get(value_get(value_get(daemon, S("providers")), provider), S("pool")), S("slots"),
        0);
}

int snapshot_load(struct arena *a, const struct snapshot_load *in, struct snapshot *ret,
                  struct err *err)
{
    struct snapshot s = { .installation = in->engine->installation,
                          .cause = in->cause,
                          .target = in->target,
                          .budget = value_get(in->rule, S("budget")),
                          .schemas = in->engine->schemas,
                          .unkept = in->engine->options.groups ? in->engine->options.groups->unkept
                                                               : NULL,
                          .observed_generation = REC_NONE };

    s.edge_provider = value_get_text(value_get(in->rule, S("providers")), S("domains"), STR_NONE);
    s.edge_slots = snapshot_edge_slots(in->engine->options.daemon, s.edge_provider);
    if (environments_by_uid(in->engine->db, a, in->env_uid, &s.env, err) ||
        load_recorded(a, in, &s, err) || load_sets(a, in, &s, err) ||
        snapshot_routes_load(a, in, &s, err) || load_done(a, in, &s, err) ||
        load_drivers(a, in, &s, err) ||
        quarantine_active(in->engine->db, a, in->env_uid, in->now_ms, &s.quarantines,
                          &s.n_quarantines, err))
        return err_wrap(err, "read environment '%.*s'", STR_ARG(s.env.name));
    *ret = s;
    return arena_status(a, err);
}

/* --- revisions ----------------------------------------------------------------------------------- */

/* What the specs say a resource needs; nothing where they do not want it as it is recorded. */
static struct value *record_needs(struct arena *a, const struct environment_spec *spec,
                                  const struct plan_record *record)
{
    struct value *needs = value_list(a);

    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        if (!str_eq(r->kind, record->kind) || !str_eq(r->name, record->name) ||
            !digest_eq(&r->digest, &record->desired))
            continue;
        for (size_t j = 0; j < r->needs.n; j++)
            value_add(a, needs, value_text(a, r->needs.p[j]));
    }
    return needs;
}

/* How its drift is met, where a commit says so. */
static void set_modes(struct arena *a, struct value *one, const struct environment_spec *spec,
                      const struct plan_record *record)
{
    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        if (r->drift && str_eq(r->kind, record->kind) && str_eq(r->name, record->name))
            value_set(a, one, S("drift"), value_copy(a, r->drift));
    }
}

static struct value *record_entry(struct arena *a, const struct environment_spec *spec,
                                  const struct plan_record *record)
{
    struct value *one = value_map(a);

    value_set_text(a, one, S("kind"), record->kind);
    value_set_text(a, one, S("name"), record->name);
    value_set_text(a, one, S("provider"), record->provider);
    value_set_text(a, one, S("desired"), digest_hex(a, &record->desired));
    value_set(a, one, S("needs"), record_needs(a, spec, record));
    set_modes(a, one, spec, record);
    return one;
}

/* What the plan leads to, which is not what the specs ask for while a group is quarantined. */
static struct value *revision_value(struct arena *a, const struct environment_spec *spec,
                                    const struct plan *plan)
{
    struct value *doc = value_map(a), *resources = value_list(a);

    value_set_text(a, doc, S("name"), spec->name);
    value_set_text(a, doc, S("application"), spec->application);
    value_set_text(a, doc, S("branch"), spec->branch);
    if (spec->policy)
        value_set(a, doc, S("policy"), value_copy(a, spec->policy));
    if (spec->secrets)
        value_set(a, doc, S("secrets"), value_copy(a, spec->secrets));
    for (size_t i = 0; i < plan->records.n; i++)
        if (!str_eq_c(plan->records.p[i].kind, "policy"))
            value_add(a, resources, record_entry(a, spec, &plan->records.p[i]));
    value_set(a, doc, S("resources"), resources);
    return doc;
}

int snapshot_store_revision(struct arena *a, struct tx *tx, struct str env_uid,
                            const struct environment_spec *spec, const struct plan *plan,
                            struct err *err)
{
    struct rec_revision row;
    struct digest doc = { { 0 } };
    int rc;

    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        if (tx_document(tx, S("desired"), &r->digest, json_format(a, r->desired), err))
            return err->code;
    }
    if (spec->policy &&
        engine_put_document(tx, S("desired"), json_format(a, spec->policy), &doc, err))
        return err->code;
    if (engine_put_document(tx, S("spec"), json_format(a, revision_value(a, spec, plan)), &doc,
                            err))
        return err->code;
    rc = revisions_by_digest(tx_db(tx), a, env_uid, &plan->target, &row, err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    row = (struct rec_revision){ .env = env_uid,
                                 .digest = plan->target,
                                 .doc = doc,
                                 .made_seq = tx_seq(tx),
                                 .proven_seq = REC_NONE };
    if (revisions_next_n(tx_db(tx), a, env_uid, &row.n, err))
        return err->code;
    return tx_put(tx, REC_revision, &row, err);
}

static int load_resource_entry(struct arena *a, struct db *db, const struct value *entry,
                               struct spec_resource *ret, struct err *err)
{
    const struct value *needs = value_get(entry, S("needs"));

    ret->kind = value_get_text(entry, S("kind"), S(""));
    ret->name = value_get_text(entry, S("name"), S(""));
    ret->provider = value_get_text(entry, S("provider"), S(""));
    ret->drift = value_get(entry, S("drift"));
    if (digest_from_hex(value_get_text(entry, S("desired"), S("")), &ret->digest))
        return err_set(err, ERR_CORRUPT, "a revision names no document");
    for (size_t i = 0; i < value_count(needs); i++) {
        struct str *slot = vec_push(a, &ret->needs);

        if (slot)
            *slot = value_item(needs, i)->u.text;
    }
    return load_document(a, db, &ret->digest, &ret->desired, err);
}

int snapshot_load_revision(struct arena *a, struct db *db, struct str env_uid,
                           const struct digest *revision, struct environment_spec *ret,
                           struct err *err)
{
    struct rec_revision row;
    const struct value *doc = NULL, *resources;
    struct environment_spec spec = { 0 };

    if (revisions_by_digest(db, a, env_uid, revision, &row, err) ||
        load_document(a, db, &row.doc, &doc, err))
        return err_wrap(err, "read revision");
    spec.name = value_get_text(doc, S("name"), S(""));
    spec.application = value_get_text(doc, S("application"), S(""));
    spec.branch = value_get_text(doc, S("branch"), S(""));
    spec.policy = value_get(doc, S("policy"));
    spec.secrets = value_get(doc, S("secrets"));
    spec.revision = *revision;
    resources = value_get(doc, S("resources"));
    for (size_t i = 0; i < value_count(resources); i++) {
        struct spec_resource *slot = vec_push(a, &spec.resources);

        if (slot && load_resource_entry(a, db, value_item(resources, i), slot, err))
            return err_wrap(err, "read revision %lld", (long long)row.n);
    }
    *ret = spec;
    return arena_status(a, err);
}
