/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_secrets.h"

#include "reconciler/engine/snapshot_load.h"
#include "specs/digest.h"
#include "specs/reference.h"
#include "state/plans.h"
#include "state/revisions.h"
#include "state/secrets.h"
#include "state/sets.h"

static int find_version(struct db *db, struct arena *a, struct str env_uid, struct str name,
                        struct str version, struct rec_secret_version *ret, struct err *err)
{
    *ret = (struct rec_secret_version){ .env = env_uid, .name = name, .version = version };
    return db_get(db, a, REC_secret_version, ret, err);
}

/* 1: as it stands in the rows. What was generated is never generated again, nor is another taken for it. */
static int is_noted(struct db *db, struct arena *a, struct str env_uid, struct str name,
                    const struct secret_pin *pin, struct err *err)
{
    struct rec_secret_version row;
    int rc = find_version(db, a, env_uid, name, pin->version, &row, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (str_starts(pin->version, S("g:")) && row.fingerprint.n &&
        !str_eq(row.fingerprint, pin->fingerprint))
        return err_set(
            err, ERR_REFUSED, "secret '%.*s' was generated and %s: put it back", STR_ARG(name),
            pin->fingerprint.n ? "has another value now, or the key `fingerprint` is another"
                               : "is gone from its store");
    return row.gone_ms == REC_NONE && str_eq(row.fingerprint, pin->fingerprint);
}

static int put_version(struct tx *tx, struct arena *a, struct str env_uid, struct str name,
                       const struct secret_pin *pin, struct err *err)
{
    struct rec_secret_version now = { .env = env_uid,
                                      .name = name,
                                      .version = pin->version,
                                      .fingerprint = pin->fingerprint,
                                      .seen_ms = tx_time_ms(tx),
                                      .gone_ms = REC_NONE },
                              *rows;
    size_t n;

    if (DB_SELECT(tx_db(tx), a, secret_version,
                  "WHERE env = $1 AND name = $2 AND gone_ms IS NULL AND version LIKE 'f:%'", &rows,
                  &n, err, DB_T(env_uid), DB_T(name)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].gone_ms = tx_time_ms(tx);
        if (tx_put(tx, REC_secret_version, &rows[i], err))
            return err->code;
    }
    return tx_put(tx, REC_secret_version, &now, err);
}

int env_secrets_note(struct engine *e, struct arena *a, struct str env_uid, const struct map *pins,
                     struct err *err)
{
    struct tx *tx = NULL;

    for (size_t i = 0; i < pins->n; i++) {
        const struct secret_pin *pin = pins->entries[i].value;
        struct str name = pins->entries[i].key;
        int noted = !pin ? 1 : is_noted(e->db, a, env_uid, name, pin, err);

        if (noted < 0)
            goto fail;
        if (noted)
            continue;
        if (!tx && engine_tx(e,
                             &(struct engine_event){
                                 .kind = S("secret.version"), .subject = name, .env = env_uid },
                             &tx, err))
            return err->code;
        if (put_version(tx, a, env_uid, name, pin, err))
            goto fail;
    }
    return tx ? tx_commit(tx, err) : 0;

fail:
    tx_rollback(tx);
    return err->code;
}

/* --- versions that are gone ---------------------------------------------------------------------- */

static int is_gone(struct db *db, struct arena *a, struct str env_uid, struct str name,
                   struct str version, struct err *err)
{
    struct rec_secret_version row;
    int rc = find_version(db, a, env_uid, name, version, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    return rc == ERR_NOT_FOUND || row.gone_ms != REC_NONE;
}

/* "NAME@VERSION" -> the version that stands in its place, of those that `spec` pins and that are gone. */
static int find_replaced(struct engine *e, struct arena *a, struct str env_uid,
                         const struct environment_spec *spec, struct map *ret, struct err *err)
{
    struct map pins, kept;

    map_init(&pins, a);
    map_init(ret, a);
    for (size_t i = 0; i < spec->resources.n; i++)
        secret_sets_collect(spec->resources.p[i].desired, &pins);
    if (pins.n && secret_sets_find(e->sealed, env_uid, &spec->revision, a, &kept, err))
        return err->code;
    for (size_t i = 0; i < pins.n; i++) {
        struct str name = *(const struct str *)pins.entries[i].value,
                   version = str_slice(pins.entries[i].key, name.n + 1, pins.entries[i].key.n);
        struct rec_secret_version *now;
        size_t n;
        int gone = map_has(&kept, pins.entries[i].key)
                       ? 0
                       : is_gone(e->db, a, env_uid, name, version, err);

        if (gone < 0)
            return gone;
        if (!gone)
            continue;
        if (secrets_now_of(e->db, a, env_uid, name, &now, &n, err))
            return err->code;
        if (!n)
            return err_set(
                err, ERR_REFUSED,
                "version %.*s of secret '%.*s' is gone: what it was made with cannot be restored",
                STR_ARG(version), STR_ARG(name));
        map_put(ret, pins.entries[i].key, &now[0].version);
    }
    return arena_status(a, err);
}

static struct value *replace_pins(struct arena *a, const struct value *v,
                                  const struct map *replaced, struct str *ret_name)
{
    struct str name = value_get_text(v, S("secret"), STR_NONE),
               version = value_get_text(v, S("version"), STR_NONE);
    struct value *copy = value_is(v, VALUE_LIST) ? value_list(a) : value_map(a);
    const struct str *now = NULL;

    if (!value_is(v, VALUE_LIST) && !value_is(v, VALUE_MAP))
        return value_copy(a, v);
    if (reference_of(v) == REFERENCE_SECRET)
        now = map_find(replaced, str_fmt(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(version)));
    for (size_t i = 0; i < value_count(v); i++) {
        if (value_is(v, VALUE_LIST))
            value_add(a, copy, replace_pins(a, value_item(v, i), replaced, ret_name));
        else if (now && str_eq_c(v->u.map.entries[i].key, "version"))
            value_set_text(a, copy, S("version"), *now);
        else
            value_set(a, copy, v->u.map.entries[i].key,
                      replace_pins(a, v->u.map.entries[i].value, replaced, ret_name));
    }
    if (now)
        *ret_name = name;
    return copy;
}

int env_secrets_repin(struct engine *e, struct arena *a, struct str env_uid,
                      struct environment_spec *spec, struct str *ret_gone, struct err *err)
{
    struct map replaced;

    *ret_gone = STR_NONE;
    if (find_replaced(e, a, env_uid, spec, &replaced, err))
        return err->code;
    for (size_t i = 0; replaced.n && i < spec->resources.n; i++) {
        struct spec_resource *r = &spec->resources.p[i];

        r->desired = replace_pins(a, r->desired, &replaced, &r->gone);
        r->digest = digest_value(a, S("desired"), r->desired);
        if (r->gone.p)
            *ret_gone = r->gone;
    }
    return arena_status(a, err);
}

/* --- sealed sets --------------------------------------------------------------------------------- */

/* One whose plan started nothing that has secrets, a route moved or another service, was given none: what it
 * refers to lies in the set of a revision before it, which goes sooner. */
static int complete_live(struct engine *e, struct arena *a, const struct rec_environment *env,
                         struct err *err)
{
    struct environment_spec spec;
    struct map pins;
    const struct secret_want want = {
        .env_uid = env->uid, .env_name = env->name, .revision = env->live_rev, .pins = &pins
    };
    int rc;

    if (digest_is_none(&env->live_rev) || !secret_sets_are_kept(e->sealed))
        return 0;
    rc = snapshot_load_revision(a, e->db, env->uid, &env->live_rev, &spec, err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0
                                   : rc; /* recovered: what runs is known, its documents are not */
    map_init(&pins, a);
    for (size_t i = 0; i < spec.resources.n; i++)
        secret_sets_collect(spec.resources.p[i].desired, &pins);
    return arena_status(a, err) ? err->code : secret_sets_complete(e->sealed, &want, err);
}

/* Revisions that are live, that made a set which is there, that somebody may go back to, or that a plan which is
 * not over makes or leaves. */
int env_secrets_sweep(struct engine *e, struct arena *a, const struct rec_environment *env,
                      struct err *err)
{
    struct rec_revision *proven;
    struct rec_plan *plans;
    struct rec_set *sets;
    size_t n_proven, n_plans, n_sets, n = 0;
    struct digest *keep;

    if (complete_live(e, a, env, err) ||
        revisions_proven(e->db, a, env->uid, ENV_SECRETS_KEPT, &proven, &n_proven, err) ||
        DB_SELECT(e->db, a, plan,
                  "WHERE env = $1 AND (" PLANS_UNFINISHED
                  " OR EXISTS (SELECT 1 FROM rollouts WHERE plan = id AND ended_seq IS NULL))",
                  &plans, &n_plans, err, DB_T(env->uid)) ||
        sets_list(e->db, a, env->uid, &sets, &n_sets, err))
        return err->code;
    keep = arena_new_n(a, struct digest, n_proven + n_plans + n_sets + 1);
    if (!keep)
        return arena_status(a, err);
    keep[n++] = env->live_rev;
    for (size_t i = 0; i < n_proven; i++)
        keep[n++] = proven[i].digest;
    for (size_t i = 0; i < n_plans; i++)
        keep[n++] = plans[i].target;
    for (size_t i = 0; i < n_sets; i++)
        keep[n++] = sets[i].revision;
    return secret_sets_sweep(e->sealed, env->uid, keep, n, err);
}

/* --- what a plan says ---------------------------------------------------------------------------- */

static void remark(struct arena *a, struct plan *p, struct str text)
{
    struct str *slot = vec_push(a, &p->remarks);

    if (slot)
        *slot = text;
}

/* 1: neither its store nor a sealed set has all that it pins. */
static int is_unrestorable(struct engine *e, struct arena *a, const struct rec_revision *revision,
                           struct err *err)
{
    struct environment_spec spec;
    struct map replaced;
    int rc;

    if (snapshot_load_revision(a, e->db, revision->env, &revision->digest, &spec, err))
        return err->code;
    rc = find_replaced(e, a, revision->env, &spec, &replaced, err);
    if (rc == ERR_REFUSED)
        return 1;
    return rc ? rc : replaced.n != 0;
}

static int remark_unrestorable(struct engine *e, struct arena *a, struct str env_uid,
                               struct plan *p, struct err *err)
{
    struct rec_revision *rows;
    struct sb numbers;
    size_t n;

    if (revisions_proven(e->db, a, env_uid, ENV_SECRETS_TOLD, &rows, &n, err))
        return err->code;
    sb_init(&numbers, a);
    for (size_t i = 0; i < n; i++) {
        int rc = is_unrestorable(e, a, &rows[i], err);

        if (rc < 0)
            return rc;
        if (rc)
            sb_addf(&numbers, "%s%lld", numbers.n ? ", " : "", (long long)rows[i].n);
    }
    if (numbers.n)
        remark(a, p,
               str_fmt(a,
                       "secrets.keep is none: these revisions cannot be restored as they were: %s",
                       sb_str(&numbers).p));
    return 0;
}

int env_secrets_remark(struct engine *e, struct arena *a, struct str env_uid,
                       const struct map *pins, struct plan *p, struct err *err)
{
    for (size_t i = 0; i < pins->n; i++) {
        const struct secret_pin *pin = pins->entries[i].value;
        struct str name = pins->entries[i].key;

        if (!pin)
            remark(a, p,
                   str_fmt(a, "secret '%.*s' is absent: variables that refer to it are left out",
                           STR_ARG(name)));
        else if (pin->is_short)
            remark(a, p,
                   str_fmt(a, "warning: secret '%.*s' is shorter than %u characters [secret-short]",
                           STR_ARG(name), SECRET_SHORT_BELOW));
    }
    if (!secret_sets_are_kept(e->sealed) && remark_unrestorable(e, a, env_uid, p, err))
        return err->code;
    return arena_status(a, err);
}
